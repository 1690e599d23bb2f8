#include <ktrdr/data/planner.hpp>

#include <algorithm>
#include <optional>

namespace ktrdr {
namespace {

/// What stands for a session where no calendar says when the market trades.
constexpr std::chrono::hours day{24};

/// The open of the last session that was over by then.
UtcTime one_session_before(UtcTime time, const BarGrid& grid) {
    const auto close = grid.calendar() ? grid.calendar()->previous_close(time) : std::nullopt;
    const auto open = close ? grid.calendar()->previous_open(*close) : std::nullopt;
    return open.value_or(time - day);
}

/// The close of the first session that opens after that.
UtcTime one_session_behind(UtcTime time, const BarGrid& grid) {
    const auto open = grid.calendar() ? grid.calendar()->next_open(time) : std::nullopt;
    const auto close = open ? grid.calendar()->next_close(*open) : std::nullopt;
    return close.value_or(time + day);
}

std::optional<TimeRange> valid_part(const LedgerEntry& entry, const BarGrid& grid, UtcTime now) {
    if (entry.outcome != AskOutcome::bars && entry.outcome != AskOutcome::empty) {
        return std::nullopt;
    }
    // A provider may publish late: it is asked again for what it did not have then, once one session more is over.
    if (entry.outcome == AskOutcome::empty && entry.range.end > one_session_before(entry.asked_at, grid) &&
        now > one_session_behind(entry.asked_at, grid)) {
        return std::nullopt;
    }
    const TimeRange part{entry.range.start, std::min(entry.range.end, grid.closed_end(entry.asked_at))};
    return part.empty() ? std::nullopt : std::optional(part);
}

/// Whether a bar's period lies in the range, or reaches into it.
bool has_period(TimeRange range, const BarGrid& grid) {
    UtcTime stamp = grid.floor(range.start);
    if (grid.end_of(stamp) <= range.start) {
        stamp = grid.next(stamp);
    }
    return stamp < range.end;
}

}  // namespace

std::vector<TimeRange> missing_ranges(TimeRange range, const SeriesFacts& known, const BarGrid& grid, UtcTime now) {
    std::vector<TimeRange> covered;
    for (const LedgerEntry& entry : known.ledger) {
        if (const auto part = valid_part(entry, grid, now)) {
            covered.push_back(*part);
        }
    }
    std::sort(covered.begin(), covered.end());
    std::vector<TimeRange> missing;
    UtcTime reached = range.start;
    for (const TimeRange& part : covered) {
        if (part.start > reached && reached < range.end) {
            missing.push_back({reached, std::min(part.start, range.end)});
        }
        reached = std::max(reached, part.end);
    }
    const TimeRange rest{reached, range.end};
    const bool behind_all = known.newest_bar && *known.newest_bar < rest.start;
    if (!rest.empty() && (!behind_all || grid.may_begin_in(rest, *known.newest_bar))) {
        missing.push_back(rest);
    }
    std::erase_if(missing, [&grid](const TimeRange& part) { return !has_period(part, grid); });
    return missing;
}

}  // namespace ktrdr
