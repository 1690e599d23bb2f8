#pragma once

#include <span>
#include <vector>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

using Column = std::vector<double>;

/// Mean of the last `period` values; NaN before there are that many.
[[nodiscard]] KTRDR_EXPORT Column sma(std::span<const double> values, std::size_t period);

/// Exponential mean with weight 2 / (period + 1), begun with the plain mean of the first `period` values that are not
/// NaN. Leading NaN stay NaN.
[[nodiscard]] KTRDR_EXPORT Column ema(std::span<const double> values, std::size_t period);

/// Relative strength after Wilder (New Concepts in Technical Trading Systems, 1978), 0..100, from bar `period` on.
///
/// Without a single loss it is 100; where nothing moved at all it is 50 (TA-Lib says 0).
[[nodiscard]] KTRDR_EXPORT Column rsi(std::span<const double> values, std::size_t period);

struct MacdColumns {
    Column line{};
    Column signal{};
    Column histogram{};
};

/// Fast minus slow exponential mean, the exponential mean of that, and their difference, in units of price.
///
/// Each mean begins with the plain mean of its own first values (TA-Lib begins the fast one where the slow one begins,
/// so its first values differ); the line is given from its first value on, not only once the signal has one.
[[nodiscard]] KTRDR_EXPORT MacdColumns macd(std::span<const double> values, std::size_t fast, std::size_t slow,
                                            std::size_t signal);

/// How far a value lies above its simple mean of `period` values, in percent of that mean; NaN where the mean is 0.
[[nodiscard]] KTRDR_EXPORT Column distance_from_sma(std::span<const double> values, std::size_t period);

}  // namespace ktrdr
