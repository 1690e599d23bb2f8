#include "proof.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

namespace ktrdr {
namespace {

/// The ledger has a place of its own for the period of each; of more the whole range is asked for again.
constexpr std::size_t most_dropped_rows = 16;

/// So many stretches of one answer are asked for apart from each other; of more, what they span at once.
constexpr std::size_t most_stretches = 64;

/// A part of the range that is not plainly covered.
struct Doubt {
    TimeRange part{};
    AskOutcome outcome{AskOutcome::unconfirmed};
};

void doubt(std::vector<Doubt>& doubts, TimeRange part, TimeRange range, AskOutcome outcome) {
    part = {std::max(part.start, range.start), std::min(part.end, range.end)};
    if (!part.empty()) {
        doubts.push_back({part, outcome});
    }
}

/// When what came begins, oldest first: bars, and rows that could not be used.
std::vector<UtcTime> starts_of(const SourceAnswer& answer) {
    std::vector<UtcTime> starts;
    starts.reserve(answer.bars.size() + answer.dropped.size());
    for (std::size_t i = 0; i < answer.bars.size(); ++i) {
        starts.push_back(answer.bars.start_of(i));
    }
    for (const SourceAnswer::DroppedRow& row : answer.dropped) {
        starts.push_back(row.start);
    }
    std::sort(starts.begin(), starts.end());
    return starts;
}

/// The stretches of bars that were expected and did not come.
std::vector<TimeRange> absent(const std::vector<UtcTime>& expected, const std::vector<UtcTime>& came,
                              const BarGrid& grid) {
    std::vector<TimeRange> stretches;
    bool going_on = false;
    for (const UtcTime stamp : expected) {
        if (std::binary_search(came.begin(), came.end(), stamp)) {
            going_on = false;
        } else if (going_on) {
            stretches.back().end = grid.end_of(stamp);
        } else {
            stretches.push_back({stamp, grid.end_of(stamp)});
            going_on = true;
        }
    }
    if (stretches.size() > most_stretches) {
        stretches = {{stretches.front().start, stretches.back().end}};
    }
    return stretches;
}

/// Without a calendar: what came proves nothing of what lies before and behind it.
std::vector<TimeRange> outside(const std::vector<UtcTime>& came, TimeRange range, const BarGrid& grid) {
    if (came.empty()) {
        return {range};
    }
    std::vector<TimeRange> ends;
    const TimeRange head{range.start, std::min(came.front(), range.end)};
    if (!head.empty() && grid.may_begin_in(head, came.front())) {
        ends.push_back(head);
    }
    // A session's first bar may be shorter than its length says, and another begin inside of what that says.
    const bool intraday = grid.timeframe().is_intraday();
    const UtcTime last = came.back();
    const UtcTime soonest = intraday ? last + std::chrono::minutes{1} : grid.end_of(last);
    const bool begins_a_session = intraday && (came.size() == 1 || grid.end_of(came[came.size() - 2]) != last);
    const TimeRange tail{std::max(range.start, begins_a_session ? soonest : grid.end_of(last)), range.end};
    if (!tail.empty() && grid.may_begin_in(tail, last)) {
        ends.push_back({std::max(range.start, soonest), range.end});
    }
    return ends;
}

std::vector<LedgerEntry> entries_of(std::vector<Doubt> doubts, TimeRange range, AskOutcome rest, UtcTime asked_at) {
    std::sort(doubts.begin(), doubts.end(), [](const Doubt& a, const Doubt& b) { return a.part < b.part; });
    std::vector<LedgerEntry> entries;
    UtcTime reached = range.start;
    const auto add = [&](TimeRange part, AskOutcome outcome) {
        if (!part.empty()) {
            entries.push_back({part, outcome, asked_at});
            reached = part.end;
        }
    };
    for (const auto& [part, outcome] : doubts) {
        add({reached, part.start}, rest);
        add({std::max(reached, part.start), part.end}, outcome);
    }
    add({reached, range.end}, rest);
    return entries;
}

}  // namespace

Proof prove(const SourceAnswer& answer, TimeRange range, const BarGrid& grid, UtcTime asked_at, bool cut_off) {
    if (!answer.partial.empty() || answer.dropped.size() > most_dropped_rows) {
        return {.entries = {{range, AskOutcome::failed, asked_at}}};
    }
    Proof proof;
    std::vector<Doubt> doubts;
    for (const SourceAnswer::DroppedRow& row : answer.dropped) {
        doubt(doubts, {row.start, grid.end_of(row.start)}, range, AskOutcome::failed);
    }
    const std::vector<UtcTime> came = starts_of(answer);
    const auto expected = grid.expected(range);
    if (expected) {
        std::copy_if(came.begin(), came.end(), std::back_inserter(proof.off_grid), [&](UtcTime start) {
            return range.contains(start) && !std::binary_search(expected->begin(), expected->end(), start);
        });
    }
    const bool by_calendar = expected && proof.off_grid.empty();
    const std::vector<TimeRange> parts = by_calendar ? absent(*expected, came, grid) : outside(came, range, grid);
    const bool any = std::any_of(came.begin(), came.end(), [range](UtcTime start) { return range.contains(start); });
    for (const TimeRange& part : parts) {
        const bool inside = !came.empty() && came.front() < part.start && came.back() >= part.end;
        const bool silent = inside || (!any && !cut_off);
        doubt(doubts, part, range, silent ? AskOutcome::silent : AskOutcome::unconfirmed);
    }
    proof.entries = entries_of(std::move(doubts), range, any ? AskOutcome::bars : AskOutcome::empty, asked_at);
    return proof;
}

}  // namespace ktrdr
