#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <thread>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/models/mlp.hpp>
#include <ktrdr/torch_trainer/local_trainer.hpp>
#include <ktrdr/training/evaluation.hpp>
#include <ktrdr/training/training_result.hpp>

#include "torch_trainer/plain_network.hpp"
#include "torch_trainer/small_training.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;
using testing::Not;

/// What a model says of the test rows, as whoever saves it measures that.
Evaluation tested(const TrainerInput& input, const TrainedModel& model) {
    return evaluate(Mlp::make(model.parameters, input.model.activation).value(), input.rows->test, {}).value();
}

/// The start weights of a network with this input: a step this small moves no float.
std::vector<NamedTensor> start_of(TrainerInput input) {
    input.options.learning_rate = 1e-30;
    input.options.epochs = 1;
    input.options.optimizer = "sgd";
    return train(input).value().parameters;
}

TEST(LocalTrainer, LearnsWhatCanBeLearned) {
    const TrainerInput input = small_input();
    const TrainedModel model = train(input).value();
    EXPECT_GT(model.history.back().train_accuracy, 0.85);
    EXPECT_GT(model.history.back().val_accuracy, 0.9);
    EXPECT_LT(model.history.back().train_loss, model.history.front().train_loss);
    const Evaluation test = tested(input, model);
    EXPECT_LT(test.loss, 0.4);
    EXPECT_EQ(test.predicted.size(), 90u);
    EXPECT_GT(classification_figures(test.confusion).accuracy, 80.0 / 90);
}

TEST(LocalTrainer, NamesParametersAsSequentialDoes) {
    const TrainedModel model = train(small_input()).value();
    std::vector<std::string> names;
    for (const NamedTensor& parameter : model.parameters) {
        names.push_back(parameter.name);
        std::int64_t elements = 1;
        for (const std::int64_t extent : parameter.shape) {
            elements *= extent;
        }
        EXPECT_EQ(static_cast<std::int64_t>(parameter.values.size()), elements);
    }
    EXPECT_THAT(names, testing::ElementsAre("0.weight", "0.bias", "3.weight", "3.bias", "6.weight", "6.bias"));
    EXPECT_THAT(model.parameters[0].shape, testing::ElementsAre(16, 4));
    EXPECT_THAT(model.parameters[5].shape, testing::ElementsAre(3));
}

TEST(LocalTrainer, StartsInTheRangeOfLinear) {
    for (const NamedTensor& parameter : start_of(small_input())) {
        const double inputs = parameter.name.starts_with("0.") ? 4 : parameter.name.starts_with("3.") ? 16 : 8;
        float largest = 0;
        for (const float value : parameter.values) {
            largest = std::max(largest, std::abs(value));
        }
        EXPECT_LE(largest, 1 / std::sqrt(inputs)) << parameter.name;
        EXPECT_GT(largest, 0.3 / std::sqrt(inputs)) << parameter.name;
    }
}

TEST(LocalTrainer, GivesTheSameBitsForTheSameSeedAloneAndBesideOthers) {
    const TrainerInput input = small_input();
    const TrainedModel alone = train(input).value();

    TrainerInput other = small_input();
    other.options.seed = 8;
    other.options.epochs = 8;
    TrainedModel beside;
    TrainedModel second;
    TrainedModel third;
    std::thread a{[&] { beside = train(input).value(); }};
    std::thread b{[&] { second = train(other).value(); }};
    std::thread c{[&] { third = train(other).value(); }};
    a.join();
    b.join();
    c.join();

    EXPECT_EQ(beside.parameters, alone.parameters);
    EXPECT_EQ(beside.history, alone.history);
    EXPECT_EQ(second.parameters, third.parameters);
    EXPECT_NE(second.parameters, alone.parameters);
}

class OneStep : public testing::TestWithParam<std::string> {};

TEST_P(OneStep, FollowsTheGradientWorkedOutByHand) {
    TrainerInput input = small_input();
    input.model.activation = GetParam();
    input.model.dropout = 0;
    input.options.epochs = 1;
    input.options.batch_size = 600;
    input.options.optimizer = "sgd";
    input.options.learning_rate = 0.5;
    input.options.weight_decay = 0.01;
    input.options.class_weights = {1, 2, 0.5};
    const auto start = start_of(input);
    const auto gradients = plain_gradients(start, input);
    const auto moved = train(input).value().parameters;
    for (std::size_t i = 0; i < start.size(); ++i) {
        for (std::size_t k = 0; k < start[i].values.size(); ++k) {
            const double before = start[i].values[k];
            const double expected = before - 0.5 * (gradients[i][k] + 0.01 * before);
            ASSERT_NEAR(moved[i].values[k], expected, 2e-6) << start[i].name << " " << k;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Activations, OneStep, testing::Values("relu", "tanh", "sigmoid", "leaky_relu", "gelu"));

TEST(LocalTrainer, MovesByTheLearningRateInAdamsFirstStep) {
    for (const std::string optimizer : {"adam", "adamw"}) {
        TrainerInput input = small_input();
        input.model.dropout = 0;
        input.options.epochs = 1;
        input.options.batch_size = 600;
        input.options.weight_decay = 0.1;
        input.options.optimizer = optimizer;
        const auto start = start_of(input);
        const auto gradients = plain_gradients(start, input);
        const auto moved = train(input).value().parameters;
        for (std::size_t i = 0; i < start.size(); ++i) {
            for (std::size_t k = 0; k < start[i].values.size(); ++k) {
                const double before = start[i].values[k];
                const bool inside = optimizer == "adam";
                const double gradient = gradients[i][k] + (inside ? 0.1 * before : 0);
                const double decayed = inside ? before : before * (1 - 0.01 * 0.1);
                const double expected = decayed - 0.01 * gradient / (std::abs(gradient) + 1e-8);
                if (std::abs(gradient) > 1e-5) {
                    ASSERT_NEAR(moved[i].values[k], expected, 2e-5) << optimizer << start[i].name << " " << k;
                }
            }
        }
    }
}

TEST(LocalTrainer, ClipsTheGradientToItsNorm) {
    TrainerInput input = small_input();
    input.options.epochs = 1;
    input.options.batch_size = 600;
    input.options.optimizer = "sgd";
    input.options.learning_rate = 1;
    input.options.weight_decay = 0;
    input.options.gradient_clip = 0.01;
    const auto start = start_of(input);
    const auto moved = train(input).value().parameters;
    double norm = 0;
    for (std::size_t i = 0; i < start.size(); ++i) {
        for (std::size_t k = 0; k < start[i].values.size(); ++k) {
            norm += std::pow(static_cast<double>(moved[i].values[k]) - static_cast<double>(start[i].values[k]), 2);
        }
    }
    EXPECT_NEAR(std::sqrt(norm), 0.01, 1e-4);
}

TEST(LocalTrainer, LearnsWithEveryOptimizer) {
    for (const std::string optimizer : {"adam", "adamw", "sgd"}) {
        TrainerInput input = small_input();
        input.options.optimizer = optimizer;
        input.options.learning_rate = optimizer == "sgd" ? 0.2 : 0.01;
        input.options.gradient_clip = 1.0;
        EXPECT_GT(train(input).value().history.back().val_accuracy, 0.8) << optimizer;
    }
}

TEST(LocalTrainer, LeansTowardsTheHeavierClass) {
    TrainerInput input = small_input();
    rows_of(input).train = clouds(600, 1, 2.0F);
    rows_of(input).test = clouds(300, 3, 2.0F);
    const auto predicted_as_second = [&] {
        std::int64_t rows = 0;
        for (const auto& line : tested(input, train(input).value()).confusion) {
            rows += line[1];
        }
        return rows;
    };
    input.options.class_weights = {1, 1, 1};
    const std::int64_t even = predicted_as_second();
    input.options.class_weights = {1, 10, 1};
    EXPECT_GT(predicted_as_second(), even + 50);
}

TEST(LocalTrainer, GivesBackTheWeightsOfTheBestEpoch) {
    TrainerInput input = small_input();
    // So steep that validation gets worse after its best epoch.
    TrainingRows& rows = rows_of(input);
    rows.train = clouds(60, 1, 2.0F);
    rows.validation = clouds(60, 2, 2.0F);
    rows.test = rows.validation;
    input.model.dropout = 0;
    input.options.learning_rate = 0.03;
    input.options.epochs = 60;
    input.options.early_stopping = EarlyStopping{.patience = 4};
    const TrainedModel model = train(input).value();

    ASSERT_TRUE(model.early_stopped);
    ASSERT_EQ(model.history.size(), static_cast<std::size_t>(model.best_epoch) + 4);
    const EpochReport& best = model.history[static_cast<std::size_t>(model.best_epoch - 1)];
    EXPECT_TRUE(best.best);
    for (const EpochReport& report : model.history) {
        EXPECT_GE(report.val_loss, best.val_loss);
    }
    const double loss = tested(input, model).loss;
    EXPECT_NEAR(loss, best.val_loss, 1e-6);
    EXPECT_GT(std::abs(loss - model.history.back().val_loss), 1e-3);

    input.options.early_stopping.reset();
    input.options.epochs = model.best_epoch;
    EXPECT_EQ(train(input).value().parameters, model.parameters);
}

TEST(LocalTrainer, KeepsTheTrulyBestEpochWhateverCountsForThePatience) {
    for (const std::string monitor : {"val_loss", "val_accuracy"}) {
        for (const double min_delta : {0.0, 0.001, 0.05, 0.5}) {
            TrainerInput input = small_input();
            input.options.learning_rate = 0.002;
            input.options.epochs = 30;
            input.options.early_stopping = EarlyStopping{.patience = 25, .min_delta = min_delta, .monitor = monitor};
            const TrainedModel model = train(input).value();
            const auto score = [&](const EpochReport& report) {
                return monitor == "val_loss" ? -report.val_loss : report.val_accuracy;
            };
            const auto best = std::ranges::max_element(model.history, {}, score);
            EXPECT_EQ(model.best_epoch, best->epoch) << monitor << " " << min_delta;
            EXPECT_TRUE(best->best);
            // Patience: from the last epoch that was better by min_delta than the one before it that was.
            std::int64_t since = 1;
            double reference = score(model.history.front());
            for (const EpochReport& report : model.history) {
                if (score(report) > reference + min_delta) {
                    reference = score(report);
                    since = report.epoch;
                }
            }
            EXPECT_EQ(model.early_stopped, since + 25 < 30) << monitor << " " << min_delta;
            EXPECT_EQ(model.history.size(), static_cast<std::size_t>(std::min<std::int64_t>(since + 25, 30)));
        }
    }
}

TEST(LocalTrainer, WatchesTheAccuracyWhenToldTo) {
    TrainerInput input = small_input();
    input.options.epochs = 30;
    input.options.early_stopping = EarlyStopping{.patience = 2, .monitor = "val_accuracy"};
    const TrainedModel model = train(input).value();
    const double best = model.history[static_cast<std::size_t>(model.best_epoch - 1)].val_accuracy;
    for (const EpochReport& report : model.history) {
        EXPECT_LE(report.val_accuracy, best);
    }
    EXPECT_TRUE(model.early_stopped);
}

TEST(LocalTrainer, TellsEveryTenthBatchAndTheEdges) {
    TrainerInput input = small_input();
    input.options.epochs = 2;
    input.options.batch_size = 10;
    rows_of(input).train = clouds(645, 1);
    RecordingEvents events;
    const TrainedModel model = LocalTrainer{}.train(input, events, {}).value();
    std::vector<std::int64_t> told;
    for (const RecordingEvents::Batch& batch : events.batches_told) {
        EXPECT_EQ(batch.batches, 65);
        EXPECT_TRUE(std::isfinite(batch.loss));
        if (batch.epoch == 2) {
            told.push_back(batch.batch);
        }
    }
    EXPECT_THAT(told, testing::ElementsAre(1, 10, 20, 30, 40, 50, 60, 65));
    EXPECT_DOUBLE_EQ(events.batches_told.back().loss, model.history.back().train_loss);
    EXPECT_EQ(events.epochs_told, model.history);
    EXPECT_EQ(events.evaluations_told, 1);
}

TEST(LocalTrainer, StopsBeforeTheNextBatchWhenCancelled) {
    ManualToken manual;
    RecordingEvents events;
    events.at_batch = [&](const RecordingEvents::Batch& batch) {
        if (batch.epoch == 2 && batch.batch == 10) {
            manual.token.cancel({.text = "enough"});
        }
    };
    const auto model = LocalTrainer{}.train(small_input(), events, manual.token);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, Errc::cancelled);
    EXPECT_THAT(model.error().message, HasSubstr("epoch 2, batch 11"));
    EXPECT_EQ(events.batches_told.back().epoch, 2);
    EXPECT_EQ(events.batches_told.back().batch, 10);
    EXPECT_EQ(events.epochs_told.size(), 1U);
}

TEST(LocalTrainer, StopsInTheEvaluationWhenCancelled) {
    for (const bool in_test : {false, true}) {
        ManualToken manual;
        RecordingEvents events;
        events.at_batch = [&](const RecordingEvents::Batch& batch) {
            if (!in_test && batch.batch == batch.batches) {
                manual.token.cancel({});
            }
        };
        events.at_evaluation = [&] { manual.token.cancel({}); };
        const auto model = LocalTrainer{}.train(small_input(), events, manual.token);
        ASSERT_FALSE(model);
        EXPECT_EQ(model.error().code, Errc::cancelled);
        EXPECT_THAT(model.error().message, HasSubstr(in_test ? "handing the model over" : "validation part"));
    }
}

TEST(LocalTrainer, NamesEpochAndBatchWhereTheLossStopsBeingANumber) {
    TrainerInput input = small_input();
    input.model.activation = "relu";
    input.options.optimizer = "sgd";
    input.options.learning_rate = 1e20;
    const auto model = train(input);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, Errc::training);
    EXPECT_THAT(model.error().message, HasSubstr("epoch 1, batch "));
    EXPECT_THAT(model.error().message, HasSubstr("1e+20"));
    EXPECT_EQ(model.error().context.at("epoch"), 1);
    EXPECT_GT(model.error().context.at("batch").as_int64(), 1);
    EXPECT_LT(model.error().context.at("batch").as_int64(), 5);
}

TEST(LocalTrainer, NamesThePartWhoseLossIsNotANumber) {
    TrainerInput input = small_input();
    // One step, so far that the next look at the rows has no number left.
    input.options.batch_size = 600;
    input.options.epochs = 1;
    input.options.optimizer = "sgd";
    input.options.learning_rate = 1e30;
    const auto model = train(input);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, Errc::training);
    EXPECT_THAT(model.error().message, HasSubstr("validation part"));
}

TEST(LocalTrainer, DoesNotLookAtTheTestPart) {
    TrainerInput input = small_input();
    const TrainedModel model = train(input).value();
    rows_of(input).test = {};
    EXPECT_EQ(train(input).value().parameters, model.parameters);
}

TEST(LocalTrainer, TrainsALinearModelWithoutHiddenLayers) {
    TrainerInput input = small_input();
    input.model.hidden_layers = {};
    const TrainedModel model = train(input).value();
    ASSERT_EQ(model.parameters.size(), 2U);
    EXPECT_EQ(model.parameters[0].name, "0.weight");
    EXPECT_GT(model.history.back().val_accuracy, 0.8);
}

TEST(LocalTrainer, RefusesWhatIsOutOfRangeAndNamesIt) {
    using Change = std::function<void(TrainerInput&)>;
    const std::vector<std::pair<std::string, Change>> cases{
        {"model.inputs", [](TrainerInput& input) { input.model.inputs = 0; }},
        {"model.classes", [](TrainerInput& input) { input.model.classes = 1; }},
        {"model.hidden_layers", [](TrainerInput& input) { input.model.hidden_layers = {5, 0}; }},
        {"model.dropout", [](TrainerInput& input) { input.model.dropout = 1; }},
        {"model.activation", [](TrainerInput& input) { input.model.activation = "swish"; }},
        {"lr_scheduler.type", [](TrainerInput& input) { input.options.schedule.type = "cosine"; }},
        {"lr_scheduler.step_size", [](TrainerInput& input) { input.options.schedule.step_size = 0; }},
        {"lr_scheduler.gamma", [](TrainerInput& input) { input.options.schedule.gamma = 1; }},
        {"lr_scheduler.patience", [](TrainerInput& input) { input.options.schedule.patience = -1; }},
        {"device", [](TrainerInput& input) { input.options.device = "tpu"; }},
        {"weight of row 1 of the training part",
         [](TrainerInput& input) {
             rows_of(input).train.weights.assign(600, 1.0F);
             rows_of(input).train.weights[1] = 0;
         }},
        {"training part", [](TrainerInput& input) { rows_of(input).train.weights = {1.0F}; }},
        {"feature 2 of row 1 of the training part",
         [](TrainerInput& input) { rows_of(input).train.values[6] = std::numeric_limits<float>::quiet_NaN(); }},
        {"feature 0 of row 0 of the test part",
         [](TrainerInput& input) { rows_of(input).test.values[0] = std::numeric_limits<float>::infinity(); }},
        {"learning_rate", [](TrainerInput& input) { input.options.learning_rate = 0; }},
        {"batch_size", [](TrainerInput& input) { input.options.batch_size = 0; }},
        {"epochs", [](TrainerInput& input) { input.options.epochs = 0; }},
        {"optimizer", [](TrainerInput& input) { input.options.optimizer = "lion"; }},
        {"weight_decay", [](TrainerInput& input) { input.options.weight_decay = -1; }},
        {"gradient_clip", [](TrainerInput& input) { input.options.gradient_clip = 0; }},
        {"class_weights", [](TrainerInput& input) { input.options.class_weights = {1, 1}; }},
        {"class_weights", [](TrainerInput& input) { input.options.class_weights = {1, 0, 1}; }},
        {"early_stopping.patience", [](TrainerInput& input) { input.options.early_stopping = EarlyStopping{0}; }},
        {"early_stopping.monitor",
         [](TrainerInput& input) { input.options.early_stopping = EarlyStopping{1, 0, "luck"}; }},
        {"label of row 3 of the training part", [](TrainerInput& input) { rows_of(input).train.labels[3] = 3; }},
        {"validation part", [](TrainerInput& input) { rows_of(input).validation.values.pop_back(); }},
        {"test part", [](TrainerInput& input) { rows_of(input).test = LabeledMatrix{1, 1, {0.5F}, {0}, {}}; }},
    };
    for (const auto& [field, change] : cases) {
        TrainerInput input = small_input();
        change(input);
        const auto model = train(input);
        ASSERT_FALSE(model) << field;
        EXPECT_EQ(model.error().code, Errc::invalid_argument) << field;
        EXPECT_THAT(model.error().message, HasSubstr(field + " is "));
        EXPECT_THAT(model.error().message, HasSubstr("must be"));
    }
}

TEST(LocalTrainer, RefusesAnEmptyPart) {
    TrainerInput input = small_input();
    rows_of(input).validation = {};
    const auto model = train(input);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, Errc::not_enough_data);
    EXPECT_THAT(model.error().message, HasSubstr("validation part"));
}

TEST(LocalTrainer, RefusesFewerRowsThanABatchAndOneClassAlone) {
    TrainerInput few = small_input();
    few.options.batch_size = 601;
    EXPECT_EQ(train(few).error().code, Errc::not_enough_data);
    EXPECT_THAT(train(few).error().message, HasSubstr("600 rows, fewer than one batch of 601"));

    TrainerInput alike = small_input();
    rows_of(alike).train.labels.assign(600, 1);
    EXPECT_EQ(train(alike).error().code, Errc::not_enough_data);
    EXPECT_THAT(train(alike).error().message, HasSubstr("all 600 rows of the training part have one label, 1"));
}

TEST(LocalTrainer, RefusesADeviceThatIsNotThereBeforeAnyWork) {
    TrainerInput input = small_input();
    // No machine has both.
    RecordingEvents events;
    int refused = 0;
    for (const std::string device : {"cuda", "mps"}) {
        input.options.device = device;
        const auto model = LocalTrainer{}.train(input, events, {});
        if (!model) {
            ++refused;
            EXPECT_EQ(model.error().code, Errc::not_available);
            EXPECT_THAT(model.error().message, HasSubstr("\"" + device + "\""));
        }
    }
    EXPECT_GT(refused, 0);
}

TEST(LocalTrainer, TurnsWhatLibTorchThrowsIntoAnError) {
    TrainerInput input = small_input();
    // More memory than there are addresses.
    input.model.hidden_layers = {std::int64_t{1} << 56};
    const auto model = train(input);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, Errc::training);
    EXPECT_THAT(model.error().message, HasSubstr("LibTorch could not go on"));
    EXPECT_THAT(model.error().message, Not(HasSubstr("frame #")));
}

}  // namespace
}  // namespace ktrdr
