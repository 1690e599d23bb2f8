#pragma once

#include <span>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>

namespace ktrdr {

/// The registry's rows of this family: channels around a mean, in units of price, and what their widths tell.
///
/// bollinger_bands: the simple mean, and `multiplier` standard deviations (of the population) above and below it
/// (Bollinger 2001).
/// bollinger_band_width: upper less lower band in percent of the mean's amount; NaN where the mean is 0.
/// keltner: an exponential mean of the close, and `multiplier` average true ranges above and below it (as Raschke has
/// it; Keltner's own of 1960 has simple means).
/// squeeze_intensity: by how many percent Bollinger's channel is narrower than Keltner's over the same `period` (after
/// Carter 2005, whose squeeze is on above 0); below 0 it is wider, 0 where neither has a width.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> band_specs() noexcept;

}  // namespace ktrdr
