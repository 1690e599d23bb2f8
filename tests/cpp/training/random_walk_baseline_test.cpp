// The baseline is there to find leaks of the pipeline, so one is planted: a trainer that learns from the test rows.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>

#include <ktrdr/operations/registry.hpp>
#include <ktrdr/training/local_training_runner.hpp>
#include <ktrdr/training/training_progress.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

/// Multinomial logistic regression by gradient descent, on the rows that are shown to it.
class LinearTrainer final : public Trainer {
public:
    explicit LinearTrainer(bool leaks) : leaks_(leaks) {}

    Result<TrainedModel> train(const TrainerInput& input, TrainerEvents& events, const CancellationToken&) override {
        const LabeledMatrix& rows = leaks_ ? input.rows->test : input.rows->train;
        const std::size_t inputs = rows.columns;
        std::vector<float> weight(3 * inputs);
        std::vector<float> bias(3);
        for (int step = 0; step < 3000; ++step) {
            descend(rows, weight, bias);
        }
        TrainedModel model;
        model.history.push_back({1, 1.0, 0.5, 1.0, 0.5, 0.1, true});
        events.on_epoch(model.history.back());
        model.best_epoch = 1;
        model.parameters = {{"0.weight", {3, static_cast<std::int64_t>(inputs)}, weight}, {"0.bias", {3}, bias}};
        return model;
    }

private:
    static void descend(const LabeledMatrix& rows, std::vector<float>& weight, std::vector<float>& bias) {
        constexpr double rate = 4.0;
        std::vector<double> slope(weight.size());
        std::array<double, 3> level{};
        for (std::size_t row = 0; row < rows.rows; ++row) {
            const float* const values = rows.values.data() + row * rows.columns;
            std::array<double, 3> chance{};
            double sum = 0;
            for (std::size_t k = 0; k < 3; ++k) {
                double logit = static_cast<double>(bias[k]);
                for (std::size_t i = 0; i < rows.columns; ++i) {
                    logit += static_cast<double>(weight[k * rows.columns + i]) * static_cast<double>(values[i]);
                }
                sum += chance[k] = std::exp(logit);
            }
            for (std::size_t k = 0; k < 3; ++k) {
                const double wrong = chance[k] / sum - (rows.labels[row] == static_cast<std::int64_t>(k) ? 1 : 0);
                level[k] += wrong;
                for (std::size_t i = 0; i < rows.columns; ++i) {
                    slope[k * rows.columns + i] += wrong * static_cast<double>(values[i]);
                }
            }
        }
        const double size = rate / static_cast<double>(rows.rows);
        for (std::size_t i = 0; i < weight.size(); ++i) {
            weight[i] -= static_cast<float>(size * slope[i]);
        }
        for (std::size_t k = 0; k < 3; ++k) {
            bias[k] -= static_cast<float>(size * level[k]);
        }
    }

    bool leaks_;
};

struct RandomWalkBaselineTest : test::TrainingPlace {
    boost::json::object measured(bool leaks) {
        bars->add("AAPL", 500, 1);
        bars->add("MSFT", 500, 2);
        TrainingRequest asked;
        asked.strategy = test::strategy_json();
        // Many inputs beside few rows, so that what is shown can be learnt by heart.
        asked.strategy["model"].as_object()["features"] = {{"lookback_periods", 12}};
        asked.strategy["training"].as_object()["labels"].as_object()["label_lookahead"] = 1;
        const auto context = build_training_context(asked);
        EXPECT_TRUE(context) << context.error().message;
        const auto slot = std::make_shared<TrainerSlot>();
        slot->fulfil(std::make_shared<LinearTrainer>(leaks));
        const auto operation = registry.create({"training", "", "", {}}).value().operation;
        (void)operation->start();
        operation->progress().set_steps(training_steps());
        LocalTrainingRunner runner(*context, bars, slot, ModelDirectory(folder.path(), clock), clock);
        SharedTrainingData shared;
        const auto result = runner.run(*operation, shared);
        EXPECT_TRUE(result) << result.error().message;
        return result->at("baselines").at("random_walk").as_object();
    }

    /// How far the accuracy lies above the prior, in widths of its 99 % band.
    static double lead(const boost::json::object& walk) {
        const double prior = walk.at("class_prior").as_double();
        const auto rows = walk.at("rows").to_number<double>();
        return (walk.at("test_accuracy").as_double() - prior) / (2.576 * std::sqrt(prior * (1 - prior) / rows));
    }
};

using RandomWalkBaseline_ = RandomWalkBaselineTest;

TEST_F(RandomWalkBaseline_, StaysInTheBandOfThePriorWhereNothingLeaks) {
    const auto walk = measured(false);
    EXPECT_TRUE(walk.at("reason").is_null());
    EXPECT_GT(walk.at("rows").to_number<int>(), 150);
    EXPECT_LE(lead(walk), 1);
}

TEST_F(RandomWalkBaseline_, LiesAboveThePriorWhereTheTrainerSeesTheTestRows) {
    EXPECT_GT(lead(measured(true)), 1);
}

}  // namespace
}  // namespace ktrdr
