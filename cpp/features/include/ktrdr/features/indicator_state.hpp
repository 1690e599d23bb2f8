#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/wide_vectors.hpp>

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

/// Bars of a series that follow each other and lack nothing, column by column.
template <std::size_t Inputs, std::size_t Outputs>
struct BarRun {
    std::array<const double*, Inputs> from{};
    std::array<double*, Outputs> to{};
    std::size_t bars{0};

    /// What is left of it behind some bars.
    [[nodiscard]] BarRun behind(std::size_t skipped) const {
        BarRun rest{from, to, bars - skipped};
        for (const double*& column : rest.from) {
            column += skipped;
        }
        for (double*& column : rest.to) {
            column += skipped;
        }
        return rest;
    }
};

/// How many bars a run has at most: few enough that its columns stay in the nearest cache from one pass to the next.
inline constexpr std::size_t longest_run = 256;
/// Room for what lies between two passes over a run.
using RunRoom = std::array<double, longest_run>;

/// `calculation.next` for each bar of a run.
template <class Calculation, std::size_t Inputs, std::size_t Outputs>
void next_for_each(Calculation& calculation, const BarRun<Inputs, Outputs>& run) {
    // In locals the compiler can keep both in registers: a column might overlap anything that lies in memory.
    Calculation local = std::move(calculation);
    const auto [from, to, bars] = run;
    for (std::size_t bar = 0; bar < bars; ++bar) {
        std::array<double, Inputs> values{};
        for (std::size_t input = 0; input < Inputs; ++input) {
            values[input] = from[input][bar];
        }
        const std::array<double, Outputs> results = local.next(values);
        for (std::size_t output = 0; output < Outputs; ++output) {
            to[output][bar] = results[output];
        }
    }
    calculation = std::move(local);
}

/// A state out of a calculation that has `std::array<double, Outputs> next(const std::array<double, Inputs>&)`, can be
/// copied, and is handed numbers only. It may have `void run(const BarRun<Inputs, Outputs>&)` too, which gives the bits
/// that `next` gives for each bar, faster. Where it says `takes_volume`, its last input is a volume: one below zero,
/// which `Bars::no_volume` is, counts as missing.
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
        for (std::size_t input = 0; input < Inputs; ++input) {
            if (!is_there(input, values[input])) {
                lose();
                std::ranges::fill(outputs, no_value);
                return;
            }
        }
        begun_ = true;
        std::ranges::copy(current_.next(values), outputs.begin());
    }
    void run(std::span<const std::span<const double>> inputs, std::span<const std::span<double>> outputs) override {
        Run rest{.bars = inputs.front().size()};
        std::ranges::transform(inputs, rest.from.begin(), [](std::span<const double> column) { return column.data(); });
        std::ranges::transform(outputs, rest.to.begin(), [](std::span<double> column) { return column.data(); });
        while (rest.bars > 0) {
            Run run = rest;
            run.bars = std::min(rest.bars, longest_run);
            rest = rest.behind(run.bars);
            if (in_wide_vectors([&] { return lacks_nothing(run); })) {
                run_whole(run);
            } else {
                run_between(run);
            }
        }
    }

private:
    using Run = BarRun<Inputs, Outputs>;

    static bool is_there(std::size_t input, double value) {
        if constexpr (requires { Calculation::takes_volume; }) {
            if (input + 1 == Inputs) {
                return value >= 0 && value <= largest_input;
            }
        }
        return std::abs(value) <= largest_input;
    }

    /// Looks at every value, so that it need not decide after each; at all columns in one pass, so that they come from
    /// memory side by side.
    static bool lacks_nothing(const Run& run) {
        const auto [from, to, bars] = run;
        std::uint64_t missing = 0;
        for (std::size_t bar = 0; bar < bars; ++bar) {
            for (std::size_t input = 0; input < Inputs; ++input) {
                missing |= is_there(input, from[input][bar]) ? 0U : 1U;
            }
        }
        return missing == 0;
    }

    /// A value is missing: what follows begins anew.
    void lose() {
        if (begun_) {
            current_ = fresh_;
            begun_ = false;
        }
    }

    /// Bars some of which lack a value.
    void run_between(Run run) {
        while (run.bars > 0) {
            Run whole = run;
            for (std::size_t input = 0; input < Inputs; ++input) {
                const double* const column = run.from[input];
                const double* const missing = std::find_if_not(
                    column, column + whole.bars, [input](double value) { return is_there(input, value); });
                whole.bars = static_cast<std::size_t>(missing - column);
            }
            run_whole(whole);
            run = run.behind(whole.bars);
            if (run.bars > 0) {
                lose();
                for (double* const column : run.to) {
                    *column = no_value;
                }
                run = run.behind(1);
            }
        }
    }

    /// Bars that lack nothing.
    void run_whole(const Run& run) {
        if (run.bars == 0) {
            return;
        }
        in_wide_vectors([&] {
            if constexpr (requires { current_.run(run); }) {
                current_.run(run);
            } else {
                next_for_each(current_, run);
            }
        });
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
