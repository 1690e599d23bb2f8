#include <ktrdr/features/holes.hpp>

#include <algorithm>

namespace ktrdr {
namespace {

/// Whole sessions inside of a range.
std::size_t sessions_in(const SessionCalendar& calendar, TimeRange range) {
    const auto sessions = calendar.sessions();
    const auto first = std::ranges::lower_bound(sessions, range.start, {}, &Session::open);
    const auto last = std::ranges::upper_bound(sessions, range.end, {}, &Session::close);
    return last > first ? static_cast<std::size_t>(last - first) : 0;
}

bool is_known(const SessionCalendar& calendar, TimeRange range) {
    const TimeRange known = calendar.coverage();
    return known.start <= range.start && range.end <= known.end;
}

bool is_long(TimeRange range, const Timeframe& timeframe) {
    return range.end - range.start > std::max<std::chrono::nanoseconds>(longest_holiday, 3 * timeframe.shortest());
}

/// The hole between the bar stamped `before` and a bar, or a time, that begins at `start`.
std::optional<Hole> hole_between(const BarGrid& grid, UtcTime before, UtcTime start, std::size_t bar) {
    const TimeRange range{grid.end_of(before), start};
    if (range.empty()) {
        return std::nullopt;
    }
    const SessionCalendar* const calendar = grid.calendar().get();
    const bool known = calendar != nullptr && is_known(*calendar, range);
    const std::size_t sessions = known ? sessions_in(*calendar, range) : 0;
    if (known ? sessions == 0 : !is_long(range, grid.timeframe())) {
        return std::nullopt;
    }
    return Hole{bar, range, grid.end_of(grid.next(before)), sessions};
}

}  // namespace

std::vector<Hole> find_holes(const Bars& bars, const BarGrid& grid, std::optional<UtcTime> until) {
    std::vector<Hole> holes;
    const std::int64_t usual = grid.timeframe().shortest().count();
    for (std::size_t bar = 1; bar < bars.size(); ++bar) {
        if (bars.time[bar] - bars.time[bar - 1] <= usual) {
            continue;
        }
        const UtcTime start = grid.period_of(bars.start_of(bar)).start;
        if (const auto hole = hole_between(grid, bars.start_of(bar - 1), start, bar)) {
            holes.push_back(*hole);
        }
    }
    if (until && !bars.empty()) {
        if (const auto hole = hole_between(grid, bars.start_of(bars.size() - 1), *until, bars.size())) {
            holes.push_back(*hole);
        }
    }
    return holes;
}

std::vector<Stretch> stretches_between(std::span<const Hole> holes, std::size_t bars) {
    std::vector<Stretch> stretches;
    std::size_t first = 0;
    for (const Hole& hole : holes) {
        if (hole.bar > first && hole.bar < bars) {
            stretches.push_back({first, hole.bar});
            first = hole.bar;
        }
    }
    if (first < bars) {
        stretches.push_back({first, bars});
    }
    return stretches;
}

}  // namespace ktrdr
