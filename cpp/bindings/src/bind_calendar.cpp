// Room calendar: sessions, and the periods of bars; times are nanoseconds since 1970, dates days since then.

#include <pybind11/stl.h>

#include <ktrdr/calendar/resample.hpp>
#include <ktrdr/market/bars_view.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

using Nanos = std::int64_t;
using Days = int;
/// Date, open, close, break's start and end, how far the clock is ahead in minutes, early close.
using SessionFacts = std::tuple<Days, Nanos, Nanos, Nanos, Nanos, std::int64_t, bool>;

UtcTime time_of(Nanos nanos) {
    return UtcTime{std::chrono::nanoseconds{nanos}};
}

Nanos nanos_of(UtcTime time) {
    return time.time_since_epoch().count();
}

std::optional<Nanos> nanos_of(std::optional<UtcTime> time) {
    return time ? std::optional(nanos_of(*time)) : std::nullopt;
}

std::chrono::sys_days date_of(Days since) {
    return std::chrono::sys_days{std::chrono::days{since}};
}

SessionFacts facts_of(const Session& session) {
    return {session.date.time_since_epoch().count(),
            nanos_of(session.open()),
            nanos_of(session.close()),
            nanos_of(session.pause.start),
            nanos_of(session.pause.end),
            session.offset.count(),
            session.early_close};
}

std::optional<SessionFacts> facts_of(const std::optional<Session>& session) {
    return session ? std::optional(facts_of(*session)) : std::nullopt;
}

std::vector<SessionFacts> sessions(const SessionCalendar& self, Days first, Days last) {
    std::vector<SessionFacts> found;
    for (const Session& session : self.sessions(date_of(first), date_of(last))) {
        found.push_back(facts_of(session));
    }
    return found;
}

auto instant(std::optional<UtcTime> (SessionCalendar::*question)(UtcTime) const noexcept) {
    return [question](const SessionCalendar& self, Nanos time) { return nanos_of((self.*question)(time_of(time))); };
}

BarGrid make_grid(const std::string& timeframe, SessionCalendarPtr calendar, GridOptions options,
                  const std::string& cut) {
    options.cut = unwrap(parse_bar_cut(cut));
    return unwrap(BarGrid::make(unwrap(Timeframe::parse(timeframe)), std::move(calendar), options));
}

/// Stamps as they lie in memory, eight bytes each.
py::bytes bytes_of(const std::vector<Nanos>& stamps) {
    return {reinterpret_cast<const char*>(stamps.data()), stamps.size() * sizeof(Nanos)};
}

py::bytes ends_of(const BarGrid& self, const py::buffer& stamps) {
    const py::buffer_info info = stamps.request();
    if (info.ndim != 1 || info.itemsize != sizeof(Nanos) || info.strides[0] != info.itemsize) {
        throw ErrorException(fail(Errc::invalid_argument, "stamps must be one contiguous row of 8-byte numbers"));
    }
    std::vector<Nanos> ends;
    ends.reserve(static_cast<std::size_t>(info.size));
    for (const auto* stamp = static_cast<const Nanos*>(info.ptr); ends.size() < static_cast<std::size_t>(info.size);
         ++stamp) {
        ends.push_back(nanos_of(self.end_of(time_of(*stamp))));
    }
    return bytes_of(ends);
}

std::optional<py::bytes> expected(const BarGrid& self, Nanos start, Nanos end) {
    const auto stamps = self.expected({time_of(start), time_of(end)});
    if (!stamps) {
        return std::nullopt;
    }
    std::vector<Nanos> nanos;
    nanos.reserve(stamps->size());
    for (const UtcTime stamp : *stamps) {
        nanos.push_back(nanos_of(stamp));
    }
    return bytes_of(nanos);
}

auto stamp(UtcTime (BarGrid::*question)(UtcTime) const noexcept) {
    return [question](const BarGrid& self, Nanos time) { return nanos_of((self.*question)(time_of(time))); };
}

std::tuple<BarsView, std::size_t, std::size_t> resample_bars(const BarsView& bars, const BarGrid& source,
                                                             const BarGrid& target,
                                                             std::optional<std::pair<Nanos, Nanos>> covered) {
    const GilReleased released;
    std::optional<TimeRange> range;
    if (covered) {
        range = {time_of(covered->first), time_of(covered->second)};
    }
    Resampled made = unwrap(resample(*bars.own(), source, target, range));
    return {BarsView(std::make_shared<const Bars>(std::move(made.bars)), bars.symbol(),
                     std::string(target.timeframe().name())),
            made.outside, made.partial};
}

void bind_sessions(py::module_& module) {
    py::class_<SessionCalendar, std::shared_ptr<SessionCalendar>>(module, "SessionCalendar", "A market's sessions.")
        .def_static(
            "read",
            [](const std::string& text, const std::string& source) {
                return std::const_pointer_cast<SessionCalendar>(unwrap(SessionCalendar::read(text, source)));
            },
            py::arg("text"), py::arg("source"))
        .def_static(
            "shipped",
            [](const std::string& name) {
                return std::const_pointer_cast<SessionCalendar>(unwrap(SessionCalendar::shipped(name)));
            },
            py::arg("name"))
        .def_static("shipped_names",
                    [] {
                        const auto names = SessionCalendar::shipped_names();
                        return std::vector<std::string>(names.begin(), names.end());
                    })
        .def(
            "with_overrides",
            [](const SessionCalendar& self, const std::string& text, const std::string& source) {
                return std::const_pointer_cast<SessionCalendar>(unwrap(self.with_overrides(text, source)));
            },
            py::arg("text"), py::arg("source"))
        .def_property_readonly("name", &SessionCalendar::name)
        .def_property_readonly("zone", &SessionCalendar::zone)
        .def_property_readonly("first_date",
                               [](const SessionCalendar& self) { return self.first_date().time_since_epoch().count(); })
        .def_property_readonly("last_date",
                               [](const SessionCalendar& self) { return self.last_date().time_since_epoch().count(); })
        .def_property_readonly("around_the_clock", &SessionCalendar::around_the_clock)
        .def("sessions", &sessions, py::arg("first"), py::arg("last"))
        .def(
            "session_on",
            [](const SessionCalendar& self, Days date) { return facts_of(self.session_on(date_of(date))); },
            py::arg("date"))
        .def(
            "session_at",
            [](const SessionCalendar& self, Nanos time) { return facts_of(self.session_at(time_of(time))); },
            py::arg("time"))
        .def(
            "is_open", [](const SessionCalendar& self, Nanos time) { return self.is_open(time_of(time)); },
            py::arg("time"))
        .def("next_open", instant(&SessionCalendar::next_open), py::arg("time"))
        .def("next_close", instant(&SessionCalendar::next_close), py::arg("time"))
        .def("previous_open", instant(&SessionCalendar::previous_open), py::arg("time"))
        .def("previous_close", instant(&SessionCalendar::previous_close), py::arg("time"));
}

void bind_grid(py::module_& module) {
    py::class_<BarGrid>(module, "BarGrid", "The periods of bars.")
        .def(py::init([](const std::string& timeframe, const std::shared_ptr<SessionCalendar>& calendar,
                         std::string provider, std::string asset_class, std::string session, const std::string& cut) {
                 return make_grid(timeframe, calendar,
                                  {std::move(provider), std::move(asset_class), std::move(session)}, cut);
             }),
             py::arg("timeframe"), py::arg("calendar"), py::arg("provider"), py::arg("asset_class"), py::arg("session"),
             py::arg("cut"))
        .def(
            "with_timeframe",
            [](const BarGrid& self, const std::string& timeframe) {
                return self.with_timeframe(unwrap(Timeframe::parse(timeframe)));
            },
            py::arg("timeframe"))
        .def(
            "period_of",
            [](const BarGrid& self, Nanos given) {
                const Period period = self.period_of(time_of(given));
                return std::tuple(nanos_of(period.stamp), nanos_of(period.start), nanos_of(period.end));
            },
            py::arg("stamp"))
        .def("ends_of", &ends_of, py::arg("stamps"))
        .def("closed_end", stamp(&BarGrid::closed_end), py::arg("now"))
        .def("floor", stamp(&BarGrid::floor), py::arg("time"))
        .def("next", stamp(&BarGrid::next), py::arg("stamp"))
        .def("stored_stamp", stamp(&BarGrid::stored_stamp), py::arg("providers"))
        .def(
            "range_of",
            [](const BarGrid& self, Days date) {
                const TimeRange range = self.range_of(date_of(date));
                return std::pair(nanos_of(range.start), nanos_of(range.end));
            },
            py::arg("date"))
        .def("expected", &expected, py::arg("start"), py::arg("end"));
}

}  // namespace

void bind_calendar(py::module_& module) {
    bind_sessions(module);
    bind_grid(module);
    module.def("resample", &resample_bars, py::arg("bars"), py::arg("source"), py::arg("target"), py::arg("covered"),
               "Longer bars, and how many were outside of every period or of one that is not covered.");
}

}  // namespace ktrdr::bindings
