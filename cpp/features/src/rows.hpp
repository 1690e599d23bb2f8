#pragma once

#include <array>
#include <cmath>
#include <memory>

#include <ktrdr/features/indicator.hpp>
#include <ktrdr/features/moving_averages.hpp>

/// What the rows of several families are made of.
namespace ktrdr::rows {

using Name = std::string_view;
using Bar = std::array<double, 3>;

/// A run over one column.
template <std::size_t Outputs>
using PriceRun = BarRun<1, Outputs>;

inline constexpr std::array<InputColumn, 2> high_low{InputColumn::high, InputColumn::low};
inline constexpr std::array<InputColumn, 3> high_low_close{InputColumn::high, InputColumn::low, InputColumn::close};
inline constexpr std::array<InputColumn, 4> prices_and_volume{InputColumn::high, InputColumn::low, InputColumn::close,
                                                              InputColumn::volume};

constexpr IndicatorParameter period(double fallback, double least = 2) {
    return {"period", fallback, least, 2000};
}
constexpr IndicatorParameter multiplier(Name name, double fallback) {
    return {name, fallback, 0.01, 100, false};
}

/// A state that takes nothing but its `period`.
template <std::size_t Inputs, std::size_t Outputs, class Calculation>
std::unique_ptr<IndicatorState> by_period(const IndicatorParameters& parameters) {
    return make_state<Inputs, Outputs>(Calculation(whole(parameters, "period")));
}

/// Where what lies before the window has no say: a window of `period` bars, or one of a bar more.
inline WarmUp window_warm_up(const IndicatorParameters& parameters) {
    const std::size_t before = whole(parameters, "period") - 1;
    return {before, before};
}
inline WarmUp longer_window_warm_up(const IndicatorParameters& parameters) {
    const std::size_t before = whole(parameters, "period");
    return {before, before};
}

/// That of an average true range over `period`.
inline WarmUp range_warm_up(const IndicatorParameters& parameters) {
    const std::size_t period = whole(parameters, "period");
    return {period, period + wilder_steps_to_forget(period)};
}

/// What hangs on its first bar, or on a turn that may lie any number of bars back.
inline WarmUp never_exact(std::size_t least) {
    return {least, WarmUp::never};
}

/// 100 part / |whole|; NaN where the whole is 0.
inline double percent(double part, double whole) {
    // Divided whatever the whole is, so that a loop has no branch in it.
    const double share = 100 * part / std::abs(whole);
    return whole == 0 ? no_value : share;
}

}  // namespace ktrdr::rows
