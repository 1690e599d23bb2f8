#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// What an output is where it has no value: while it warms up, where a price is missing.
inline constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

/// What an indicator remembers from bar to bar. A whole series and bars as they come go through the same one, so both
/// give the same bits.
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

/// A state out of a calculation that has `std::array<double, Outputs> next(const std::array<double, Inputs>&)`.
///
/// Cost: none for each bar of a whole series but the calculation itself.
template <class Calculation, std::size_t Inputs, std::size_t Outputs>
class StateOf final : public IndicatorState {
public:
    explicit StateOf(Calculation calculation) : calculation_(std::move(calculation)) {}

    void next(std::span<const double> inputs, std::span<double> outputs) override {
        step(
            calculation_, [&](std::size_t input) { return inputs[input]; },
            [&](std::size_t output, double value) { outputs[output] = value; });
    }
    void run(std::span<const std::span<const double>> inputs, std::span<const std::span<double>> outputs) override {
        // In locals the compiler can keep them in registers: a column might overlap anything that lies in memory.
        Calculation calculation = std::move(calculation_);
        std::array<std::span<const double>, Inputs> from{};
        std::array<std::span<double>, Outputs> to{};
        std::copy_n(inputs.begin(), Inputs, from.begin());
        std::copy_n(outputs.begin(), Outputs, to.begin());
        for (std::size_t bar = 0; bar < from[0].size(); ++bar) {
            step(
                calculation, [&](std::size_t input) { return from[input][bar]; },
                [&](std::size_t output, double value) { to[output][bar] = value; });
        }
        calculation_ = std::move(calculation);
    }

private:
    static void step(Calculation& calculation, auto read, auto write) {
        std::array<double, Inputs> values{};
        for (std::size_t input = 0; input < Inputs; ++input) {
            values[input] = read(input);
        }
        const std::array<double, Outputs> results = calculation.next(values);
        for (std::size_t output = 0; output < Outputs; ++output) {
            write(output, results[output]);
        }
    }

    Calculation calculation_;
};

template <std::size_t Inputs, std::size_t Outputs, class Calculation>
std::unique_ptr<IndicatorState> make_state(Calculation calculation) {
    return std::make_unique<StateOf<Calculation, Inputs, Outputs>>(std::move(calculation));
}

}  // namespace ktrdr
