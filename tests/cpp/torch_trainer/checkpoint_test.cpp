#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "soak.hpp"
#include "torch_trainer/small_training.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

/// A training in which everything that a checkpoint has to keep is at work.
TrainerInput rich_input(const std::string& optimizer = "adam") {
    TrainerInput input = small_input();
    input.options.optimizer = optimizer;
    input.options.batch_size = 8;
    input.options.epochs = 6;
    input.options.gradient_clip = 0.5;
    input.options.early_stopping = EarlyStopping{.patience = 3, .min_delta = 0.01, .monitor = "val_accuracy"};
    input.options.schedule = {.type = "plateau", .gamma = 0.5, .patience = 0};
    // More than a block of batches, the last one short.
    rows_of(input).train = clouds(8 * 70 + 3, 1, 1.0F);
    return input;
}

/// Cancelled once `batches` batches have been told; what it leaves.
TrainerCheckpoint cancelled_after(TrainerInput input, std::size_t batches, StepChoice step) {
    ManualToken manual;
    RecordingEvents events;
    events.at_batch = [&](const RecordingEvents::Batch&) {
        if (events.batches_told.size() == batches) {
            manual.token.cancel({});
        }
    };
    input.checkpoints.on_cancel = true;
    const auto model = LocalTrainer{step}.train(input, events, manual.token);
    EXPECT_FALSE(model);
    EXPECT_EQ(events.checkpoints.size(), 1U);
    return events.checkpoints.back();
}

TrainedModel gone_on(TrainerInput input, TrainerCheckpoint from, StepChoice step = StepChoice::by_device) {
    input.resume = std::make_shared<const TrainerCheckpoint>(std::move(from));
    return train(input, step).value();
}

void expect_same(const TrainedModel& resumed, const TrainedModel& whole, const std::string& where) {
    EXPECT_EQ(resumed.parameters, whole.parameters) << where;
    EXPECT_EQ(resumed.history, whole.history) << where;
    EXPECT_EQ(resumed.best_epoch, whole.best_epoch) << where;
    EXPECT_EQ(resumed.early_stopped, whole.early_stopped) << where;
}

TEST(Checkpoint, GoesOnBitForBitWhereverItWasCancelled) {
    for (const StepChoice step : {StepChoice::mlp, StepChoice::general}) {
        for (const std::string optimizer : {"adam", "adamw", "sgd"}) {
            const TrainerInput input = rich_input(optimizer);
            RecordingEvents events;
            const TrainedModel whole = LocalTrainer{step}.train(input, events, {}).value();
            std::mt19937_64 random{11};
            std::uniform_int_distribution<std::size_t> place{1, events.batches_told.size()};
            for (int i = 0; i < soak_count(7, 20); ++i) {
                const std::size_t batches = place(random);
                const auto from = cancelled_after(input, batches, step);
                expect_same(gone_on(input, from, step), whole, optimizer + " " + std::to_string(batches));
            }
        }
    }
}

TEST(Checkpoint, GoesOnAfterBeingCancelledAgainAndAgain) {
    TrainerInput input = rich_input();
    const TrainedModel whole = train(input).value();
    for (int times = 0; times < 5; ++times) {
        input.resume = std::make_shared<const TrainerCheckpoint>(cancelled_after(input, 3, StepChoice::by_device));
    }
    expect_same(train(input).value(), whole, "five times");
}

TEST(Checkpoint, IsHandedOutEveryFewEpochs) {
    TrainerInput input = rich_input();
    input.options.early_stopping.reset();
    const TrainedModel whole = train(input).value();
    input.checkpoints.epochs = 2;
    RecordingEvents events;
    expect_same(LocalTrainer{}.train(input, events, {}).value(), whole, "while it hands out");
    ASSERT_EQ(events.checkpoints.size(), 3U);
    input.checkpoints = {};
    for (const TrainerCheckpoint& one : events.checkpoints) {
        expect_same(gone_on(input, one), whole, "after some epochs");
    }
}

TEST(Checkpoint, IsHandedOutAfterAWhile) {
    TrainerInput input = rich_input();
    const TrainedModel whole = train(input).value();
    input.checkpoints.interval = std::chrono::nanoseconds{1};
    RecordingEvents events;
    expect_same(LocalTrainer{}.train(input, events, {}).value(), whole, "while it hands out");
    // Each batch takes longer than that.
    EXPECT_EQ(events.checkpoints.size(), 71 * whole.history.size());
    input.checkpoints = {};
    for (std::size_t i = 0; i < events.checkpoints.size(); i += events.checkpoints.size() / 9) {
        expect_same(gone_on(input, events.checkpoints[i]), whole, "checkpoint " + std::to_string(i));
    }
}

TEST(Checkpoint, IsLeftByACancelInAValidationAndBehindTheLastEpochToo) {
    TrainerInput input = rich_input();
    const TrainedModel whole = train(input).value();
    input.checkpoints.on_cancel = true;
    for (const bool at_end : {false, true}) {
        ManualToken manual;
        RecordingEvents events;
        events.at_batch = [&](const RecordingEvents::Batch& batch) {
            if (!at_end && batch.epoch == 2 && batch.batch == batch.batches) {
                manual.token.cancel({});
            }
        };
        events.at_evaluation = [&] { manual.token.cancel({}); };
        EXPECT_FALSE(LocalTrainer{}.train(input, events, manual.token));
        ASSERT_EQ(events.checkpoints.size(), 1U);
        expect_same(gone_on(input, events.checkpoints.back()), whole, at_end ? "end" : "validation");
    }
}

TEST(Checkpoint, GoesOnFromBeforeTheFirstBatchOfAnEpoch) {
    TrainerInput input = rich_input();
    const TrainedModel whole = train(input).value();
    input.checkpoints.on_cancel = true;
    for (const std::int64_t epoch : {0, 1, 2}) {
        ManualToken manual;
        RecordingEvents events;
        events.at_epoch = [&](const EpochReport& report) {
            if (report.epoch == epoch) {
                manual.token.cancel({});
            }
        };
        if (epoch == 0) {
            manual.token.cancel({});
        }
        EXPECT_FALSE(LocalTrainer{}.train(input, events, manual.token));
        ASSERT_EQ(events.checkpoints.size(), 1U);
        EXPECT_EQ(events.checkpoints.back().state.at("batch"), 0);
        expect_same(gone_on(input, events.checkpoints.back()), whole, "after epoch " + std::to_string(epoch));
    }
}

TEST(Checkpoint, IsNotLeftByACancelThatDoesNotAskForOne) {
    TrainerInput input = rich_input();
    ManualToken manual;
    manual.token.cancel({});
    RecordingEvents events;
    EXPECT_FALSE(LocalTrainer{}.train(input, events, manual.token));
    EXPECT_TRUE(events.checkpoints.empty());
}

TEST(Checkpoint, OfAnotherNetworkOptimizerOrStepIsRefused) {
    using Change = std::function<void(TrainerInput&)>;
    const TrainerInput input = rich_input();
    const auto from = std::make_shared<const TrainerCheckpoint>(cancelled_after(input, 9, StepChoice::mlp));
    const std::vector<std::pair<std::string, Change>> cases{
        {"another network", [](TrainerInput& other) { other.model.hidden_layers = {16, 9}; }},
        {"another network", [](TrainerInput& other) { other.model.hidden_layers = {16}; }},
        {"optimizer", [](TrainerInput& other) { other.options.optimizer = "sgd"; }},
        {"in blocks of 50", [](TrainerInput& other) { other.options.batch_size = 500'000; }},
        {"where the training stood",
         [&](TrainerInput& other) {
             other.resume = std::make_shared<const TrainerCheckpoint>(TrainerCheckpoint{from->tensors, {}});
         }},
    };
    for (const auto& [what, change] : cases) {
        TrainerInput other = input;
        other.resume = from;
        change(other);
        if (other.options.batch_size > 1000) {
            rows_of(other).train = clouds(500'000, 1);
        }
        const auto model = train(other);
        ASSERT_FALSE(model) << what;
        EXPECT_EQ(model.error().code, Errc::invalid_argument) << what;
        EXPECT_THAT(model.error().message, HasSubstr(what));
    }
    TrainerInput other = input;
    other.resume = from;
    EXPECT_THAT(train(other, StepChoice::general).error().message, HasSubstr("with the step \"mlp\""));
}

TEST(Schedule, LowersTheLearningRateAsItsKindSays) {
    TrainerInput input = small_input();
    input.options.epochs = 7;
    const auto rates = [&](LearningRateSchedule schedule) {
        input.options.schedule = std::move(schedule);
        std::vector<double> told;
        for (const EpochReport& report : train(input).value().history) {
            told.push_back(report.learning_rate / input.options.learning_rate);
        }
        return told;
    };
    using testing::DoubleEq;
    using testing::ElementsAre;
    EXPECT_THAT(rates({}), testing::Each(1.0));
    EXPECT_THAT(rates({.type = "step", .step_size = 3, .gamma = 0.5}), ElementsAre(1, 1, 1, .5, .5, .5, .25));
    EXPECT_THAT(rates({.type = "exponential", .gamma = 0.5}), ElementsAre(1, .5, .25, .125, .0625, .03125, .015625));
    // A rate so small that nothing gets better.
    input.options.learning_rate = 1e-30;
    EXPECT_THAT(rates({.type = "plateau", .gamma = 0.5, .patience = 2}), ElementsAre(1, 1, 1, 1, .5, .5, .5));
}

TEST(Schedule, MovesTheWeightsByTheRateItTells) {
    TrainerInput input = small_input();
    input.options.epochs = 3;
    const TrainedModel steady = train(input).value();
    input.options.schedule = {.type = "exponential", .gamma = 0.1};
    EXPECT_NE(train(input).value().parameters, steady.parameters);
    EXPECT_EQ(train(input).value().history.front().train_loss, steady.history.front().train_loss);
}

TEST(ClassWeights, AreBalancedByHowOftenEachClassIsTrue) {
    EXPECT_THAT(balanced_class_weights({0, 0, 0, 1, 2, 2}, 3), testing::ElementsAre(6.0 / 9, 2, 1));
    EXPECT_THAT(balanced_class_weights({0, 0, 2, 2}, 3), testing::ElementsAre(1, 1, 1));
    TrainerInput input = small_input();
    auto& labels = rows_of(input).train.labels;
    std::fill(labels.begin(), labels.begin() + 300, 0);
    TrainerInput spoken = input;
    input.options.balance_classes = true;
    spoken.options.class_weights = balanced_class_weights(input.rows->train.labels, 3);
    EXPECT_EQ(train(input).value().parameters, train(spoken).value().parameters);
}

TEST(RowWeights, CountARowAsOftenAsTheySay) {
    // Weight 2 is the same row twice, in one batch of everything.
    TrainerInput weighed = small_input();
    weighed.model.dropout = 0;
    weighed.options.epochs = 1;
    weighed.options.batch_size = 3;
    weighed.options.optimizer = "sgd";
    TrainerInput twice = weighed;
    LabeledMatrix rows = clouds(3, 1);
    rows.weights = {1, 1, 2};
    rows_of(weighed).train = rows;
    rows.weights = {};
    rows.rows = 4;
    rows.labels.push_back(rows.labels[2]);
    rows.values.insert(rows.values.end(), rows.values.begin() + 8, rows.values.begin() + 12);
    rows_of(twice).train = rows;
    twice.options.batch_size = 4;
    const TrainedModel left = train(weighed).value();
    const TrainedModel right = train(twice).value();
    for (std::size_t i = 0; i < left.parameters.size(); ++i) {
        for (std::size_t k = 0; k < left.parameters[i].values.size(); ++k) {
            ASSERT_NEAR(left.parameters[i].values[k], right.parameters[i].values[k], 1e-6);
        }
    }
}

}  // namespace
}  // namespace ktrdr
