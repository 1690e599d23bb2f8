#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <thread>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/torch_trainer/local_trainer.hpp>

#include "torch_trainer/plain_network.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Remembers what it is told; `at_batch` and `at_epoch` let a test step in.
class RecordingEvents final : public TrainerEvents {
public:
    struct Batch {
        std::int64_t epoch;
        std::int64_t batch;
        std::int64_t batches;
        double loss;
    };
    void on_batch(std::int64_t epoch, std::int64_t batch, std::int64_t batches, double loss) override {
        batches_told.push_back({epoch, batch, batches, loss});
        if (at_batch) {
            at_batch(batches_told.back());
        }
    }
    void on_epoch(const EpochReport& report) override { epochs_told.push_back(report); }
    void on_evaluation() override {
        ++evaluations_told;
        if (at_evaluation) {
            at_evaluation();
        }
    }

    std::function<void(const Batch&)> at_batch{};
    std::function<void()> at_evaluation{};
    std::vector<Batch> batches_told{};
    std::vector<EpochReport> epochs_told{};
    int evaluations_told{0};
};

/// Three clouds around corners of a cube: easy for a network, when it learns at all.
LabeledMatrix clouds(std::size_t rows, std::uint64_t seed, float spread = 0.3F) {
    std::mt19937_64 random{seed};
    std::normal_distribution<float> noise{0, spread};
    LabeledMatrix matrix{.rows = rows, .columns = 4};
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t label = row % 3;
        matrix.labels.push_back(static_cast<std::int64_t>(label));
        for (std::size_t column = 0; column < matrix.columns; ++column) {
            matrix.values.push_back((column == label ? 1.0F : 0.0F) + noise(random));
        }
    }
    return matrix;
}

/// Rows that are this input's alone, to be changed.
TrainingRows& rows_of(TrainerInput& input) {
    auto own = std::make_shared<TrainingRows>(input.rows == nullptr ? TrainingRows{} : *input.rows);
    TrainingRows& rows = *own;
    input.rows = std::move(own);
    return rows;
}

TrainerInput small_input() {
    TrainerInput input;
    input.model = {.inputs = 4, .hidden_layers = {16, 8}, .classes = 3, .activation = "relu", .dropout = 0.1};
    input.options.learning_rate = 0.01;
    input.options.epochs = 5;
    input.options.seed = 7;
    input.rows = std::make_shared<const TrainingRows>(TrainingRows{clouds(600, 1), clouds(90, 2), clouds(90, 3)});
    return input;
}

Result<TrainedModel> train(const TrainerInput& input, const CancellationToken& token = {}) {
    RecordingEvents events;
    return LocalTrainer{}.train(input, events, token);
}

/// The start weights of a network with this input: a step this small moves no float.
std::vector<NamedTensor> start_of(TrainerInput input) {
    input.options.learning_rate = 1e-30;
    input.options.epochs = 1;
    input.options.optimizer = "sgd";
    return train(input).value().parameters;
}

TEST(LocalTrainer, LearnsWhatCanBeLearned) {
    const TrainedModel model = train(small_input()).value();
    EXPECT_GT(model.history.back().train_accuracy, 0.85);
    EXPECT_GT(model.history.back().val_accuracy, 0.9);
    EXPECT_LT(model.history.back().train_loss, model.history.front().train_loss);
    EXPECT_LT(model.test_loss, 0.4);
    std::int64_t rows = 0;
    std::int64_t hits = 0;
    for (std::size_t truth = 0; truth < 3; ++truth) {
        for (std::size_t predicted = 0; predicted < 3; ++predicted) {
            rows += model.confusion[truth][predicted];
            hits += truth == predicted ? model.confusion[truth][predicted] : 0;
        }
    }
    EXPECT_EQ(rows, 90);
    EXPECT_GT(hits, 80);
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
    EXPECT_EQ(beside.test_loss, alone.test_loss);
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
        for (const auto& line : train(input).value().confusion) {
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
    EXPECT_DOUBLE_EQ(model.test_loss, best.val_loss);
    EXPECT_NE(model.test_loss, model.history.back().val_loss);

    input.options.early_stopping.reset();
    input.options.epochs = model.best_epoch;
    EXPECT_EQ(train(input).value().parameters, model.parameters);
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

struct ManualToken {
    ManualExecutor executor{};
    ManualClock clock{};
    ManualTimerQueue timers{clock};
    CancellationToken token{CancellationToken::create(executor, timers, clock)};
};

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
        EXPECT_THAT(model.error().message, HasSubstr(in_test ? "test part" : "validation part"));
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
    rows_of(input).validation.values[5] = std::numeric_limits<float>::quiet_NaN();
    const auto model = train(input);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, Errc::training);
    EXPECT_THAT(model.error().message, HasSubstr("validation part"));
}

TEST(LocalTrainer, LeavesTheTestFiguresOutWithoutATestPart) {
    TrainerInput input = small_input();
    rows_of(input).test = {};
    const TrainedModel model = train(input).value();
    EXPECT_TRUE(std::isnan(model.test_loss));
    EXPECT_EQ(model.confusion, (std::vector<std::vector<std::int64_t>>(3, {0, 0, 0})));
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
        {"test part", [](TrainerInput& input) { rows_of(input).test = LabeledMatrix{1, 1, {0.5F}, {0}}; }},
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
