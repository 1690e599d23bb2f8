#include <ktrdr/runtime/asked_source.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/data/series_words.hpp>
#include <ktrdr/data/source_check.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

namespace asio = boost::asio;

std::size_t most_at_once(const SourceProfile& profile) {
    std::size_t most = profile.limits.empty() ? SourceLimits{}.max_in_flight : 1;
    for (const auto& [timeframe, limits] : profile.limits) {
        most = std::max(most, limits.max_in_flight);
    }
    return most;
}

Error bad(std::string_view field, std::string message) {
    return fail(Errc::invalid_argument, std::move(message), {{"field", field}});
}

}  // namespace

std::string_view to_string(SourceQuestion::Kind kind) noexcept {
    switch (kind) {
        case SourceQuestion::Kind::validate_symbol: return "validate_symbol";
        case SourceQuestion::Kind::first_timestamp: return "first_timestamp";
        case SourceQuestion::Kind::fetch: return "fetch";
    }
    return "";
}

SourceAsk::~SourceAsk() {
    survive("runtime", "letting go of a question to a source", [this] {
        settle(fail(Errc::service_connection,
                    fmt::format("{}: the question was dropped without an answer", question_.asked),
                    {{"asked", question_.asked}}));
    });
}

void SourceAsk::warn(const std::string& text) {
    if (!warn_ || forks_ != forks_so_far()) {
        return;
    }
    {
        const std::scoped_lock lock(pending_->mutex);
        if (pending_->outcome) {
            return;
        }
    }
    warn_(text);
}

void SourceAsk::answer(Result<Value> given) {
    settle(given ? checked(std::move(*given)) : std::move(given));
}

Result<SourceAsk::Value> SourceAsk::checked(Value given) const {
    if (given.index() != static_cast<std::size_t>(question_.kind)) {
        return fail(Errc::protocol, fmt::format("{}: the answer is one to another question", question_.asked),
                    {{"asked", question_.asked}});
    }
    auto* const bars = std::get_if<SourceAnswer>(&given);
    if (bars == nullptr) {
        return given;
    }
    auto answer = checked_answer(
        std::move(*bars),
        {.grid = question_.grid, .segment = question_.segment, .now = clock_.utc_now(), .asked = question_.asked});
    if (!answer) {
        return answer.error();
    }
    return Value(std::move(*answer));
}

void SourceAsk::settle(Result<Value> outcome) {
    if (forks_ != forks_so_far()) {
        return;  // Nobody waits in a forked child, and a lock may be held there for ever.
    }
    {
        const std::scoped_lock lock(pending_->mutex);
        if (pending_->outcome) {
            return;
        }
        pending_->outcome.emplace(std::move(outcome));
    }
    io_.post([pending = pending_] { pending->gate.open(); });
}

Result<void> check_profile(const SourceProfile& profile) {
    if (auto checked = check_provider(profile.provider); !checked) {
        return checked;
    }
    if (profile.patience <= std::chrono::nanoseconds{0}) {
        return bad("answer_within", fmt::format("answer_within of {} must be more than 0 seconds", profile.name));
    }
    for (const auto& [timeframe, limits] : profile.limits) {
        if (limits.max_span <= std::chrono::nanoseconds{0} || limits.max_in_flight < 1) {
            return bad("describe", fmt::format("{}.describe({}) must give a max_span above 0 and a max_in_flight of at "
                                               "least 1",
                                               profile.name, timeframe));
        }
    }
    return {};
}

AskedSource::AskedSource(SourceProfile profile, std::shared_ptr<Mailbox> mailbox, std::uint64_t key, Executor& io,
                         const Clock& clock)
    : profile_(std::move(profile)),
      mailbox_(std::move(mailbox)),
      key_(key),
      io_(io),
      clock_(clock),
      turns_(most_at_once(profile_)) {}

AskedSource::~AskedSource() {
    if (forks_ == forks_so_far()) {
        survive("runtime", "the end of a source",
                [this] { mailbox_->post({Mail::Kind::finished, key_, {}, std::nullopt}); });
    }
}

SourceLimits AskedSource::describe(const Timeframe& timeframe) const {
    const auto found = profile_.limits.find(std::string(timeframe.name()));
    return found == profile_.limits.end() ? SourceLimits{} : found->second;
}

SourceQuestion AskedSource::question(SourceQuestion::Kind kind, std::string symbol, const Timeframe& timeframe,
                                     TimeRange segment, const SeriesKind& series) const {
    const std::string range = kind == SourceQuestion::Kind::fetch
                                  ? fmt::format(", {}, {}", format_time(segment.start), format_time(segment.end))
                                  : std::string();
    std::string asked = fmt::format("{}.{}({}, {}{})", profile_.name, to_string(kind), symbol, timeframe.name(), range);
    return {.kind = kind,
            .symbol = std::move(symbol),
            .timeframe = timeframe,
            .segment = segment,
            .series = series,
            .asked = std::move(asked)};
}

Result<void> AskedSource::check_kind(const SeriesKind& kind) const {
    SeriesKind untold = kind;
    if (profile_.takes_shows) {
        untold.what_to_show = usual_show(kind.instrument_type);
    }
    if (profile_.takes_sessions) {
        untold.session = SeriesKind{}.session;
    }
    return BarSource::check_kind(untold);
}

asio::awaitable<Result<SourceAsk::Value>> AskedSource::ask(SourceQuestion question, SourceCall call) {
    if (const auto refused = profile_.refused.find(std::string(question.timeframe.name()));
        refused != profile_.refused.end()) {
        co_return refused->second;
    }
    const auto turn = co_await turns_.enter(call.token);
    if (!turn) {
        co_return turn.error();
    }
    const CancellationToken token = call.token.child(profile_.patience);
    const auto pending = std::make_shared<SourceAsk::Pending>();
    const std::string asked = question.asked;
    Mail mail = reply_mail<std::shared_ptr<SourceAsk>>(
        key_, std::make_shared<SourceAsk>(std::move(question), token, pending, call.warn, io_, clock_));
    mail.kind = Mail::Kind::part;
    mailbox_->post(std::move(mail));
    {
        const CancelRegistration registration =
            token.on_cancel([pending](const CancelReason&) { pending->gate.open(); });
        co_await pending->gate.wait();
    }
    if (const auto alive = call.token.check(asked); !alive) {
        co_return alive.error();
    }
    const std::scoped_lock lock(pending->mutex);
    // A method that was given up may have said that it was, before this is awake.
    if (!pending->outcome || (token.is_cancelled() && !*pending->outcome)) {
        const auto seconds = std::chrono::duration<double>(profile_.patience).count();
        co_return fail(
            Errc::service_timeout,
            fmt::format("{}: no answer within {:g} s: look at what it waits for, or set answer_within", asked, seconds),
            {{"asked", asked}, {"seconds", seconds}});
    }
    co_return std::move(*pending->outcome);
}

asio::awaitable<Result<Contract>> AskedSource::validate_symbol(std::string symbol, Timeframe timeframe,
                                                               SourceCall call) {
    SourceQuestion asked = question(SourceQuestion::Kind::validate_symbol, std::move(symbol), timeframe, {}, call.kind);
    auto answer = co_await ask(std::move(asked), std::move(call));
    if (!answer) {
        co_return answer.error();
    }
    co_return std::get<Contract>(std::move(*answer));
}

asio::awaitable<Result<std::optional<UtcTime>>> AskedSource::first_timestamp(std::string symbol, Timeframe timeframe,
                                                                             SourceCall call) {
    SourceQuestion asked = question(SourceQuestion::Kind::first_timestamp, std::move(symbol), timeframe, {}, call.kind);
    const auto answer = co_await ask(std::move(asked), std::move(call));
    if (!answer) {
        co_return answer.error();
    }
    co_return std::get<std::optional<UtcTime>>(*answer);
}

asio::awaitable<Result<SourceAnswer>> AskedSource::fetch(std::string symbol, Timeframe timeframe, TimeRange segment,
                                                         SourceCall call) {
    SourceQuestion asked = question(SourceQuestion::Kind::fetch, std::move(symbol), timeframe, segment, call.kind);
    asked.grid = call.grid_of(timeframe);
    auto answer = co_await ask(std::move(asked), std::move(call));
    if (!answer) {
        co_return answer.error();
    }
    co_return std::get<SourceAnswer>(std::move(*answer));
}

}  // namespace ktrdr
