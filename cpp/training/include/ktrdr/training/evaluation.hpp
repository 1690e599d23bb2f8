#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/work_check.hpp>
#include <ktrdr/models/mlp.hpp>
#include <ktrdr/training/trainer.hpp>
#include <ktrdr/training/training_result.hpp>

namespace ktrdr {

struct TrainingData;

// Each of the functions below that has a `check` asks it before its first piece of work and behind every further one,
// of some thousand rows.

/// What a network says of labelled rows.
struct Evaluation {
    std::vector<std::int64_t> predicted{};
    /// Row-major, as many a row as there are classes.
    std::vector<float> chances{};
    ConfusionMatrix confusion{};
    /// Mean negative logarithm of the true class's chance; NaN without rows.
    double loss{0};
};

/// A piece is a few hundred rows.
[[nodiscard]] KTRDR_EXPORT Result<Evaluation> evaluate(const Mlp& network, const LabeledMatrix& rows,
                                                       const WorkCheck& check);

/// Rows whose largest chance lies in `(from, to]`.
struct ReliabilityBin {
    double from{0};
    double to{0};
    std::int64_t rows{0};
    /// Mean largest chance, and the share that is right; NaN without rows.
    double confidence{0};
    double accuracy{0};
};

struct Calibration {
    /// Ten, of equal width.
    std::vector<ReliabilityBin> bins{};
    /// Expected calibration error: the mean of |confidence - accuracy| over the bins, weighted by rows. Guo et al., On
    /// Calibration of Modern Neural Networks (2017). NaN without rows.
    double error{0};
};

[[nodiscard]] KTRDR_EXPORT Result<Calibration> calibration_of(const Evaluation& evaluation,
                                                              std::span<const std::int64_t> labels,
                                                              const WorkCheck& check = {});

/// Of each row: when its bar closes, and when its label is known.
struct LabelTimes {
    std::span<const UtcTime> closes{};
    std::span<const UtcTime> known{};
};

/// How often a label is the one that was known last when its bar closed: that of the newest row before, of the same
/// symbol, whose label is known by then. `symbols` says how many rows each has, one symbol after the other, each from
/// its oldest on.
struct Persistence {
    /// NaN without rows.
    double accuracy{0};
    /// Rows that have such a label before them.
    std::int64_t rows{0};
};

[[nodiscard]] KTRDR_EXPORT Result<Persistence> persistence_of(std::span<const std::int64_t> labels,
                                                              const LabelTimes& times,
                                                              std::span<const std::size_t> symbols,
                                                              const WorkCheck& check = {});

struct Interval {
    double low{0};
    double high{0};
};

/// How sure the test accuracy is.
struct Confidence {
    /// Fewer blocks say nothing: drawn anew they are nearly always the same ones, and of guesses every third would beat
    /// the prior where the rows are one block, every tenth where they are three.
    static constexpr std::size_t fewest_blocks = 8;

    Interval accuracy{};
    /// Of how much more is right than by always saying the most frequent class.
    Interval gain{};
    double level{0.95};
    std::size_t block_rows{0};
    std::size_t resamples{0};

    /// Whether even the low end of the gain is one.
    [[nodiscard]] bool beats_prior() const noexcept { return gain.low > 0; }
};

/// What is right of the rows to test on, time by time from the newest on: rows of all symbols that are of one time
/// together.
struct TestOutcomes {
    std::vector<std::int64_t> rows{};
    std::vector<std::int64_t> right{};
    /// Of those rows, by always saying one class.
    std::vector<std::int64_t> always{};

    friend bool operator==(const TestOutcomes&, const TestOutcomes&) = default;
};

/// `starts`: when each row's bar starts, in any order.
[[nodiscard]] KTRDR_EXPORT Result<TestOutcomes> outcomes_of(std::span<const std::int64_t> labels,
                                                            std::span<const std::int64_t> predicted,
                                                            std::int64_t always, std::span<const UtcTime> starts,
                                                            const WorkCheck& check = {});

/// How many times of `TestOutcomes` lie between a row and the one `lookahead` rows on, of the symbol where that is
/// most: where symbols have bars at different times, a label of so many bars sees more times than bars. `symbols` says
/// how many rows each has, one symbol after the other, each from its oldest on.
[[nodiscard]] KTRDR_EXPORT Result<std::size_t> horizon_in_times(std::span<const UtcTime> starts,
                                                                std::span<const std::size_t> symbols,
                                                                std::size_t lookahead, const WorkCheck& check = {});

/// By circular block bootstrap (Politis and Romano, 1992) over time: labels of rows near each other look at the same
/// bars, so rows are drawn in blocks of the label's horizon, or of the cube root of their number where that is longer.
/// Symbols move alike, so rows of all symbols are drawn together. `horizon` counts times.
/// The same rows give the same figures. Intervals are NaN without rows, and where they are fewer than `fewest_blocks`.
[[nodiscard]] KTRDR_EXPORT Result<Confidence> confidence_of(const TestOutcomes& outcomes, std::size_t horizon,
                                                            const WorkCheck& check = {});

/// Of what was predicted of the rows to test on.
[[nodiscard]] KTRDR_EXPORT Result<TestOutcomes> outcomes_on_test(const TrainingData& data,
                                                                 std::span<const std::int64_t> predicted,
                                                                 const WorkCheck& check);

/// How much accuracy is lost when one feature's values are shuffled over the rows, for each feature; the mean of three
/// shuffles. Breiman, Random Forests (2001). The same rows give the same figures.
[[nodiscard]] KTRDR_EXPORT Result<std::vector<double>> permutation_importance(const Mlp& network,
                                                                              const LabeledMatrix& rows,
                                                                              const WorkCheck& check);

}  // namespace ktrdr
