#include "segment_loader.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/market/time_text.hpp>

#include "answer_errors.hpp"
#include "segment_lease.hpp"

namespace ktrdr {
namespace {

namespace asio = boost::asio;

/// After so many refused segments in a row the rest is not asked for.
constexpr int most_failures_in_row = 3;

/// A source that refuses so many sizes has another reason.
constexpr int most_shrunk_in_row = 3;

/// What is not answered in time is asked for in parts of so much of it, so many times: each costs all the time that an
/// answer may take.
constexpr int late_part = 4;
constexpr int most_late_in_row = 2;

/// Answers of as many bars as this, twice, are no coincidence.
constexpr std::size_t fewest_capped = 10;

std::int64_t status_of(const Error& error) {
    const boost::json::value* const status = error.context.if_contains("status");
    return error.code == Errc::status && status != nullptr && status->is_int64() ? status->get_int64() : 0;
}

AskOutcome outcome_of(const Error& error) {
    const std::int64_t status = status_of(error);
    return status == 401 || status == 403 ? AskOutcome::denied : AskOutcome::failed;
}

/// The source was asked too often.
bool is_pacing(const Error& error) {
    const std::string said = lower_ascii(std::string_view(error.message).substr(0, 1024));
    const std::int64_t status = status_of(error);
    return status == 429 || status == 503 || said.find("pacing") != std::string::npos ||
           said.find("rate limit") != std::string::npos;
}

/// A smaller request may do better.
bool may_be_too_much(const Error& error) {
    const std::int64_t status = status_of(error);
    return error.code == Errc::response_too_large || status == 400 || status == 413 || status == 422 ||
           (error.code == Errc::host_service && !is_pacing(error));
}

/// The source is there, and did not answer this in time. One that cannot be reached in time does not hear the next
/// request either.
bool came_too_late(const Error& error) {
    const boost::json::value* const phase = error.context.if_contains("phase");
    return error.code == Errc::service_timeout &&
           (phase == nullptr || *phase == "first_byte" || *phase == "between_bytes");
}

/// Whether to ask for the rest has a point: there are bars that were not there, or, in a refresh, others took their
/// places, and less is left than was asked for.
bool brings_on(const AskedSegment& asked, const CommittedSegment& committed) {
    if (committed.rows.added > 0) {
        return true;
    }
    if (committed.rows.replaced == 0) {
        return false;
    }
    std::chrono::nanoseconds left{0};
    for (const TimeRange& range : committed.unconfirmed) {
        left += range.end - range.start;
    }
    for (const AskedHole& hole : asked.holes) {
        left -= hole.range.end - hole.range.start;
    }
    return left < std::chrono::nanoseconds{0};
}

bool inside(TimeRange part, TimeRange whole) {
    return part.start >= whole.start && part.end <= whole.end;
}

}  // namespace

SegmentLoader::SegmentLoader(Means means)
    : means_(std::move(means)),
      began_(means_.load.clock.utc_now()),
      pace_(means_.traffic->pace_of(means_.task.key.timeframe, means_.limits)) {}

asio::awaitable<void> SegmentLoader::load(std::vector<TimeRange> missing) {
    std::vector<TimeRange> ranges = std::move(missing);
    if (means_.task.mode == LoadMode::tail && !ranges.empty()) {
        to_come_from_ = ranges.front().start;
    }
    while (!ranges.empty() && going_on()) {
        std::sort(ranges.begin(), ranges.end());
        round_ = round_of(std::move(ranges));
        tell();
        co_await load_all();
        for (const TimeRange& range : round_->planner->left()) {
            loaded_.missing.push_back(range);
        }
        ranges = std::exchange(again_, {});
        first_round_ = false;
    }
    loaded_.missing.insert(loaded_.missing.end(), ranges.begin(), ranges.end());
    if (!ranges.empty() && !loaded_.first_error) {
        loaded_.first_error = put_off_;
    }
}

std::shared_ptr<SegmentLoader::Round> SegmentLoader::round_of(std::vector<TimeRange> missing) const {
    const auto doubted = [this](TimeRange range) {
        return std::any_of(means_.known.ledger.begin(), means_.known.ledger.end(), [range](const LedgerEntry& entry) {
            return did_not_come(entry.outcome) && entry.range.start < range.end && range.start < entry.range.end;
        });
    };
    const RequestPlanner::Order order{
        .newest_first = means_.task.mode == LoadMode::tail,
        .whole_units = !exactly_ && (!first_round_ || std::any_of(missing.begin(), missing.end(), doubted))};
    auto planner = std::make_shared<RequestPlanner>(
        missing, means_.grid, order,
        [store = means_.load.store, key = means_.task.key](TimeRange range) { return store->read(key, range); });
    auto round = std::make_shared<Round>();
    round->left = planner->requests_left(pace().span);
    round->planner = std::move(planner);
    return round;
}

asio::awaitable<void> SegmentLoader::load_all() {
    lanes_ = std::min(std::max<std::size_t>(means_.limits.max_in_flight, 1),
                      round_->planner->requests_left(pace_.shortest_span()));
    all_done_ = std::make_shared<Gate>();
    const auto io = co_await asio::this_coro::executor;
    const std::size_t lanes = lanes_;
    for (std::size_t i = 0; i < lanes; ++i) {
        asio::co_spawn(io, lane(), [self = shared_from_this()](const std::exception_ptr& thrown) {
            if (thrown) {
                self->fail_with(escaped(thrown, "loading a segment"));
            }
            if (--self->lanes_ == 0) {
                self->all_done_->open();
            }
        });
    }
    if (lanes > 0) {
        co_await all_done_->wait();
    }
}

asio::awaitable<void> SegmentLoader::lane() {
    const auto asks = std::make_shared<RequestQueue::Lane>(means_.traffic->queue, means_.asker);
    while (going_on()) {
        std::shared_ptr<Turnstile::Turn> alone;
        if (shrunk_in_row_ > 0) {
            auto turn = co_await trying_.enter(means_.operation->token());
            if (!turn || !going_on()) {
                co_return;
            }
            if (shrunk_in_row_ > 0) {
                alone = std::move(*turn);
            }
        }
        auto next = co_await next_of(round_);
        if (!next) {
            if (going_on()) {
                fail_with(next.error());
            }
            co_return;
        }
        if (!*next) {
            co_return;
        }
        co_await load_one(std::move(**next), asks);
    }
}

asio::awaitable<Result<std::optional<AskedSegment>>> SegmentLoader::next_of(std::shared_ptr<Round> round) {
    const auto turn = co_await round->planning.enter(means_.operation->token());
    if (!turn) {
        co_return turn.error();
    }
    if (const auto alive = means_.operation->token().check("the next segment"); !alive) {
        co_return alive.error();
    }
    if (round->planner->done() || stopped_) {
        co_return std::optional<AskedSegment>{};
    }
    std::function<Result<AskedSegment>()> plan = [planner = round->planner, now = pace()] {
        return planner->next(now);
    };
    auto segment = co_await run_on(means_.load.compute, std::move(plan));
    if (!segment) {
        co_return segment.error();
    }
    round->left = round->planner->requests_left(pace().span);
    ++begun_;
    co_return std::optional(std::move(*segment));
}

RequestPlanner::Pace SegmentLoader::pace() const {
    const auto span = pace_.span();
    return {smaller_ ? std::min(span, *smaller_) : span, pace_.bars_for_a_request()};
}

asio::awaitable<void> SegmentLoader::load_one(AskedSegment asked, std::shared_ptr<RequestQueue::Lane> lane) {
    LeasePatience patience;
    patience.on_wait = [lane](bool waits) { waits ? lane->pause() : lane->resume(); };
    const auto leased = co_await lease_segment(means_.load.store, means_.task.key, asked.range(),
                                               means_.operation->token(), std::move(patience));
    if (!leased) {
        miss(asked, leased.error());
        co_return;
    }
    if (const auto alive = means_.operation->token().check("a segment"); !alive) {
        miss(asked, alive.error());
        co_return;
    }
    const auto rest = co_await still_missing(asked.range());
    if (!rest) {
        fail_with(rest.error());
        co_return;
    }
    if (!*rest) {
        co_await ask(std::move(asked));
        co_return;
    }
    std::erase_if(loaded_.unconfirmed, [&asked](TimeRange part) { return inside(part, asked.range()); });
    ++loaded_.committed;
    const auto round = round_of(**rest);
    for (;;) {
        auto next = co_await next_of(round);
        if (!next) {
            fail_with(next.error());
            co_return;
        }
        if (!*next) {
            break;
        }
        co_await ask(std::move(**next));
    }
    for (const TimeRange& range : round->planner->left()) {
        loaded_.missing.push_back(range);
    }
    tell();
}

asio::awaitable<Result<SegmentLoader::Rest>> SegmentLoader::still_missing(TimeRange range) {
    if (means_.task.refresh) {
        co_return Rest{};
    }
    const UtcTime now = means_.load.clock.utc_now();
    std::function<Result<Rest>()> look = [store = means_.load.store, key = means_.task.key, &known = means_.known,
                                          grid = means_.grid, range, now]() -> Result<Rest> {
        auto facts = store->facts(key);
        if (!facts) {
            return facts.error();
        }
        // Bars that this load has brought behind the last one make nothing else of what is missing.
        facts->newest_bar = known.newest_bar;
        auto missing = missing_ranges(range, *facts, grid, now);
        const bool as_planned = missing == missing_ranges(range, known, grid, now);
        return as_planned ? Rest{} : Rest{std::move(missing)};
    };
    co_return co_await run_on(means_.load.compute, std::move(look));
}

asio::awaitable<void> SegmentLoader::ask(AskedSegment planned) {
    const auto asked = std::make_shared<const AskedSegment>(std::move(planned));
    const UtcTime asked_at = means_.load.clock.utc_now();
    auto turn = co_await means_.traffic->queue->enter(means_.asker, means_.operation->token());
    if (!turn) {
        miss(*asked, turn.error());
        co_return;
    }
    if (put_aside(*asked)) {
        co_return;
    }
    const auto judged = co_await fetch(asked, asked_at, std::move(*turn));
    if (!judged && !is_answer(judged.error().code)) {
        miss(*asked, judged.error());
        co_return;
    }
    if (const auto alive = means_.operation->token().check("storing a segment"); !alive) {
        miss(*asked, alive.error());
        co_return;
    }
    const auto segment = std::make_shared<Segment>();
    if (judged) {
        *segment = judged->segment;
    } else {
        segment->range = asked->range();
        for (const AskedHole& hole : asked->holes) {
            segment->entries.push_back({hole.range, outcome_of(judged.error()), asked_at});
        }
    }
    if (const auto from = std::exchange(to_come_from_, std::nullopt); from && *from < asked->range().start) {
        // So that the next tail begins there, should this load not get so far.
        segment->entries.insert(segment->entries.begin(),
                                LedgerEntry{{*from, asked->range().start}, AskOutcome::failed, asked_at});
    }
    std::function<Result<CommittedSegment>()> commit = [store = means_.load.store, key = means_.task.key, segment,
                                                        began = began_] {
        return store->commit_segment(key, *segment, began);
    };
    const auto committed = co_await run_on(means_.load.store_executor, std::move(commit));
    if (!committed) {
        fail_with(committed.error());
        co_return;
    }
    for (const LedgerEntry& entry : segment->entries) {
        loaded_.noted.push_back(entry.range);
    }
    if (!judged) {
        miss(*asked, judged.error());
    } else {
        note(*asked, *judged, *committed);
    }
}

/// While a request waited for its turn, others may have shown that it is no use: they took all the time that an answer
/// may take, and so would this one.
bool SegmentLoader::put_aside(const AskedSegment& asked) {
    const bool too_much = shrunk_in_row_ > 0 && smaller_ && asked.asked.end - asked.asked.start > *smaller_;
    if (!stopped_ && !too_much) {
        return false;
    }
    std::vector<TimeRange>& ranges = stopped_ ? loaded_.missing : again_;
    for (const AskedHole& hole : asked.holes) {
        ranges.push_back(hole.range);
    }
    begun_ -= stopped_ ? 0 : 1;
    return true;
}

asio::awaitable<Result<Judged>> SegmentLoader::fetch(std::shared_ptr<const AskedSegment> asked, UtcTime asked_at,
                                                     std::shared_ptr<RequestQueue::Turn> turn) {
    const SeriesKey& key = means_.task.key;
    const SteadyTime sent = means_.load.clock.now();
    const UtcTime sent_at = means_.load.clock.utc_now();
    const auto source = means_.load.source;
    const auto answer = std::make_shared<Result<SourceAnswer>>(SourceAnswer{});
    *answer = co_await source->fetch(key.symbol, key.timeframe, asked->asked, means_.call);
    compare_clocks(sent_at, *answer);
    measure(*turn, *answer, means_.load.clock.now() - sent);
    turn.reset();
    if (!*answer) {
        co_return answer->error();
    }
    if (const auto alive = means_.operation->token().check("an answer that has come"); !alive) {
        co_return alive.error();
    }
    std::function<Result<Judged>()> look = [answer, asked, grid = means_.grid, asked_at,
                                            provider = means_.task.key.provider] {
        return judge(std::move(**answer), *asked, grid, asked_at, provider);
    };
    co_return co_await run_on(means_.load.compute, std::move(look));
}

/// The provider looked at its clock at some time between the request and its answer.
void SegmentLoader::compare_clocks(UtcTime sent, const Result<SourceAnswer>& answer) {
    if (!answer || !answer->provider_now) {
        return;
    }
    constexpr std::chrono::seconds told_to{1};
    const UtcTime theirs = *answer->provider_now;
    const UtcTime came = means_.load.clock.utc_now();
    std::chrono::nanoseconds apart{0};
    if (theirs > came) {
        apart = theirs - came;
    } else if (theirs + told_to < sent) {
        apart = theirs - sent;
    }
    if (std::chrono::abs(apart) > std::chrono::abs(loaded_.clocks_apart)) {
        loaded_.clocks_apart = apart;
    }
}

void SegmentLoader::measure(const RequestQueue::Turn& turn, const Result<SourceAnswer>& answer,
                            RequestPace::Seconds took) {
    if (!answer) {
        if (is_pacing(answer.error()) || came_too_late(answer.error())) {
            turn.was_slow();
        }
        return;
    }
    const RequestPace::Speed speed = pace_.answered(answer->bars.size(), took);
    if (speed == RequestPace::Speed::fast) {
        turn.was_fast();
    } else if (speed == RequestPace::Speed::slow) {
        turn.was_slow();
    }
}

void SegmentLoader::tell() {
    loaded_.planned = begun_ + (round_ ? round_->left : 0);
    means_.announce(loaded_);
}

void SegmentLoader::fail_with(Error error) {
    stopped_ = true;
    if (!loaded_.fatal) {
        loaded_.fatal = std::move(error);
    }
}

void SegmentLoader::miss(const AskedSegment& asked, Error error) {
    std::vector<TimeRange>& ranges = worth_another(asked, error) ? again_ : loaded_.missing;
    for (const AskedHole& hole : asked.holes) {
        ranges.push_back(hole.range);
    }
    if (&ranges == &again_) {
        --begun_;
        loaded_.refused_once = true;
        put_off_ = std::move(error);
        return;
    }
    ++failures_in_row_;
    stopped_ = stopped_ || !is_answer(error.code) || failures_in_row_ >= most_failures_in_row;
    if (!loaded_.first_error) {
        loaded_.first_error = std::move(error);
    }
}

bool SegmentLoader::worth_another(const AskedSegment& asked, const Error& error) {
    if (!going_on()) {
        return false;
    }
    if (is_answer(error.code) && is_pacing(error)) {
        return first_round_ && ++failures_in_row_ < most_failures_in_row;
    }
    const bool late = came_too_late(error);
    const auto span = asked.asked.end - asked.asked.start;
    if (!(late || may_be_too_much(error)) || span <= pace_.shortest_span()) {
        return false;
    }
    const auto part = std::max(pace_.shortest_span(), span / (late ? late_part : 2));
    // It was sent before others were refused.
    if (smaller_ && part >= *smaller_) {
        return true;
    }
    smaller_ = part;
    const bool again = ++shrunk_in_row_ <= (late ? most_late_in_row : most_shrunk_in_row);
    if (late && again) {
        means_.warn(fmt::format("{} to {} was not answered in time: it is asked for in parts of {:.3g} days",
                                format_time(asked.asked.start), format_time(asked.asked.end),
                                std::chrono::duration<double, std::chrono::days::period>(part).count()));
    }
    return again;
}

void SegmentLoader::note(const AskedSegment& asked, const Judged& judged, const CommittedSegment& committed) {
    failures_in_row_ = 0;
    shrunk_in_row_ = 0;
    ++loaded_.committed;
    loaded_.bars += static_cast<std::int64_t>(judged.segment.bars.size());
    const auto in_a_hole = [&asked](UtcTime start) {
        return std::any_of(asked.holes.begin(), asked.holes.end(),
                           [start](const AskedHole& hole) { return hole.range.contains(start); });
    };
    if (!judged.partial.empty()) {
        loaded_.partial.emplace_back(asked.range(), judged.partial);
    }
    std::copy_if(judged.dropped.begin(), judged.dropped.end(), std::back_inserter(loaded_.dropped),
                 [&in_a_hole](const auto& row) { return in_a_hole(row.start); });
    if (const Bars& bars = judged.segment.bars; !bars.empty()) {
        loaded_.oldest = std::min(loaded_.oldest.value_or(bars.start_of(0)), bars.start_of(0));
    }
    if (!judged.mended.empty()) {
        loaded_.mended.insert(judged.mended);
    }
    loaded_.off_grid.insert(loaded_.off_grid.end(), judged.off_grid.begin(), judged.off_grid.end());
    loaded_.revised += judged.revised;
    loaded_.stamped_inside = loaded_.stamped_inside ? loaded_.stamped_inside : judged.stamped_inside;
    std::erase_if(loaded_.unconfirmed, [&asked](TimeRange part) { return inside(part, asked.range()); });
    loaded_.unconfirmed.insert(loaded_.unconfirmed.end(), committed.unconfirmed.begin(), committed.unconfirmed.end());
    if (!first_round_) {
        loaded_.brought_late += committed.rows.added;
    }
    if (brings_on(asked, committed)) {
        again_.insert(again_.end(), committed.unconfirmed.begin(), committed.unconfirmed.end());
    }
    if (!judged.not_reached.empty()) {
        exactly_ = true;
        again_.insert(again_.end(), judged.not_reached.begin(), judged.not_reached.end());
    }
    learn_span(asked, judged, committed);
    tell();
}

/// Where answers hold as many bars, and less than what was asked for, requests ask for no more than that; and where
/// only smaller ones are not refused, for those.
void SegmentLoader::learn_span(const AskedSegment& asked, const Judged& judged, const CommittedSegment& committed) {
    const std::chrono::nanoseconds length = asked.asked.end - asked.asked.start;
    const std::chrono::nanoseconds came = judged.came.end - judged.came.start;
    if (committed.unconfirmed.empty()) {
        pace_.came_whole(length);
    } else if (brings_on(asked, committed) && came < length / 4 * 3) {
        if (judged.bars_came == held_ && held_ >= fewest_capped) {
            smaller_ = std::max(pace_.shortest_span(), std::min(came, pace().span));
        }
        held_ = judged.bars_came;
    }
    if (smaller_ && length <= *smaller_ && *smaller_ < pace_.span()) {
        pace_.hold_to(*smaller_);
    }
}

}  // namespace ktrdr
