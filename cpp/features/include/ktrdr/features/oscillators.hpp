#pragma once

#include <cstddef>
#include <span>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>
#include <ktrdr/features/moving_averages.hpp>

namespace ktrdr {

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

/// The registry's rows of this family: rsi, macd.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> oscillator_specs() noexcept;

}  // namespace ktrdr
