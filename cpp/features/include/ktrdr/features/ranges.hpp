#pragma once

#include <span>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>

namespace ktrdr {

/// The registry's rows of this family: where a price lies between the extremes of a window.
///
/// stochastic: %K and %D after Lane (1984): the close between lowest low and highest high of `k_period` bars, 0..100,
/// smoothed over `smooth` bars, and the mean of that over `d_period`; 50 where the window has no height (TA-Lib says
/// 0). williams_r: the same from the top, -100..0 (Williams 1973); -50 where the window has no height (TA-Lib says 0).
/// aroon: how recent the highest high and lowest low of `period` + 1 bars are (Chande 1995), 100 for now and 0 for
/// `period` bars ago, the newest of equal ones; and up minus down.
/// donchian: highest high, middle and lowest low of `period` bars.
/// ichimoku: middles of the extremes of three windows (Hosoda 1968): tenkan, kijun, and as spans a and b what was
/// (tenkan
/// + kijun) / 2 and the longest window's middle `displacement` bars ago, which is where a chart draws them. The lagging
/// line is the close itself, drawn earlier: as an indicator it would look ahead, so it is left out.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> range_specs() noexcept;

}  // namespace ktrdr
