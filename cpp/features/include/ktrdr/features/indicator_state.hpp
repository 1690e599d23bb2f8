#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// What an output is where it has no value: while it warms up, where a price is missing.
inline constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

/// A value beyond this, in either direction, counts as missing, as NaN does: squares of it and their sums stay finite,
/// so that no overflow ends a series.
inline constexpr double largest_input = 1e100;

/// What an indicator remembers from bar to bar. A whole series and bars as they come go through the same one, so both
/// give the same bits.
///
/// A bar that lacks one of its inputs has no value, and behind it the indicator is as at the beginning of a series: it
/// warms up anew. So a missing price is felt for as long as it would lie in the window, and ends nothing.
///
/// Thread safety: none; each series has a state of its own.
class KTRDR_EXPORT IndicatorState {
public:
    virtual ~IndicatorState() = default;
    /// Take the next bar: a value for each input in, one for each output out, NaN while it warms up.
    virtual void next(std::span<const double> inputs, std::span<double> outputs) = 0;
    /// `next` for each bar of whole columns, all of the same length.
    virtual void run(std::span<const std::span<const double>> inputs, std::span<const std::span<double>> outputs) = 0;
};

/// A state out of a calculation that has `std::array<double, Outputs> next(const std::array<double, Inputs>&)`, can be
/// copied, and is handed numbers only.
///
/// Cost: none for each bar of a whole series but the calculation itself; a copy of the calculation where a stretch of
/// missing prices begins.
template <class Calculation, std::size_t Inputs, std::size_t Outputs>
class StateOf final : public IndicatorState {
public:
    explicit StateOf(Calculation calculation) : fresh_(std::move(calculation)), current_(fresh_) {}

    void next(std::span<const double> inputs, std::span<double> outputs) override {
        std::array<double, Inputs> values{};
        std::copy_n(inputs.begin(), Inputs, values.begin());
        if (!std::ranges::all_of(values, is_there)) {
            lose();
            std::ranges::fill(outputs, no_value);
            return;
        }
        begun_ = true;
        std::ranges::copy(current_.next(values), outputs.begin());
    }
    void run(std::span<const std::span<const double>> inputs, std::span<const std::span<double>> outputs) override {
        std::array<const double*, Inputs> from{};
        std::array<double*, Outputs> to{};
        std::ranges::transform(inputs, from.begin(), [](std::span<const double> column) { return column.data(); });
        std::ranges::transform(outputs, to.begin(), [](std::span<double> column) { return column.data(); });
        const std::size_t bars = inputs.front().size();
        for (std::size_t bar = 0; bar < bars;) {
            std::size_t end = bars;
            for (const double* const column : from) {
                end = static_cast<std::size_t>(std::find_if_not(column + bar, column + end, is_there) - column);
            }
            run_whole(from, to, bar, end);
            if (end < bars) {
                lose();
                for (double* const column : to) {
                    column[end] = no_value;
                }
                ++end;
            }
            bar = end;
        }
    }

private:
    static bool is_there(double value) { return std::abs(value) <= largest_input; }

    /// A value is missing: what follows begins anew.
    void lose() {
        if (begun_) {
            current_ = fresh_;
            begun_ = false;
        }
    }

    /// Bars that lack nothing.
    void run_whole(const std::array<const double*, Inputs>& from, const std::array<double*, Outputs>& to,
                   std::size_t first, std::size_t last) {
        if (first == last) {
            return;
        }
        // In a local the compiler can keep it in registers: a column might overlap anything that lies in memory.
        Calculation calculation = std::move(current_);
        for (std::size_t bar = first; bar < last; ++bar) {
            std::array<double, Inputs> values{};
            for (std::size_t input = 0; input < Inputs; ++input) {
                values[input] = from[input][bar];
            }
            const std::array<double, Outputs> results = calculation.next(values);
            for (std::size_t output = 0; output < Outputs; ++output) {
                to[output][bar] = results[output];
            }
        }
        current_ = std::move(calculation);
        begun_ = true;
    }

    Calculation fresh_;
    Calculation current_;
    bool begun_{false};
};

template <std::size_t Inputs, std::size_t Outputs, class Calculation>
std::unique_ptr<IndicatorState> make_state(Calculation calculation) {
    return std::make_unique<StateOf<Calculation, Inputs, Outputs>>(std::move(calculation));
}

}  // namespace ktrdr
