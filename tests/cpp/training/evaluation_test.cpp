#include <ktrdr/training/evaluation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include <ktrdr/base/manual.hpp>

#include "soak.hpp"

namespace ktrdr {
namespace {

/// Answers the class whose input is largest, the surer the larger `steepness`.
Mlp copying_network(float steepness) {
    const std::vector<NamedTensor> tensors{
        {"0.weight", {3, 4}, {steepness, 0, 0, 0, 0, steepness, 0, 0, 0, 0, steepness, 0}}, {"0.bias", {3}, {0, 0, 0}}};
    return Mlp::make(tensors, "relu").value();
}

/// Rows whose first three columns say the label in a share `honest` of the cases, and whose fourth says nothing.
LabeledMatrix made_rows(std::size_t count, double honest, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> share(0, 1);
    LabeledMatrix rows{count, 4, {}, {}};
    for (std::size_t row = 0; row < count; ++row) {
        const auto label = static_cast<std::int64_t>(random() % 3);
        const std::int64_t told = share(random) < honest ? label : static_cast<std::int64_t>(random() % 3);
        for (std::int64_t k = 0; k < 3; ++k) {
            rows.values.push_back(k == told ? 1 : 0);
        }
        rows.values.push_back(static_cast<float>(share(random)));
        rows.labels.push_back(label);
    }
    return rows;
}

std::vector<UtcTime> hours(int first, int count) {
    std::vector<UtcTime> times;
    for (int hour = first; hour < first + count; ++hour) {
        times.push_back(UtcTime{} + std::chrono::hours{hour});
    }
    return times;
}

TEST(Evaluation, CountsWhatTheNetworkSays) {
    const LabeledMatrix rows{3, 4, {1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0}, {0, 1, 2}};
    const Evaluation found = evaluate(copying_network(2), rows, {}).value();
    EXPECT_EQ(found.predicted, (std::vector<std::int64_t>{0, 1, 1}));
    EXPECT_EQ(found.confusion, (ConfusionMatrix{{1, 0, 0}, {0, 1, 0}, {0, 1, 0}}));
    const double right = std::log(std::exp(2.0) + 2) - 2;
    const double wrong = std::log(std::exp(2.0) + 2);
    EXPECT_NEAR(found.loss, (2 * right + wrong) / 3, 1e-6);
    EXPECT_TRUE(std::isnan(evaluate(copying_network(2), {0, 4, {}, {}}, {})->loss));
}

TEST(Evaluation, StopsWhenItIsCancelled) {
    ManualClock clock;
    ManualExecutor io;
    ManualTimerQueue timers{clock};
    const CancellationToken token = CancellationToken::create(io, timers, clock);
    token.cancel({});
    EXPECT_EQ(evaluate(copying_network(2), made_rows(10, 1, 1), token).error().code, Errc::cancelled);
    EXPECT_EQ(permutation_importance(copying_network(2), made_rows(10, 1, 1), token).error().code, Errc::cancelled);
}

TEST(Calibration, IsWithoutErrorWhereChancesAreTrue) {
    // With three classes a row tells its label in `honest` of the cases, and else by luck.
    const LabeledMatrix rows = made_rows(20000, 0.4, 5);
    const double share = 0.4 + 0.6 / 3;
    const auto steepness = static_cast<float>(std::log(share / ((1 - share) / 2)));
    const auto truth = calibration_of(evaluate(copying_network(steepness), rows, {}).value(), rows.labels).value();
    EXPECT_LT(truth.error, 0.015);
    std::int64_t counted = 0;
    for (const ReliabilityBin& bin : truth.bins) {
        counted += bin.rows;
        EXPECT_EQ(std::isnan(bin.accuracy), bin.rows == 0);
    }
    EXPECT_EQ(counted, 20000);
    EXPECT_EQ(truth.bins.size(), 10u);
    const auto sure = calibration_of(evaluate(copying_network(20), rows, {}).value(), rows.labels).value();
    EXPECT_NEAR(sure.error, 1 - share, 0.02);
    EXPECT_EQ(sure.bins.back().rows, 20000);
    EXPECT_TRUE(std::isnan(calibration_of({}, {})->error));
}

/// Rows a day apart of symbols of so many, each known so many days after its bar has closed.
struct DatedLabels {
    DatedLabels(const std::vector<std::size_t>& symbols, const std::vector<int>& known_after) {
        std::size_t row = 0;
        for (const std::size_t count : symbols) {
            for (std::size_t i = 0; i < count; ++i, ++row) {
                closes.push_back(UtcTime{} + std::chrono::hours{24 * (static_cast<int>(i) + 1)});
                known.push_back(closes.back() + std::chrono::hours{24 * known_after.at(row)});
            }
        }
    }

    [[nodiscard]] LabelTimes times() const { return {closes, known}; }

    std::vector<UtcTime> closes{};
    std::vector<UtcTime> known{};
};

TEST(Persistence, LooksAHorizonBackWithinASymbol) {
    const std::vector<std::int64_t> labels{0, 1, 0, 1, 2, 2, 0};
    const std::vector<std::size_t> symbols{4, 3};
    const DatedLabels dated(symbols, std::vector<int>(labels.size(), 2));
    const Persistence found = persistence_of(labels, dated.times(), symbols).value();
    EXPECT_EQ(found.rows, 3);
    EXPECT_DOUBLE_EQ(found.accuracy, 2.0 / 3);
    const DatedLabels late(symbols, std::vector<int>(labels.size(), 5));
    EXPECT_TRUE(std::isnan(persistence_of(labels, late.times(), symbols)->accuracy));
}

TEST(Persistence, SaysTheNewestLabelThatIsKnownAndNoneThatIsNot) {
    std::mt19937 random(3);
    for (int round = 0; round < 200; ++round) {
        const std::vector<std::size_t> symbols{1 + random() % 40, random() % 40};
        std::vector<std::int64_t> labels;
        std::vector<int> known_after;
        for (std::size_t row = 0; row < symbols[0] + symbols[1]; ++row) {
            labels.push_back(static_cast<std::int64_t>(random() % 3));
            known_after.push_back(1 + static_cast<int>(random() % 20));
        }
        const DatedLabels dated(symbols, known_after);
        std::int64_t rows = 0;
        std::int64_t right = 0;
        std::size_t first = 0;
        for (const std::size_t count : symbols) {
            for (std::size_t row = first; row < first + count; ++row) {
                for (std::size_t before = row; before-- > first;) {
                    if (dated.known[before] <= dated.closes[row]) {
                        ++rows;
                        right += labels[row] == labels[before] ? 1 : 0;
                        break;
                    }
                }
            }
            first += count;
        }
        const Persistence found = persistence_of(labels, dated.times(), symbols).value();
        ASSERT_EQ(found.rows, rows);
        if (rows > 0) {
            ASSERT_DOUBLE_EQ(found.accuracy, static_cast<double>(right) / static_cast<double>(rows));
        }
    }
}

TEST(Confidence, IsTheSameForTheSameRowsAndHoldsTheAccuracy) {
    const LabeledMatrix rows = made_rows(900, 0.3, 2);
    const auto predicted = evaluate(copying_network(2), rows, {})->predicted;
    std::vector<UtcTime> starts = hours(0, 500);
    std::ranges::copy(hours(100, 400), std::back_inserter(starts));
    const Confidence one = confidence_of(outcomes_of(rows.labels, predicted, 1, starts).value(), 5).value();
    const Confidence two = confidence_of(outcomes_of(rows.labels, predicted, 1, starts).value(), 5).value();
    EXPECT_EQ(one.accuracy.low, two.accuracy.low);
    EXPECT_EQ(one.gain.high, two.gain.high);
    std::int64_t right = 0;
    for (std::size_t row = 0; row < predicted.size(); ++row) {
        right += predicted[row] == rows.labels[row] ? 1 : 0;
    }
    const double accuracy = static_cast<double>(right) / 900;
    EXPECT_LT(one.accuracy.low, accuracy);
    EXPECT_GT(one.accuracy.high, accuracy);
    EXPECT_EQ(one.block_rows, 8u);
    EXPECT_TRUE(one.beats_prior());
    EXPECT_FALSE(confidence_of({}, 5)->beats_prior());
}

TEST(Confidence, LetsAGuessSeldomBeatThePrior) {
    const int guesses = soak_count(200, 2000);
    int beaten = 0;
    for (unsigned seed = 1; seed <= static_cast<unsigned>(guesses); ++seed) {
        const LabeledMatrix rows = made_rows(300, 0, seed);
        const auto predicted = evaluate(copying_network(2), rows, {})->predicted;
        beaten +=
            confidence_of(outcomes_of(rows.labels, predicted, 0, hours(0, 300)).value(), 5)->beats_prior() ? 1 : 0;
    }
    // One in forty would be 5 of 200.
    EXPECT_LE(beaten, 4 + guesses / 20);
}

TEST(Confidence, LetsAGuessSeldomBeatThePriorOfFewRowsEither) {
    // Odd, so that no walk ends where it began.
    constexpr std::size_t horizon = 9;
    const int guesses = soak_count(200, 2000);
    for (const std::size_t answers : {1u, 2u, 4u, 7u, 8u, 12u}) {
        std::mt19937 random(static_cast<unsigned>(answers));
        int beaten = 0;
        for (int guess = 0; guess < guesses; ++guess) {
            // Which way a walk goes from each row on, as the moves before it went.
            const std::size_t times = answers * horizon;
            std::vector<int> steps(times + 2 * horizon);
            for (std::size_t at = 1; at < steps.size(); ++at) {
                steps[at] = steps[at - 1] + (random() % 2 == 0 ? 1 : -1);
            }
            TestOutcomes outcomes;
            for (std::size_t row = horizon; row < times + horizon; ++row) {
                const bool rises = steps[row + horizon] > steps[row];
                const bool said = steps[row] > steps[row - horizon];
                outcomes.rows.push_back(1);
                outcomes.right.push_back(rises == said ? 1 : 0);
                outcomes.always.push_back(rises ? 1 : 0);
            }
            beaten += confidence_of(outcomes, horizon)->beats_prior() ? 1 : 0;
        }
        // One in forty would be 5 of 200; of few blocks somewhat more come to it.
        EXPECT_LE(beaten, 5 + guesses / 12) << answers;
    }
}

TEST(Confidence, OfRowsThatShareTheirAnswersIsWider) {
    // Ten rows in a row have one label and one answer: a tenth of the rows is worth as much.
    std::mt19937 random(3);
    std::vector<std::int64_t> labels;
    std::vector<std::int64_t> predicted;
    for (int run = 0; run < 100; ++run) {
        const auto label = static_cast<std::int64_t>(random() % 2);
        const auto said = static_cast<std::int64_t>(random() % 2);
        labels.insert(labels.end(), 10, label);
        predicted.insert(predicted.end(), 10, said);
    }
    const auto width = [&](std::size_t horizon) {
        const Confidence found =
            confidence_of(outcomes_of(labels, predicted, 0, hours(0, 1000)).value(), horizon).value();
        return found.accuracy.high - found.accuracy.low;
    };
    // Independent rows would give 0.062, a hundred ones 0.196.
    EXPECT_GT(width(40), 0.15);
}

/// Answers of one symbol, and the same of a copy of it that has bars at some of the times only.
struct Copied {
    std::vector<UtcTime> starts = hours(0, 700);
    std::vector<std::int64_t> labels{};
    std::vector<std::size_t> symbols{700};

    /// `in_copy` says which rows the copy has.
    template <class InCopy>
    explicit Copied(InCopy in_copy) {
        std::mt19937 random(5);
        for (std::size_t row = 0; row < symbols[0]; ++row) {
            labels.push_back(row % 7 == 0 ? static_cast<std::int64_t>(random() % 2) : labels.back());
        }
        std::size_t copied = 0;
        for (std::size_t row = 0; row < symbols[0]; ++row) {
            if (in_copy(row)) {
                starts.push_back(starts[row]);
                labels.push_back(labels[row]);
                ++copied;
            }
        }
        symbols.push_back(copied);
    }
    [[nodiscard]] double width(std::size_t lookahead) const {
        const std::vector<std::int64_t> predicted(labels.size(), 1);
        const Confidence found = confidence_of(outcomes_of(labels, predicted, 0, starts).value(),
                                               horizon_in_times(starts, symbols, lookahead).value())
                                     .value();
        return found.accuracy.high - found.accuracy.low;
    }
};

TEST(Confidence, IsNoSurerForACopyOfASymbolThatTradesAtOtherTimes) {
    const double alone = Copied([](std::size_t) { return false; }).width(7);
    EXPECT_GT(Copied([](std::size_t) { return true; }).width(7), 0.99 * alone);
    // It has no weekends.
    EXPECT_GT(Copied([](std::size_t row) { return row % 7 < 5; }).width(7), 0.95 * alone);
    // It was traded until then.
    EXPECT_GT(Copied([](std::size_t row) { return row < 350; }).width(7), 0.99 * alone);
}

TEST(HorizonInTimes, CountsTheTimesOfAllSymbolsThatALabelSees) {
    const std::vector<UtcTime> one = hours(0, 100);
    EXPECT_EQ(horizon_in_times(one, std::vector<std::size_t>{100}, 5).value(), 5u);
    EXPECT_EQ(horizon_in_times({}, std::vector<std::size_t>{0}, 5).value(), 5u);
    std::vector<UtcTime> both = one;
    for (std::size_t row = 0; row < one.size(); row += 4) {
        both.push_back(one[row]);
    }
    EXPECT_EQ(horizon_in_times(both, std::vector<std::size_t>{100, 25}, 5).value(), 20u);
    both = one;
    for (const UtcTime time : one) {
        both.push_back(time + std::chrono::minutes{30});
    }
    EXPECT_EQ(horizon_in_times(both, std::vector<std::size_t>{100, 100}, 5).value(), 10u);
    // One that has ended is no reason.
    both = one;
    std::ranges::copy(hours(0, 10), std::back_inserter(both));
    EXPECT_EQ(horizon_in_times(both, std::vector<std::size_t>{100, 10}, 5).value(), 5u);
}

TEST(PermutationImportance, IsThatOfWhatTheNetworkLooksAt) {
    const auto lost = permutation_importance(copying_network(2), made_rows(2000, 0.9, 4), {}).value();
    ASSERT_EQ(lost.size(), 4u);
    for (const std::size_t column : {0u, 1u, 2u}) {
        EXPECT_GT(lost[column], 0.1);
    }
    EXPECT_EQ(lost[3], 0);
}

}  // namespace
}  // namespace ktrdr
