#include <ktrdr/training/local_training_runner.hpp>

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <ktrdr/base/memory.hpp>
#include <ktrdr/market/time_text.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/training/shared_training_data.hpp>
#include <ktrdr/training/training_data.hpp>
#include <ktrdr/training/training_progress.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

struct LocalTrainingRunnerTest : test::TrainingPlace {
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
    /// What a trainer was given by a training whose rows are of `shared`.
    TrainerInput trained() {
        const auto trainer = std::make_shared<test::FakeTrainer>();
        const auto slot = std::make_shared<TrainerSlot>();
        slot->fulfil(trainer);
        OperationSpec spec{"training", "", "", {}};
        operation = registry.create(std::move(spec)).value().operation;
        (void)operation->start();
        operation->progress().set_steps(training_steps());
        LocalTrainingRunner runner(context, bars, slot, ModelDirectory(folder.path(), clock), clock);
        result = runner.run(*operation, shared);
        EXPECT_TRUE(result) << result.error().message;
        return trainer->last;
    }
    [[nodiscard]] bool says_that_rows_were_shared() const {
        const auto events = operation->events({.limit = 10'000}).value();
        return std::ranges::any_of(events, [](const OperationEvent& event) {
            const auto* const message = event.data.if_contains("message");
            return message != nullptr && *message == "learns from rows that another training has prepared";
        });
    }
    SharedTrainingData shared{};
};

using LocalTrainingRunner_ = LocalTrainingRunnerTest;

TEST_F(LocalTrainingRunner_, SharesTheRowsAmongTrainingsOfTheSameData) {
    bars->stamps = true;
    const TrainerInput first = trained();
    const std::size_t loaded = bars->asked.size();
    context.strategy.options.learning_rate = 0.5;
    const TrainerInput second = trained();
    EXPECT_EQ(second.rows.get(), first.rows.get());
    EXPECT_EQ(bars->asked.size(), loaded);
    EXPECT_TRUE(says_that_rows_were_shared());
    bars->add("MSFT", 250, 3);
    EXPECT_NE(trained().rows.get(), first.rows.get());
}

TEST_F(LocalTrainingRunner_, SharesTheRowsOfItsRandomWalkToo) {
    bars->stamps = true;
    context.random_walk_baseline = true;
    const TrainerInput first = trained();
    const std::size_t loaded = bars->asked.size();
    const boost::json::value scored = result->at("baselines").at("random_walk").at("test_accuracy");
    // What a trainer was given last are the walk's.
    EXPECT_EQ(trained().rows.get(), first.rows.get());
    EXPECT_EQ(bars->asked.size(), loaded + context.symbols.size());
    EXPECT_EQ(result->at("baselines").at("random_walk").at("test_accuracy"), scored);
}

TEST_F(LocalTrainingRunner_, LetsTheRowsGoWhenNobodyHoldsThem) {
    bars->stamps = true;
    TrainerInput input = trained();
    const std::weak_ptr<const TrainingRows> watched = input.rows;
    EXPECT_FALSE(watched.expired());
    input = {};
    EXPECT_TRUE(watched.expired());
}

TEST_F(LocalTrainingRunner_, PreparesItsOwnDataWhereNobodyCanTellWhetherItIsTheSame) {
    const auto data = prepare_training_data(context, *bars, {}, [](std::size_t, std::size_t) {}).value();
    const TrainerInput first = trained();
    const TrainerInput own = trained();
    EXPECT_NE(own.rows.get(), first.rows.get());
    EXPECT_EQ(own.rows->train.values, data->rows.train.values);
    EXPECT_EQ(own.rows->test.labels, data->rows.test.labels);
}

TEST_F(LocalTrainingRunner_, TellsHowMuchMemoryTheProcessHasHad) {
    (void)trained();
    const double megabytes = result->at("resource_usage").at("peak_memory_mb").to_number<double>();
    EXPECT_GT(megabytes, 1);
    EXPECT_LE(megabytes, static_cast<double>(peak_memory().value()) / 1e6);
}

TEST_F(LocalTrainingRunner_, TellsWhetherAGpuWasUsed) {
    for (const auto& [device, used] :
         {std::pair{"auto", false}, std::pair{"cpu", false}, std::pair{"cuda", true}, std::pair{"mps", true}}) {
        context.strategy.options.device = device;
        (void)trained();
        EXPECT_EQ(result->at("resource_usage").at("gpu_used"), used) << device;
    }
}

TEST_F(LocalTrainingRunner_, WarnsOfABreakOfTheBasisAndNamesItInItsResult) {
    const Timeframe timeframe = context.timeframes.front();
    const UtcTime inside = bars->series["MSFT"]->start_of(100);
    bars->known_breaks = {{"MSFT", timeframe, inside, 0.25},
                          // What does not part two of the bars is no move for the model.
                          {"MSFT", timeframe, bars->series["MSFT"]->start_of(0), 0.5},
                          {"AAPL", timeframe, UtcTime{std::chrono::days{1}}, 0.5}};
    (void)trained();
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
    (void)trained();
    for (const std::string& text : operation->record().warnings) {
        EXPECT_EQ(text.find("refresh=True"), std::string::npos) << text;
    }
    EXPECT_TRUE(result->at("session_info").at("data_summary").at("basis_breaks").as_array().empty());
}

TEST_F(LocalTrainingRunner_, SaysInItsResultWhereEveryBarWent) {
    (void)trained();
    const auto& summary = result->at("session_info").at("data_summary");
    for (const auto& one : summary.at("symbols").as_array()) {
        std::int64_t sum = 0;
        for (const char* const where :
             {"warm_up", "hole", "nan", "undecided", "purged", "train", "validation", "test"}) {
            sum += one.at(where).to_number<std::int64_t>();
        }
        EXPECT_EQ(sum, one.at("bars").to_number<std::int64_t>());
    }
    EXPECT_LT(summary.at("validation_from").as_string(), summary.at("test_from").as_string());
    EXPECT_TRUE(summary.at("holes").as_array().empty());
}

TEST_F(LocalTrainingRunner_, WarnsOfAHoleAndNamesItInItsResult) {
    Bars later = *bars->series["MSFT"];
    for (std::size_t bar = 120; bar < later.size(); ++bar) {
        later.time[bar] += std::chrono::nanoseconds{std::chrono::days{300}}.count();
    }
    bars->series["MSFT"] = std::make_shared<const Bars>(later);
    (void)trained();
    const auto& warnings = operation->record().warnings;
    const auto told = [](const std::string& text) { return text.find("MSFT 1d: no bars from ") == 0; };
    EXPECT_EQ(std::count_if(warnings.begin(), warnings.end(), told), 1);
    const auto& holes = result->at("session_info").at("data_summary").at("holes").as_array();
    ASSERT_EQ(holes.size(), 1U);
    EXPECT_EQ(holes[0].at("symbol"), "MSFT");
    EXPECT_EQ(holes[0].at("to").as_string(), format_time(later.start_of(120)));
    EXPECT_TRUE(holes[0].at("sessions").is_null());
}

TEST_F(LocalTrainingRunner_, StoresBothHistoriesAndTheScalingWithTheModel) {
    context.strategy.scale_features = true;
    (void)trained();
    std::ifstream file(std::filesystem::path(std::string(result->at("artifacts").at("model_path").as_string())) /
                       "features.json");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const boost::json::value features = boost::json::parse(text);
    EXPECT_EQ(features.at("warm_up_bars").at("1d"), warm_up_bars(context.strategy.features));
    EXPECT_EQ(features.at("history_bars").at("1d"), history_bars(context.strategy.features).value());
    EXPECT_EQ(features.at("scaling").at("mean").as_array().size(), features.at("names").as_array().size());
    EXPECT_EQ(features.at("scaling").at("deviation").as_array().size(), features.at("names").as_array().size());
}

}  // namespace
}  // namespace ktrdr
