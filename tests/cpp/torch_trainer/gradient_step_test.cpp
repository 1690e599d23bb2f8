#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "soak.hpp"
#include "torch_trainer/small_training.hpp"

namespace ktrdr {
namespace {

/// One long step of plain gradient descent, so that the weights afterwards are the gradient but for its size.
TrainerInput one_step(std::int64_t width, std::int64_t batch, const std::string& activation, double dropout) {
    TrainerInput input = small_input();
    input.model.activation = activation;
    input.model.hidden_layers = {width, width};
    input.model.dropout = dropout;
    input.options.batch_size = batch;
    input.options.epochs = 1;
    input.options.optimizer = "sgd";
    input.options.learning_rate = 1e6;
    input.options.weight_decay = 0;
    rows_of(input).train = clouds(static_cast<std::size_t>(batch), 1);
    return input;
}

/// The largest difference of two models' parameters, each as a part of the largest number of its tensor.
double distance(const TrainedModel& left, const TrainedModel& right) {
    double largest = 0;
    for (std::size_t i = 0; i < left.parameters.size(); ++i) {
        double scale = 0;
        double apart = 0;
        for (std::size_t k = 0; k < left.parameters[i].values.size(); ++k) {
            const double one = left.parameters[i].values[k];
            const double other = right.parameters[i].values[k];
            scale = std::max(scale, std::abs(other));
            apart = std::max(apart, std::abs(one - other));
        }
        largest = std::max(largest, apart / scale);
    }
    return largest;
}

double distance_of_steps(const TrainerInput& input) {
    return distance(train(input, StepChoice::mlp).value(), train(input, StepChoice::general).value());
}

class MlpStepTest : public testing::TestWithParam<std::string> {};

TEST_P(MlpStepTest, GivesTheGradientsOfAutogradForEveryWidthAndBatch) {
    const std::vector<std::int64_t> widths{1, 2, 3, 7, 16, 50, 64, 129, 512};
    const std::vector<std::int64_t> batches{3, 4, 31, 32, 257, 4096};
    for (const std::int64_t width : widths) {
        for (const std::int64_t batch : batches) {
            if (width * width * batch > soak_count(20'000'000, 2'000'000'000)) {
                continue;
            }
            EXPECT_LT(distance_of_steps(one_step(width, batch, GetParam(), 0)), 1e-5) << width << " " << batch;
        }
    }
}

TEST_P(MlpStepTest, DrawsTheSameDropoutAsAutograd) {
    for (const std::int64_t width : {1, 16, 50}) {
        for (const double dropout : {0.2, 0.9}) {
            const TrainerInput input = one_step(width, 96, GetParam(), dropout);
            EXPECT_LT(distance_of_steps(input), 1e-5) << width << " " << dropout;
        }
    }
}

TEST_P(MlpStepTest, FollowsAutogradThroughShortLastBatchesAndManyBlocks) {
    // One row more or less, at the edges of batches and of blocks of fifty of them.
    for (const std::size_t rows : {33U, 63U, 64U, 65U, 1599U, 1600U, 1601U, 1633U}) {
        TrainerInput input = small_input();
        input.model.activation = GetParam();
        input.options.optimizer = "sgd";
        input.options.epochs = 2;
        rows_of(input).train = clouds(rows, 1);
        EXPECT_LT(distance_of_steps(input), 1e-5) << rows;
    }
}

TEST_P(MlpStepTest, TakesBatchesOfOneRowAndOfTwo) {
    for (const std::int64_t batch : {1, 2}) {
        TrainerInput input = small_input();
        input.model.activation = GetParam();
        input.options.optimizer = "sgd";
        input.options.batch_size = batch;
        input.options.epochs = 1;
        rows_of(input).train = clouds(41, 1);
        EXPECT_LT(distance_of_steps(input), 1e-5) << batch;
    }
}

INSTANTIATE_TEST_SUITE_P(Activations, MlpStepTest,
                         testing::ValuesIn(std::vector<std::string>(activation_names.begin(), activation_names.end())),
                         [](const auto& name) { return name.param; });

TEST(MlpStep, WeighsRowsAndClassesAsAutogradDoes) {
    TrainerInput input = one_step(16, 300, "relu", 0.2);
    input.options.class_weights = {1, 3, 0.5};
    auto& weights = rows_of(input).train.weights;
    for (std::size_t row = 0; row < 300; ++row) {
        weights.push_back(0.5F + static_cast<float>(row % 7));
    }
    EXPECT_LT(distance_of_steps(input), 1e-5);
}

TEST(MlpStep, CountsLossesAndHitsAsAutogradDoes) {
    const TrainerInput input = small_input();
    const TrainedModel own = train(input, StepChoice::mlp).value();
    const TrainedModel general = train(input, StepChoice::general).value();
    for (std::size_t epoch = 0; epoch < own.history.size(); ++epoch) {
        EXPECT_NEAR(own.history[epoch].train_loss, general.history[epoch].train_loss, 1e-4);
        EXPECT_NEAR(own.history[epoch].train_accuracy, general.history[epoch].train_accuracy, 0.005);
    }
}

TEST(MlpStep, LearnsALinearModelToo) {
    TrainerInput input = one_step(1, 96, "relu", 0.2);
    input.model.hidden_layers = {};
    EXPECT_LT(distance_of_steps(input), 1e-5);
}

TEST(GradientStep, GivesTheSameBitsForTheSameSeedEachWithItself) {
    for (const StepChoice step : {StepChoice::mlp, StepChoice::general}) {
        const TrainedModel first = train(small_input(), step).value();
        const TrainedModel second = train(small_input(), step).value();
        EXPECT_EQ(first.parameters, second.parameters);
        EXPECT_EQ(first.history, second.history);
    }
}

TEST(GradientStep, GivesTheSameBitsWhereverTheRowsLie) {
    TrainerInput input = small_input();
    input.model.hidden_layers = {50, 25};
    const TrainedModel first = train(input).value();
    std::vector<std::vector<char>> between;
    for (std::size_t i = 0; i < 24; ++i) {
        // Each copy lies elsewhere, as far as a vector's memory may: at any multiple of 16 bytes.
        between.emplace_back(16 + 16 * (i % 4));
        TrainingRows& rows = rows_of(input);
        for (LabeledMatrix* part : {&rows.train, &rows.validation, &rows.test}) {
            between.emplace_back(16 + 16 * (i % 3));
            part->values = std::vector<float>(part->values);
        }
        const TrainedModel other = train(input).value();
        EXPECT_EQ(other.parameters, first.parameters) << i;
        EXPECT_EQ(other.history, first.history) << i;
    }
}

TEST(GradientStep, IsTheOneForPerceptronsOnTheCpu) {
    EXPECT_EQ(train(small_input()).value().parameters, train(small_input(), StepChoice::mlp).value().parameters);
    EXPECT_NE(train(small_input()).value().parameters, train(small_input(), StepChoice::general).value().parameters);
}

TEST(GradientStep, NamesEpochAndBatchWhereTheLossStopsBeingANumber) {
    for (const StepChoice step : {StepChoice::mlp, StepChoice::general}) {
        for (const std::string_view activation : {"relu", "leaky_relu", "gelu"}) {
            TrainerInput input = small_input();
            input.model.activation = activation;
            input.options.optimizer = "sgd";
            input.options.learning_rate = 1e20;
            const auto model = train(input, step);
            ASSERT_FALSE(model);
            EXPECT_EQ(model.error().code, Errc::training);
            EXPECT_THAT(model.error().message, testing::HasSubstr("epoch 1, batch "));
            EXPECT_THAT(model.error().message, testing::HasSubstr("1e+20"));
        }
    }
}

}  // namespace
}  // namespace ktrdr
