#include "segment_loader.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/market/time_text.hpp>

#include "answer_errors.hpp"
#include "proof.hpp"
#include "seam.hpp"
#include "segment_lease.hpp"
#include "spawned.hpp"

namespace ktrdr {
namespace {

namespace asio = boost::asio;

/// After so many refused segments in a row the rest is not asked for.
constexpr int most_failures_in_row = 3;

AskOutcome outcome_of(const Error& error) {
    const boost::json::value* const status = error.context.if_contains("status");
    const bool forbidden =
        status != nullptr && status->is_int64() && ((status->get_int64() == 401 || status->get_int64() == 403));
    return error.code == Errc::status && forbidden ? AskOutcome::denied : AskOutcome::failed;
}

/// Whoever writes a source may be mistaken; only bars that are in order and were asked for are taken.
Result<SourceAnswer> checked(Result<SourceAnswer> answer, TimeRange asked, const std::string& provider) {
    if (!answer) {
        return answer;
    }
    const auto broken = [&provider](const std::string& how) {
        return fail(Errc::protocol, fmt::format("the source {} answered {}", provider, how), {{"source", provider}});
    };
    if (const auto sound = answer->bars.check(); !sound) {
        return broken("with bars that cannot be: " + sound.error().message);
    }
    const std::size_t came = answer->bars.size();
    const UtcTime first = came == 0 ? UtcTime{} : answer->bars.start_of(0);
    answer->bars = answer->bars.slice(asked);
    if (came > 0 && answer->bars.empty()) {
        return broken(fmt::format("with bars from {} on when it was asked for {} to {}", format_time(first),
                                  format_time(asked.start), format_time(asked.end)));
    }
    std::erase_if(answer->dropped, [asked](const auto& row) { return !asked.contains(row.start); });
    return answer;
}

/// The bars of its range, and of those beside it what is not stored.
void take_bars(const AskedSegment& asked, const Bars& came, Segment& segment) {
    const auto is_stored = [&asked](std::int64_t stamp) {
        return std::binary_search(asked.before.time.begin(), asked.before.time.end(), stamp) ||
               std::binary_search(asked.behind.time.begin(), asked.behind.time.end(), stamp);
    };
    segment.range = asked.asked;
    for (std::size_t i = 0; i < came.size(); ++i) {
        if (asked.range.contains(came.start_of(i)) || !is_stored(came.time[i])) {
            segment.bars.push_back(came.time[i], came.open[i], came.high[i], came.low[i], came.close[i],
                                   came.volume[i]);
        }
    }
}

/// Breaks of the basis at the ends of what is stored now, and where there are none any more.
void judge_basis(const AskedSegment& asked, const Seam& before, const Seam& behind, UtcTime now, Segment& segment) {
    const Bars fresh = segment.bars.slice(asked.range);
    if (fresh.empty()) {
        return;
    }
    const UtcTime first = fresh.start_of(0);
    const bool start_unknown = !asked.before.empty() && before.kind == Seam::Kind::unknown;
    segment.one_basis.start = start_unknown ? first + std::chrono::nanoseconds{1} : asked.range.start;
    segment.one_basis.end = asked.range.end;
    if (before.kind == Seam::Kind::rebased) {
        segment.breaks.push_back({first, before.ratio, now});
    }
    if (behind.kind != Seam::Kind::unknown) {
        const UtcTime next = asked.behind.start_of(0);
        segment.one_basis.end = next + std::chrono::nanoseconds{1};
        if (behind.kind == Seam::Kind::rebased) {
            segment.breaks.push_back({next, 1 / behind.ratio, now});
        }
    }
}

}  // namespace

asio::awaitable<void> SegmentLoader::load(std::vector<TimeRange> missing) {
    std::vector<TimeRange> round = std::move(missing);
    while (!round.empty() && !stopped_ && !means_.operation->token().is_cancelled()) {
        auto planned = co_await means_.plan(std::move(round));
        if (!planned) {
            fail_with(planned.error());
            co_return;
        }
        co_await load_all(std::move(*planned));
        round = std::exchange(again_, {});
        first_round_ = false;
    }
}

asio::awaitable<void> SegmentLoader::load_all(std::vector<AskedSegment> segments) {
    segments_ = std::move(segments);
    next_ = 0;
    loaded_.planned += segments_.size();
    means_.announce(loaded_);
    lanes_ = std::min(std::max<std::size_t>(means_.most_in_flight, 1), segments_.size());
    if (lanes_ > 0) {
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
        co_await all_done_->wait();
    }
    for (; next_ < segments_.size(); ++next_) {
        loaded_.missing.push_back(segments_[next_].range);
    }
}

asio::awaitable<void> SegmentLoader::lane() {
    while (!stopped_ && next_ < segments_.size() && !means_.operation->token().is_cancelled()) {
        co_await load_one(segments_[next_++]);
    }
}

asio::awaitable<void> SegmentLoader::load_one(AskedSegment asked) {
    const auto leased =
        co_await lease_segment(means_.load.store, means_.task.key, asked.range, means_.operation->token());
    if (!leased) {
        miss(asked.range, leased.error());
        co_return;
    }
    const auto rest = co_await still_missing(asked.range);
    if (!rest) {
        fail_with(rest.error());
        co_return;
    }
    if (!*rest) {
        co_await ask(std::move(asked));
        co_return;
    }
    auto planned = co_await means_.plan(**rest);
    if (!planned) {
        fail_with(planned.error());
        co_return;
    }
    std::erase_if(loaded_.unconfirmed,
                  [&asked](TimeRange part) { return part.start >= asked.range.start && part.end <= asked.range.end; });
    loaded_.planned += planned->size();
    ++loaded_.committed;
    means_.announce(loaded_);
    for (AskedSegment& segment : *planned) {
        if (stopped_) {
            loaded_.missing.push_back(segment.range);
        } else {
            co_await ask(std::move(segment));
        }
    }
}

asio::awaitable<Result<SegmentLoader::Rest>> SegmentLoader::still_missing(TimeRange range) {
    if (means_.task.refresh) {
        co_return Rest{};
    }
    std::function<Result<SeriesFacts>()> read = [store = means_.load.store, key = means_.task.key] {
        return store->facts(key);
    };
    auto facts = co_await run_on(means_.load.compute, std::move(read));
    if (!facts) {
        co_return facts.error();
    }
    // Bars that this load has brought behind the last one make nothing else of what is missing.
    facts->newest_bar = means_.known.newest_bar;
    const UtcTime now = means_.load.clock.utc_now();
    auto missing = missing_ranges(range, *facts, means_.grid, now);
    const bool as_planned = missing == missing_ranges(range, means_.known, means_.grid, now);
    co_return as_planned ? Rest{} : Rest{std::move(missing)};
}

asio::awaitable<void> SegmentLoader::ask(AskedSegment asked) {
    const SeriesKey& key = means_.task.key;
    const UtcTime asked_at = means_.load.clock.utc_now();
    const auto source = means_.load.source;
    auto fetched = checked(co_await source->fetch(key.symbol, key.timeframe, asked.asked, means_.call), asked.asked,
                           source->provider());
    if (!fetched && !is_answer(fetched.error().code)) {
        miss(asked.range, fetched.error());
        co_return;
    }
    const auto segment = std::make_shared<Segment>();
    segment->range = asked.range;
    if (fetched) {
        const Seam before = compare(asked.before, fetched->bars);
        const Seam behind = compare(asked.behind, fetched->bars);
        for (const Seam& seam : {before, behind}) {
            loaded_.revised += seam.kind == Seam::Kind::revised ? seam.different : 0;
        }
        take_bars(asked, fetched->bars, *segment);
        judge_basis(asked, before, behind, asked_at, *segment);
        const bool lacks_stored = (!asked.before.empty() && before.kind == Seam::Kind::unknown) ||
                                  (!asked.behind.empty() && behind.kind == Seam::Kind::unknown);
        Proof proof = prove(*fetched, asked.range, means_.grid, asked_at, lacks_stored);
        segment->entries = std::move(proof.entries);
        loaded_.off_grid.insert(loaded_.off_grid.end(), proof.off_grid.begin(), proof.off_grid.end());
    } else {
        segment->entries = {{asked.range, outcome_of(fetched.error()), asked_at}};
    }
    std::function<Result<CommittedSegment>()> commit = [store = means_.load.store, key, segment, began = began_] {
        return store->commit_segment(key, *segment, began);
    };
    const auto committed = co_await run_on(means_.load.store_executor, std::move(commit));
    if (!committed) {
        fail_with(committed.error());
    } else if (!fetched) {
        miss(asked.range, fetched.error());
    } else {
        note(asked, *fetched, *segment, *committed);
    }
}

void SegmentLoader::fail_with(Error error) {
    stopped_ = true;
    if (!loaded_.fatal) {
        loaded_.fatal = std::move(error);
    }
}

void SegmentLoader::miss(TimeRange range, Error error) {
    loaded_.missing.push_back(range);
    ++failures_in_row_;
    stopped_ = stopped_ || !is_answer(error.code) || failures_in_row_ >= most_failures_in_row;
    if (!loaded_.first_error) {
        loaded_.first_error = std::move(error);
    }
}

void SegmentLoader::note(const AskedSegment& asked, const SourceAnswer& answer, const Segment& stored,
                         const CommittedSegment& committed) {
    failures_in_row_ = 0;
    ++loaded_.committed;
    loaded_.bars += static_cast<std::int64_t>(stored.bars.size());
    if (!answer.partial.empty()) {
        loaded_.partial.emplace_back(asked.range, answer.partial);
    }
    const auto inside = [&asked](const auto& row) { return asked.range.contains(row.start); };
    std::copy_if(answer.dropped.begin(), answer.dropped.end(), std::back_inserter(loaded_.dropped), inside);
    const auto covers = [&asked](TimeRange part) {
        return part.start >= asked.range.start && part.end <= asked.range.end;
    };
    std::erase_if(loaded_.unconfirmed, covers);
    loaded_.unconfirmed.insert(loaded_.unconfirmed.end(), committed.unconfirmed.begin(), committed.unconfirmed.end());
    if (!first_round_) {
        loaded_.brought_late += committed.rows.added;
    }
    if (committed.rows.added > 0) {
        again_.insert(again_.end(), committed.unconfirmed.begin(), committed.unconfirmed.end());
    }
    means_.announce(loaded_);
}

}  // namespace ktrdr
