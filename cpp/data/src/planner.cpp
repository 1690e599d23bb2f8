#include <ktrdr/data/planner.hpp>

#include <algorithm>
#include <optional>

namespace ktrdr {
namespace {

/// A provider may publish late: it is asked again for what it did not have on the day itself.
constexpr std::chrono::hours session{24};

std::optional<TimeRange> valid_part(const LedgerEntry& entry, const BarGrid& grid, UtcTime now) {
    if (entry.outcome != AskOutcome::bars && entry.outcome != AskOutcome::empty) {
        return std::nullopt;
    }
    const bool near_then = entry.range.end > entry.asked_at - session;
    if (entry.outcome == AskOutcome::empty && near_then && now - entry.asked_at > session) {
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
