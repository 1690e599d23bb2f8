#include <ktrdr/training/local_training_runner.hpp>

#include <gtest/gtest.h>

#include <algorithm>

#include <ktrdr/market/time_text.hpp>
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
        asked.random_walk_baseline = false;
        return build_training_context(asked).value();
    }();

    std::shared_ptr<Operation> operation{};
    Result<boost::json::object> result{boost::json::object{}};

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
        operation = registry.create(std::move(spec)).value().operation;
        (void)operation->start();
        operation->progress().set_steps(training_steps());
        LocalTrainingRunner runner(context, bars, slot, ModelDirectory(folder.path(), clock), clock);
        result = runner.run(*operation, std::move(data));
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

TEST_F(LocalTrainingRunner_, WarnsOfABreakOfTheBasisAndNamesItInItsResult) {
    const Timeframe timeframe = context.timeframes.front();
    const UtcTime inside = bars->series["MSFT"]->start_of(100);
    bars->known_breaks = {{"MSFT", timeframe, inside, 0.25},
                          // What does not part two of the bars is no move for the model.
                          {"MSFT", timeframe, bars->series["MSFT"]->start_of(0), 0.5},
                          {"AAPL", timeframe, UtcTime{std::chrono::days{1}}, 0.5}};
    (void)trained_on(nullptr);
    const auto& warnings = operation->record().warnings;
    const auto told = [](const std::string& text) {
        return text.find("MSFT ") == 0 && text.find("0.25 times") != std::string::npos;
    };
    EXPECT_EQ(std::count_if(warnings.begin(), warnings.end(), told), 1);
    const auto named = [](const std::string& text) { return text.find("refresh=True") != std::string::npos; };
    EXPECT_EQ(std::count_if(warnings.begin(), warnings.end(), named), 1);
    const auto& breaks = result->at("session_info").at("data_summary").at("basis_breaks").as_array();
    ASSERT_EQ(breaks.size(), 1U);
    EXPECT_EQ(breaks[0].at("symbol"), "MSFT");
    EXPECT_EQ(breaks[0].at("ratio"), 0.25);
    EXPECT_EQ(breaks[0].at("at").as_string(), format_time(inside));
}

TEST_F(LocalTrainingRunner_, SaysNothingOfTheBasisWhereItDoesNotBreak) {
    (void)trained_on(nullptr);
    for (const std::string& text : operation->record().warnings) {
        EXPECT_EQ(text.find("refresh=True"), std::string::npos) << text;
    }
    EXPECT_TRUE(result->at("session_info").at("data_summary").at("basis_breaks").as_array().empty());
}

}  // namespace
}  // namespace ktrdr
