// Room runtime and data: sources that are written in Python, sources that read files, and calls to any of them.

#include <fmt/format.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <variant>

#include <ktrdr/data/csv_source.hpp>
#include <ktrdr/market/time_text.hpp>
#include <ktrdr/runtime/asked_source.hpp>
#include <ktrdr/runtime/open_data_manager.hpp>
#include <ktrdr/runtime/runtime.hpp>
#include <ktrdr/runtime/source_calls.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "text.hpp"

namespace ktrdr::bindings {
namespace {

/// Rows that a source could not use, with their stamps in nanoseconds since 1970.
using Dropped = std::vector<std::pair<std::int64_t, std::string>>;
/// The same as people give them: ISO 8601.
using GivenDropped = std::vector<std::pair<std::string, std::string>>;

/// 250 years: nanoseconds hold little more.
constexpr double longest_seconds = 8e9;

/// Seconds and fetches at once.
using Limits = std::pair<double, std::int64_t>;
/// Code, message and context of an error.
using Record = std::tuple<std::string, Text, py::dict>;

Error error_of(const std::string& code, const Text& message, const py::dict& context) {
    return fail(errc_from(code).value_or(Errc::host_service), message.utf8, described(context));
}

std::chrono::nanoseconds nanos(double seconds) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::clamp(seconds, -1.0, longest_seconds) * 1e9));
}

SourceProfile profile_of(Text provider, Text name, const std::map<std::string, Limits>& limits,
                         const std::map<std::string, Record>& refused, double patience,
                         const std::vector<std::string>& takes) {
    SourceProfile profile{.provider = std::move(provider.utf8),
                          .name = std::move(name.utf8),
                          .patience = std::isfinite(patience) ? nanos(patience) : nanos(longest_seconds)};
    profile.takes_shows = std::ranges::find(takes, "what_to_show") != takes.end();
    profile.takes_sessions = std::ranges::find(takes, "session") != takes.end();
    for (const auto& [timeframe, given] : limits) {
        profile.limits[timeframe] = {
            .max_span = nanos(given.first),
            .max_in_flight = static_cast<std::size_t>(std::max<std::int64_t>(given.second, 0))};
    }
    for (const auto& [timeframe, record] : refused) {
        profile.refused[timeframe] = error_of(std::get<0>(record), std::get<1>(record), std::get<2>(record));
    }
    return profile;
}

std::shared_ptr<AskedSource> make_asked(std::shared_ptr<Mailbox> mailbox, std::uint64_t key, Text provider, Text name,
                                        const std::map<std::string, Limits>& limits,
                                        const std::map<std::string, Record>& refused, double patience,
                                        const std::vector<std::string>& takes) {
    SourceProfile profile = profile_of(std::move(provider), std::move(name), limits, refused, patience, takes);
    unwrap(check_profile(profile));
    Runtime* const runtime = unwrap(Runtime::instance());
    return std::make_shared<AskedSource>(std::move(profile), std::move(mailbox), key, runtime->io(),
                                         runtime->data_services().clock);
}

/// A time of a question as nanoseconds since 1970; none for a question without a range.
std::optional<std::int64_t> edge(const SourceAsk& ask, UtcTime TimeRange::* member) {
    if (ask.question().kind != SourceQuestion::Kind::fetch) {
        return std::nullopt;
    }
    return (ask.question().segment.*member).time_since_epoch().count();
}

/// Errors are answers, too: whoever gave it is told by the load.
void answer_bars(SourceAsk& self, const std::optional<BarsView>& bars, Text partial, const GivenDropped& dropped,
                 const std::optional<std::string>& now) {
    const GilReleased released;
    SourceAnswer answer;
    if (now) {
        const auto clock = parse_time("now", *now);
        if (!clock) {
            self.answer(fail(Errc::protocol, fmt::format("{}: {}", self.question().asked, clock.error().message)));
            return;
        }
        answer.provider_now = *clock;
    }
    if (bars) {
        answer.bars = *bars->own();
    }
    answer.partial = std::move(partial.utf8);
    for (const auto& [stamp, why] : dropped) {
        const auto start = parse_time("the stamp of a dropped row", stamp);
        if (!start) {
            self.answer(fail(Errc::protocol, fmt::format("{}: {}", self.question().asked, start.error().message)));
            return;
        }
        answer.dropped.push_back({*start, why});
    }
    self.answer(SourceAsk::Value(std::move(answer)));
}

void answer_first(SourceAsk& self, const std::optional<std::string>& time) {
    if (!time) {
        self.answer(SourceAsk::Value(std::optional<UtcTime>()));
        return;
    }
    const auto first = parse_time("what was answered", *time);
    if (!first) {
        self.answer(fail(Errc::protocol, fmt::format("{}: {}", self.question().asked, first.error().message)));
        return;
    }
    self.answer(SourceAsk::Value(std::optional(*first)));
}

void bind_ask(py::module_& module) {
    py::class_<SourceAsk, std::shared_ptr<SourceAsk>>(module, "SourceAsk", "What a source is asked.")
        .def_property_readonly("kind",
                               [](const SourceAsk& self) { return std::string(to_string(self.question().kind)); })
        .def_property_readonly("symbol", [](const SourceAsk& self) { return self.question().symbol; })
        .def_property_readonly("timeframe",
                               [](const SourceAsk& self) { return std::string(self.question().timeframe.name()); })
        .def_property_readonly("start", [](const SourceAsk& self) { return edge(self, &TimeRange::start); })
        .def_property_readonly("end", [](const SourceAsk& self) { return edge(self, &TimeRange::end); })
        .def_property_readonly(
            "series",
            [](const SourceAsk& self) {
                const SeriesKind& series = self.question().series;
                return py::make_tuple(series.instrument_type, series.what_to_show, series.session);
            },
            "Instrument type, empty where nobody has said, what to show, session.")
        .def_property_readonly("asked", [](const SourceAsk& self) { return self.question().asked; })
        .def_property_readonly("token", [](const SourceAsk& self) { return self.token(); })
        .def(
            "warn", [](SourceAsk& self, const Text& text) { self.warn(text.utf8); }, py::arg("text"),
            py::call_guard<GilReleased>(), "Tell whoever asked what a person should know.")
        .def(
            "answer_known",
            [](SourceAsk& self, std::string asset_class, std::string exchange, std::string currency) {
                self.answer(
                    SourceAsk::Value(Contract{std::move(asset_class), std::move(exchange), std::move(currency)}));
            },
            py::arg("asset_class"), py::arg("exchange"), py::arg("currency"), py::call_guard<GilReleased>(),
            "The provider knows the symbol, and what it stands for, where it says.")
        .def("answer_first", &answer_first, py::arg("time"), py::call_guard<GilReleased>(),
             "The oldest bar's start, ISO 8601, or None.")
        .def("answer_bars", &answer_bars, py::arg("bars"), py::arg("partial"), py::arg("dropped"), py::arg("now"),
             "Bars, why there may be more, rows that cannot be used, and what the provider's clock said.")
        .def(
            "fail",
            [](SourceAsk& self, const std::string& code, const Text& message, const py::dict& context) {
                Error error = error_of(code, message, context);
                const GilReleased released;
                self.answer(std::move(error));
            },
            py::arg("code"), py::arg("message"), py::arg("context"), "An error in place of an answer.");
}

void bind_calls(py::module_& module) {
    py::class_<SourceReply, std::shared_ptr<SourceReply>>(module, "SourceReply", "What a source has answered.")
        .def_property_readonly("bars", [](const SourceReply& self) { return self.bars; })
        .def_property_readonly("partial", [](const SourceReply& self) { return self.partial; })
        .def_property_readonly("dropped", [](const SourceReply& self) {
            Dropped rows;
            for (const auto& row : self.dropped) {
                rows.emplace_back(row.start.time_since_epoch().count(), row.why);
            }
            return rows;
        });
    const auto timeframe_of = [](const std::string& name) { return unwrap(Timeframe::parse(name)); };
    py::class_<SourceCalls, std::shared_ptr<SourceCalls>>(module, "SourceCalls", "Asks a source as a load does.")
        .def(py::init([](std::shared_ptr<BarSource> source) {
                 return std::make_shared<SourceCalls>(*unwrap(Runtime::instance()), std::move(source));
             }),
             py::arg("source"))
        .def_property_readonly("provider", &SourceCalls::provider)
        .def(
            "describe",
            [timeframe_of](const SourceCalls& self, const std::string& timeframe) {
                const SourceLimits limits = self.describe(timeframe_of(timeframe));
                return std::pair(std::chrono::duration<double>(limits.max_span).count(), limits.max_in_flight);
            },
            py::arg("timeframe"), "Seconds of the longest range, and fetches at once.")
        .def("validate_symbol", &SourceCalls::validate_symbol, py::arg("series"), py::arg("token"), py::arg("mailbox"),
             py::arg("key"), py::call_guard<GilReleased>())
        .def("first_timestamp", &SourceCalls::first_timestamp, py::arg("series"), py::arg("token"), py::arg("mailbox"),
             py::arg("key"), py::call_guard<GilReleased>())
        .def(
            "fetch",
            [](SourceCalls& self, SeriesRequest series, const std::string& start, const std::string& end,
               const CancellationToken& token, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
                const TimeRange range{unwrap(parse_time("start", start)), unwrap(parse_end_time("end", end))};
                return self.fetch(std::move(series), range, token, std::move(mailbox), key);
            },
            py::arg("series"), py::arg("start"), py::arg("end"), py::arg("token"), py::arg("mailbox"), py::arg("key"),
            py::call_guard<GilReleased>());
}

std::shared_ptr<CsvSource> open_csv(std::filesystem::path folder, std::string provider) {
    Runtime* const runtime = unwrap(Runtime::instance());
    return unwrap(
        CsvSource::open(std::move(folder), std::move(provider), runtime->compute(), runtime->data_services().clock));
}

/// None where neither URL nor environment name a service.
std::shared_ptr<BarSource> open_ib(std::optional<std::string> url, std::optional<bool> use_host_service,
                                   std::map<std::string, std::string> env) {
    const GilReleased released;
    return unwrap(open_ib_source(unwrap(Runtime::instance())->data_services(),
                                 {use_host_service, std::move(url), std::nullopt}, Env(std::move(env))));
}

}  // namespace

void bind_sources(py::module_& module) {
    bind_ask(module);
    bind_calls(module);
    module.def("open_ib_source", &open_ib, py::arg("url"), py::arg("use_host_service"), py::arg("env"),
               "The source behind the IB host service; None where none is named.");
    py::class_<AskedSource, BarSource, std::shared_ptr<AskedSource>>(module, "AskedSource",
                                                                     "A source whose questions come as mail.")
        .def(py::init(&make_asked), py::arg("mailbox"), py::arg("key"), py::arg("provider"), py::arg("name"),
             py::arg("limits"), py::arg("refused"), py::arg("patience"), py::arg("takes"));
    py::class_<CsvSource, BarSource, std::shared_ptr<CsvSource>>(module, "CsvSource",
                                                                 "Bars from a folder of CSV files.")
        .def(py::init(&open_csv), py::arg("folder"), py::arg("provider"));
}

}  // namespace ktrdr::bindings
