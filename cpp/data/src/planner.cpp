#include <ktrdr/data/planner.hpp>

#include <algorithm>
#include <optional>

namespace ktrdr {
namespace {

/// A provider may publish late: it is asked again for what it did not have on the day itself.
constexpr std::chrono::hours session{24};

std::optional<TimeRange> valid_part(const LedgerEntry& entry, const Timeframe& timeframe, UtcTime now) {
    if (entry.outcome != AskOutcome::bars && entry.outcome != AskOutcome::empty) {
        return std::nullopt;
    }
    const bool near_then = entry.range.end > entry.asked_at - session;
    if (entry.outcome == AskOutcome::empty && near_then && now - entry.asked_at > session) {
        return std::nullopt;
    }
    const TimeRange part{entry.range.start, std::min(entry.range.end, closed_end(timeframe, entry.asked_at))};
    return part.empty() ? std::nullopt : std::optional(part);
}

}  // namespace

UtcTime closed_end(const Timeframe& timeframe, UtcTime now) {
    using namespace std::chrono;
    if (timeframe.unit() == Timeframe::Unit::day) {
        return floor<days>(now);
    }
    nanoseconds length = timeframe.close_of(now) - now;
    if (timeframe.unit() == Timeframe::Unit::month) {
        // No month is longer, so what starts 31 days back is closed.
        length = days{31};
    }
    // Bars start at whole minutes.
    return floor<minutes>(now - length) + minutes{1};
}

std::vector<TimeRange> missing_ranges(TimeRange range, std::span<const LedgerEntry> ledger, const Timeframe& timeframe,
                                      UtcTime now) {
    std::vector<TimeRange> covered;
    for (const LedgerEntry& entry : ledger) {
        if (const auto part = valid_part(entry, timeframe, now)) {
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
    if (reached < range.end) {
        missing.push_back({reached, range.end});
    }
    return missing;
}

std::vector<TimeRange> cut_into_segments(std::span<const TimeRange> ranges, std::chrono::nanoseconds span) {
    std::vector<TimeRange> segments;
    for (const TimeRange& range : ranges) {
        UtcTime start = range.start;
        while (range.end - start > span) {
            segments.push_back({start, start + span});
            start += span;
        }
        segments.push_back({start, range.end});
    }
    return segments;
}

}  // namespace ktrdr
