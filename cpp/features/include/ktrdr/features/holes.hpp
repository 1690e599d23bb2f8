#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// A stretch in the middle of a series in which bars are missing, for a whole session at least.
struct Hole {
    /// The first bar behind it; the number of bars where none follows.
    std::size_t bar{0};
    /// From the end of the bar before it to the start of the one behind it.
    TimeRange range{};
    /// When the first bar that is missing would have closed. From then on the bar before the hole is no longer the
    /// newest that there should be.
    UtcTime since{};
    /// Sessions of which not one bar is there; 0 where no calendar says.
    std::size_t sessions{0};

    friend bool operator==(const Hole&, const Hole&) = default;
};

/// A silence of no more than this, and of no more than three bars, is none where no calendar knows better: the longest
/// holidays that markets take are shorter.
inline constexpr std::chrono::days longest_holiday{14};

/// Where bars are missing, oldest first. With a calendar: at least one whole session lies between two bars. Where there
/// is none, or the stretch lies outside of its dates: no bar for longer than `longest_holiday` and three bars.
///
/// A session of which some bars are there is no hole: minutes without a trade are usual. With `until` the stretch from
/// the last bar to that time is looked at, too.
/// Cost: one pass over the stamps; the calendar is asked only where bars do not follow each other at their length.
[[nodiscard]] KTRDR_EXPORT std::vector<Hole> find_holes(const Bars& bars, const BarGrid& grid,
                                                        std::optional<UtcTime> until = {});

/// Bars `[first, last)` that follow each other without a hole.
struct Stretch {
    std::size_t first{0};
    std::size_t last{0};
};
/// What the holes leave of `bars` bars; none is empty.
[[nodiscard]] KTRDR_EXPORT std::vector<Stretch> stretches_between(std::span<const Hole> holes, std::size_t bars);

}  // namespace ktrdr
