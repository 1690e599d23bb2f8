#pragma once

#include <span>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>

namespace ktrdr {

/// The registry's rows of this family: what was traded.
///
/// obv: on-balance volume (Granville 1963): volume added when the close rises and taken off when it falls, begun with
/// the first bar's.
/// ad_line: accumulation/distribution (Chaikin): volume times ((close - low) - (high - close)) / (high - low), added
/// up; a bar without a height adds nothing. cmf: Chaikin's money flow: that product over `period` bars against the
/// volume of them, -1..1; 0 without any volume. mfi: money flow index (Quong and Soudack 1989): typical price times
/// volume of the bars whose typical price rose, against that of all that moved, 0..100; 50 where nothing flowed (TA-Lib
/// says 0, and does for any flow below 1). Of a price below zero the amount flows. vwap: mean of the typical price over
/// `period` bars weighed by volume, in units of price; NaN without any volume. volume_ratio: a bar's volume against its
/// mean of `period` bars, itself included; NaN without any volume.
///
/// A volume below zero is none (`Bars::no_volume`), and counts as missing.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> volume_specs() noexcept;

}  // namespace ktrdr
