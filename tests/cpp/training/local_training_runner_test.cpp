#include <ktrdr/training/local_training_runner.hpp>

#include <gtest/gtest.h>

#include <ktrdr/operations/registry.hpp>
#include <ktrdr/training/training_data.hpp>
#include <ktrdr/training/training_progress.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

struct LocalTrainingRunnerTest : ::testing::Test {
    test::TemporaryFolder folder{};
    ManualClock clock{};
    ManualExecutor io{};
    ManualTimerQueue timers{clock};
    OperationRegistry registry{io, timers, clock};
    std::shared_ptr<test::FakeBars> bars = std::make_shared<test::FakeBars>();
    TrainingOperationContext context = [] {
        TrainingRequest asked;
        asked.strategy = test::strategy_json();
        return build_training_context(asked).value();
    }();

    LocalTrainingRunnerTest() {
        bars->add("AAPL", 300, 1);
        bars->add("MSFT", 250, 2);
    }
    /// What a trainer was given by a training on `data`.
    TrainerInput trained_on(std::shared_ptr<const TrainingData> data) {
        const auto trainer = std::make_shared<test::FakeTrainer>();
        const auto slot = std::make_shared<TrainerSlot>();
        slot->fulfil(trainer);
        OperationSpec spec{"training", "", "", {}};
        const auto operation = registry.create(std::move(spec)).value().operation;
        (void)operation->start();
        operation->progress().set_steps(training_steps());
        LocalTrainingRunner runner(context, bars, slot, ModelDirectory(folder.path(), clock), clock);
        const auto result = runner.run(*operation, std::move(data));
        EXPECT_TRUE(result) << result.error().message;
        return trainer->last;
    }
};

using LocalTrainingRunner_ = LocalTrainingRunnerTest;

TEST_F(LocalTrainingRunner_, SharesTheRowsAmongTrainingsOfTheSameData) {
    const auto data = prepare_training_data(context, *bars, {}, [](std::size_t, std::size_t) {}).value();
    const std::size_t loaded = bars->asked.size();
    const TrainerInput first = trained_on(data);
    const TrainerInput second = trained_on(data);
    EXPECT_EQ(first.rows.get(), &data->rows);
    EXPECT_EQ(second.rows->train.values.data(), data->rows.train.values.data());
    EXPECT_EQ(bars->asked.size(), loaded);
}

TEST_F(LocalTrainingRunner_, KeepsTheDataAliveForWhoeverHoldsTheRows) {
    auto data = prepare_training_data(context, *bars, {}, [](std::size_t, std::size_t) {}).value();
    const std::weak_ptr<const TrainingData> watched = data;
    TrainerInput input = trained_on(std::move(data));
    EXPECT_FALSE(watched.expired());
    input.rows.reset();
    EXPECT_TRUE(watched.expired());
}

TEST_F(LocalTrainingRunner_, PreparesItsOwnDataWhereItIsGivenNone) {
    const auto data = prepare_training_data(context, *bars, {}, [](std::size_t, std::size_t) {}).value();
    const TrainerInput own = trained_on(nullptr);
    EXPECT_NE(own.rows.get(), &data->rows);
    EXPECT_EQ(own.rows->train.values, data->rows.train.values);
    EXPECT_EQ(own.rows->test.labels, data->rows.test.labels);
}

}  // namespace
}  // namespace ktrdr
