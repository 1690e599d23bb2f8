#pragma once

#include <span>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>

namespace ktrdr {

/// The registry's rows of this family: what compares a price with earlier ones.
///
/// rsi: relative strength after Wilder (New Concepts in Technical Trading Systems, 1978), 0..100. Without a single loss
/// it is 100; where nothing moved at all it is 50 (TA-Lib says 0).
/// macd: fast minus slow exponential mean (Appel 1979), the exponential mean of that, and their difference, in units of
/// price or in percent of the price's amount. Each mean begins with the plain mean of its own first values (TA-Lib
/// begins the fast one where the slow one begins); the line is given from its first value on, not only once the signal
/// has one.
/// momentum: the price less that of `period` bars before, in units of price.
/// roc: the same in percent of the earlier price's amount; NaN where that was 0.
/// cci: commodity channel index (Lambert 1980): how far the typical price (high + low + close) / 3 lies above its mean,
/// in 0.015 of its mean distance from that; 0 where all of the window are equal.
/// rvi: relative vigor index (Ehlers 2002): close - open against high - low, both weighed 1, 2, 2, 1 over four bars and
/// summed over `period`, and the same weighing of the index as its signal; 0 where no bar has a height.
/// fisher: Ehlers' transform (2002) of where the middle (high + low) / 2 lies between its extremes of `period` bars,
/// and its value of a bar before as the signal; a window without a height counts as its middle.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> oscillator_specs() noexcept;

}  // namespace ktrdr
