#include <ktrdr/training/evaluation.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <random>

#include <ktrdr/training/training_data.hpp>

namespace ktrdr {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
/// As many steps as one row through a network counts.
constexpr std::size_t steps_of_a_row = 16;

/// -log of the softmax of one logit.
double loss_of(std::span<const float> logits, std::size_t label) {
    const double most = *std::ranges::max_element(logits);
    double sum = 0;
    for (const float logit : logits) {
        sum += std::exp(static_cast<double>(logit) - most);
    }
    return std::log(sum) + most - static_cast<double>(logits[label]);
}

/// A whole number below `end`, alike on every machine.
std::size_t draw(std::mt19937_64& random, std::size_t end) {
    return static_cast<std::size_t>(random() % end);
}

/// Sums up to and without an index.
std::vector<std::int64_t> running_sums(const std::vector<std::int64_t>& values) {
    std::vector<std::int64_t> sums(values.size() + 1);
    std::partial_sum(values.begin(), values.end(), sums.begin() + 1);
    return sums;
}

/// The sum of `length` from `first` on, around the end.
std::int64_t around(const std::vector<std::int64_t>& sums, std::size_t first, std::size_t length) {
    const std::size_t times = sums.size() - 1;
    const std::size_t last = first + length;
    if (last <= times) {
        return sums[last] - sums[first];
    }
    return sums[times] - sums[first] + sums[last - times];
}

std::vector<UtcTime> newest_first(std::span<const UtcTime> starts) {
    std::vector<UtcTime> times(starts.begin(), starts.end());
    std::ranges::sort(times, std::greater{});
    times.erase(std::unique(times.begin(), times.end()), times.end());
    return times;
}

std::size_t place_in(const std::vector<UtcTime>& newest_first, UtcTime time) {
    return static_cast<std::size_t>(std::ranges::lower_bound(newest_first, time, std::greater{}) -
                                    newest_first.begin());
}

Interval percentiles(std::vector<double>& values, double level) {
    std::ranges::sort(values);
    const auto at = [&](double share) {
        return values[static_cast<std::size_t>(std::floor(share * static_cast<double>(values.size() - 1)))];
    };
    return {at((1 - level) / 2), at((1 + level) / 2)};
}

double accuracy_of(const ConfusionMatrix& confusion) {
    return classification_figures(confusion).accuracy;
}

}  // namespace

Result<Evaluation> evaluate(const Mlp& network, const LabeledMatrix& rows, const WorkCheck& check) {
    WorkPieces pieces(check, "evaluating the test rows");
    const std::size_t classes = network.classes();
    Evaluation evaluation;
    evaluation.predicted.resize(rows.rows);
    evaluation.chances.resize(rows.rows * classes);
    evaluation.confusion.assign(classes, std::vector<std::int64_t>(classes));
    Mlp::Scratch scratch;
    for (std::size_t row = 0; row < rows.rows; ++row) {
        if (pieces.is_due(steps_of_a_row)) {
            if (auto go = pieces.check(); !go) {
                return go.error();
            }
        }
        const auto values = std::span(rows.values).subspan(row * rows.columns, rows.columns);
        const auto chances = std::span(evaluation.chances).subspan(row * classes, classes);
        const auto label = static_cast<std::size_t>(rows.labels[row]);
        network.logits(values, chances, scratch);
        evaluation.loss += loss_of(chances, label);
        Mlp::softmax(chances, scratch);
        const std::size_t predicted = largest_of(chances);
        evaluation.predicted[row] = static_cast<std::int64_t>(predicted);
        ++evaluation.confusion[label][predicted];
    }
    evaluation.loss = rows.rows == 0 ? none : evaluation.loss / static_cast<double>(rows.rows);
    return evaluation;
}

Result<Calibration> calibration_of(const Evaluation& evaluation, std::span<const std::int64_t> labels,
                                   const WorkCheck& check) {
    constexpr std::size_t bins = 10;
    WorkPieces pieces(check, "calibrating the chances");
    Calibration calibration;
    std::vector<double> confidence(bins);
    std::vector<std::int64_t> right(bins);
    for (std::size_t bin = 0; bin < bins; ++bin) {
        calibration.bins.push_back(
            {static_cast<double>(bin) / bins, static_cast<double>(bin + 1) / bins, 0, none, none});
    }
    const std::size_t classes = labels.empty() ? 0 : evaluation.chances.size() / labels.size();
    for (std::size_t row = 0; row < labels.size(); ++row) {
        if (pieces.is_due()) {
            if (auto go = pieces.check(); !go) {
                return go.error();
            }
        }
        const auto predicted = static_cast<std::size_t>(evaluation.predicted[row]);
        const double chance = static_cast<double>(evaluation.chances[row * classes + predicted]);
        const double place = std::ceil(chance * bins) - 1;
        const auto bin = static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(bins - 1)));
        ++calibration.bins[bin].rows;
        confidence[bin] += chance;
        right[bin] += evaluation.predicted[row] == labels[row] ? 1 : 0;
    }
    calibration.error = labels.empty() ? none : 0;
    for (std::size_t bin = 0; bin < bins; ++bin) {
        ReliabilityBin& one = calibration.bins[bin];
        if (one.rows > 0) {
            const auto rows = static_cast<double>(one.rows);
            one.confidence = confidence[bin] / rows;
            one.accuracy = static_cast<double>(right[bin]) / rows;
            calibration.error += std::abs(one.confidence - one.accuracy) * rows / static_cast<double>(labels.size());
        }
    }
    return calibration;
}

Result<Persistence> persistence_of(std::span<const std::int64_t> labels, const LabelTimes& times,
                                   std::span<const std::size_t> symbols, const WorkCheck& check) {
    WorkPieces pieces(check, "comparing with the last known label");
    Persistence persistence;
    std::int64_t right = 0;
    std::size_t first = 0;
    for (const std::size_t count : symbols) {
        // A later row's label may be known before an earlier one's: a barrier is passed when it is passed.
        std::vector<std::size_t> as_known(count);
        std::iota(as_known.begin(), as_known.end(), first);
        std::ranges::stable_sort(as_known, {}, [&times](std::size_t row) { return times.known[row]; });
        auto next = as_known.begin();
        std::optional<std::size_t> newest;
        for (std::size_t row = first; row < first + count; ++row) {
            if (pieces.is_due()) {
                if (auto go = pieces.check(); !go) {
                    return go.error();
                }
            }
            for (; next != as_known.end() && times.known[*next] <= times.closes[row]; ++next) {
                newest = std::max(newest.value_or(*next), *next);
            }
            if (newest) {
                ++persistence.rows;
                right += labels[row] == labels[*newest] ? 1 : 0;
            }
        }
        first += count;
    }
    persistence.accuracy =
        persistence.rows == 0 ? none : static_cast<double>(right) / static_cast<double>(persistence.rows);
    return persistence;
}

Result<TestOutcomes> outcomes_of(std::span<const std::int64_t> labels, std::span<const std::int64_t> predicted,
                                 std::int64_t always, std::span<const UtcTime> starts, const WorkCheck& check) {
    WorkPieces pieces(check, "ordering the test rows by time");
    if (auto go = pieces.check(); !go) {
        return go.error();
    }
    const std::vector<UtcTime> times = newest_first(starts);
    TestOutcomes outcomes;
    for (auto* const column : {&outcomes.rows, &outcomes.right, &outcomes.always}) {
        column->resize(times.size());
    }
    for (std::size_t row = 0; row < starts.size(); ++row) {
        if (pieces.is_due()) {
            if (auto go = pieces.check(); !go) {
                return go.error();
            }
        }
        const std::size_t time = place_in(times, starts[row]);
        ++outcomes.rows[time];
        outcomes.right[time] += predicted[row] == labels[row] ? 1 : 0;
        outcomes.always[time] += always == labels[row] ? 1 : 0;
    }
    return outcomes;
}

Result<std::size_t> horizon_in_times(std::span<const UtcTime> starts, std::span<const std::size_t> symbols,
                                     std::size_t lookahead, const WorkCheck& check) {
    WorkPieces pieces(check, "counting the times that a label sees");
    if (auto go = pieces.check(); !go) {
        return go.error();
    }
    const std::vector<UtcTime> times = newest_first(starts);
    auto most = static_cast<double>(lookahead);
    std::size_t first = 0;
    for (const std::size_t count : symbols) {
        std::size_t between = 0;
        for (std::size_t row = first; row + lookahead < first + count; ++row) {
            if (pieces.is_due()) {
                if (auto go = pieces.check(); !go) {
                    return go.error();
                }
            }
            between += place_in(times, starts[row]) - place_in(times, starts[row + lookahead]);
        }
        if (count > lookahead) {
            most = std::max(most, static_cast<double>(between) / static_cast<double>(count - lookahead));
        }
        first += count;
    }
    return static_cast<std::size_t>(std::ceil(most));
}

Result<Confidence> confidence_of(const TestOutcomes& outcomes, std::size_t horizon, const WorkCheck& check) {
    constexpr std::size_t resamples = 2000;
    constexpr std::uint64_t seed = 20'240'101;
    const std::size_t times = outcomes.rows.size();
    if (times == 0) {
        return Confidence{{none, none}, {none, none}};
    }
    const auto root = static_cast<std::size_t>(std::ceil(std::cbrt(static_cast<double>(times))));
    const std::size_t block = std::max(horizon, root);
    if (times / block < Confidence::fewest_blocks) {
        return Confidence{.accuracy = {none, none}, .gain = {none, none}, .block_rows = block};
    }
    const auto row_sums = running_sums(outcomes.rows);
    const auto right_sums = running_sums(outcomes.right);
    const auto always_sums = running_sums(outcomes.always);
    WorkPieces pieces(check, "drawing blocks of test rows anew");
    std::mt19937_64 random(seed);
    std::vector<double> accuracies;
    std::vector<double> gains;
    for (std::size_t sample = 0; sample < resamples; ++sample) {
        std::int64_t rows = 0;
        std::int64_t right = 0;
        std::int64_t prior = 0;
        for (std::size_t drawn = 0; drawn < times; drawn += block) {
            if (pieces.is_due()) {
                if (auto go = pieces.check(); !go) {
                    return go.error();
                }
            }
            const std::size_t length = std::min(block, times - drawn);
            const std::size_t first = draw(random, times);
            rows += around(row_sums, first, length);
            right += around(right_sums, first, length);
            prior += around(always_sums, first, length);
        }
        accuracies.push_back(static_cast<double>(right) / static_cast<double>(rows));
        gains.push_back(static_cast<double>(right - prior) / static_cast<double>(rows));
    }
    Confidence confidence;
    confidence.accuracy = percentiles(accuracies, confidence.level);
    confidence.gain = percentiles(gains, confidence.level);
    confidence.block_rows = block;
    confidence.resamples = resamples;
    return confidence;
}

Result<TestOutcomes> outcomes_on_test(const TrainingData& data, std::span<const std::int64_t> predicted,
                                      const WorkCheck& check) {
    const auto& train = data.rows.train.labels;
    const auto always = train.empty() ? 0 : static_cast<std::int64_t>(most_frequent(train));
    return outcomes_of(data.rows.test.labels, predicted, always, data.test_starts, check);
}

Result<std::vector<double>> permutation_importance(const Mlp& network, const LabeledMatrix& rows,
                                                   const WorkCheck& check) {
    constexpr int shuffles = 3;
    const auto whole = evaluate(network, rows, check);
    if (!whole) {
        return whole.error();
    }
    const double accuracy = accuracy_of(whole->confusion);
    WorkPieces pieces(check, "shuffling a feature");
    std::mt19937_64 random(1);
    LabeledMatrix shuffled = rows;
    std::vector<double> lost(rows.columns);
    for (std::size_t column = 0; column < rows.columns; ++column) {
        for (int shuffle = 0; shuffle < shuffles; ++shuffle) {
            for (std::size_t row = rows.rows; row > 1; --row) {
                if (pieces.is_due()) {
                    if (auto go = pieces.check(); !go) {
                        return go.error();
                    }
                }
                std::swap(shuffled.values[(row - 1) * rows.columns + column],
                          shuffled.values[draw(random, row) * rows.columns + column]);
            }
            const auto found = evaluate(network, shuffled, check);
            if (!found) {
                return found.error();
            }
            lost[column] += (accuracy - accuracy_of(found->confusion)) / shuffles;
        }
        for (std::size_t row = 0; row < rows.rows; ++row) {
            if (pieces.is_due()) {
                if (auto go = pieces.check(); !go) {
                    return go.error();
                }
            }
            shuffled.values[row * rows.columns + column] = rows.values[row * rows.columns + column];
        }
    }
    return lost;
}

}  // namespace ktrdr
