#include <ktrdr/training/strategy.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include <ktrdr/training/training_context.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using boost::json::object;
using boost::json::value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The path and message of the refusal of the small strategy with one value changed.
struct Refusal {
    std::string path{};
    std::string message{};
};

Refusal refusal(const std::string& pointer, value changed) {
    value json = test::strategy_json();
    // Boost 1.81 cannot set by a pointer: find the parent and put the last part into it.
    const std::size_t slash = pointer.rfind('/');
    value& parent = slash == 0 ? json : json.at_pointer(pointer.substr(0, slash));
    parent.as_object()[pointer.substr(slash + 1)] = std::move(changed);
    const auto strategy = Strategy::parse(json.as_object());
    if (strategy) {
        return {"accepted", "accepted"};
    }
    EXPECT_EQ(strategy.error().code, Errc::strategy);
    return {std::string(strategy.error().context.at("path").as_string()), strategy.error().message};
}

TEST(Strategy, ReadsEveryKeyThatATrainingRestsOn) {
    const Strategy strategy = Strategy::parse(test::strategy_json()).value();
    EXPECT_EQ(strategy.name, "small");
    EXPECT_THAT(strategy.symbols, ElementsAre("AAPL", "MSFT"));
    EXPECT_EQ(strategy.features.sources.size(), 2u);
    EXPECT_EQ(strategy.features.sources[1].inputs[0].output, 2u);
    EXPECT_THAT(strategy.model.hidden_layers, ElementsAre(8, 4));
    EXPECT_EQ(strategy.model.activation, "tanh");
    EXPECT_EQ(strategy.options.seed, 7u);
    EXPECT_EQ(strategy.options.early_stopping->monitor, "val_accuracy");
    EXPECT_EQ(strategy.labels.lookahead, 3u);
    EXPECT_EQ(strategy.split, (SplitShares{0.6, 0.2, 0.2}));
}

TEST(Strategy, ReadsTheExampleAsPythonWritesIt) {
    std::ifstream file("tests/vectors/momentum_mlp.json");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto strategy = Strategy::parse(boost::json::parse(text).as_object());
    ASSERT_TRUE(strategy) << strategy.error().message;
    EXPECT_EQ(strategy->features.sources.size(), 3u);
    EXPECT_EQ(strategy->features.lags, 1u);
    EXPECT_EQ(strategy->features.sources[1].indicator.parameters().at("percent"), 1);
    EXPECT_EQ(strategy->history_required, 300u);
    EXPECT_EQ(strategy->options.epochs, 800);
    EXPECT_EQ(strategy->options.early_stopping->patience, 20);
}

TEST(Strategy, HasTheDefaultsOfTheGrammar) {
    object json = test::strategy_json();
    json.erase("model");
    json.erase("training");
    const Strategy strategy = Strategy::parse(json).value();
    EXPECT_EQ(strategy.options.learning_rate, 0.001);
    EXPECT_EQ(strategy.options.batch_size, 32);
    EXPECT_EQ(strategy.options.epochs, 100);
    EXPECT_FALSE(strategy.options.early_stopping);
    EXPECT_THAT(strategy.model.hidden_layers, ElementsAre(50, 25));
    EXPECT_EQ(strategy.split, SplitShares{});
}

TEST(Strategy, NamesThePathOfWhatIsWrong) {
    EXPECT_EQ(refusal("/name", "../up").path, "name");
    EXPECT_EQ(refusal("/name", "").path, "name");
    EXPECT_EQ(refusal("/name", boost::json::string(65, 'n')).path, "name");
    EXPECT_EQ(refusal("/indicators/0/name", "rsj").path, "indicators[0]");
    EXPECT_EQ(refusal("/indicators/1/feature_id", "rsi_5").path, "indicators[1].feature_id");
    EXPECT_EQ(refusal("/fuzzy_sets/rsj", object{}).path, "fuzzy_sets.rsj");
    EXPECT_EQ(refusal("/fuzzy_sets/rsi_5/low/parameters", {3, 2, 1}).path, "fuzzy_sets.rsi_5.low");
    EXPECT_EQ(refusal("/model/architecture/dropout", 1.5).path, "model.architecture.dropout");
    EXPECT_EQ(refusal("/model/architecture/hidden_layers", {8, 0}).path, "model.architecture.hidden_layers");
    EXPECT_EQ(refusal("/model/architecture/hidden_layers", {2.5}).path, "model.architecture.hidden_layers");
    EXPECT_EQ(refusal("/model/architecture/hidden_layers", {65537}).path, "model.architecture.hidden_layers");
    EXPECT_EQ(refusal("/model/training/gradient_clip", -1).path, "model.training.gradient_clip");
    EXPECT_EQ(refusal("/model/training/epochs", "many").path, "model.training.epochs");
    EXPECT_EQ(refusal("/model/training/epochs", 2.5).path, "model.training.epochs");
    EXPECT_EQ(refusal("/model/training/optimizer", "lion").path, "model.training.optimizer");
    EXPECT_EQ(refusal("/training/labels/source", "swing").path, "training.labels.source");
    EXPECT_EQ(refusal("/training/data_split/embargo", -1).path, "training.data_split.embargo");
    EXPECT_EQ(refusal("/training/data_split/test", 0.5).path, "training.data_split");
    EXPECT_EQ(refusal("/training_data/timeframes/list", {"1x"}).path, "training_data.timeframes.list");
    EXPECT_EQ(refusal("/model", 3).path, "model");
    EXPECT_EQ(refusal("/indicators", boost::json::array{}).path, "fuzzy_sets.rsi_5");
}

TEST(Strategy, ReadsTheLabelsOfEachSource) {
    const auto labels = [](object said) {
        object json = test::strategy_json();
        json["training"] = {{"labels", std::move(said)}};
        return Strategy::parse(json).value().labels;
    };
    EXPECT_EQ(labels({{"source", "zigzag"}, {"zigzag_threshold", 0.07}}).source, LabelSource::zigzag);
    EXPECT_EQ(labels({{"source", "zigzag"}, {"zigzag_threshold", 0.07}}).zigzag_threshold, 0.07);
    EXPECT_EQ(labels({{"source", "zigzag"}}).zigzag_threshold, LabelRule{}.zigzag_threshold);
    EXPECT_EQ(labels({{"source", "triple_barrier"}, {"stop_threshold", 0.01}}).stop_threshold, 0.01);
    EXPECT_EQ(labels({{"source", "triple_barrier"}}).stop_threshold, std::nullopt);
}

TEST(Strategy, RefusesANumberOfAnotherSourceOfLabels) {
    const Refusal turn = refusal("/training/labels/zigzag_threshold", 0.05);
    EXPECT_EQ(turn.path, "training.labels.zigzag_threshold");
    EXPECT_THAT(turn.message, HasSubstr("counts for nothing with source: forward_return; it is of source: zigzag"));
    EXPECT_EQ(refusal("/training/labels/stop_threshold", 0.05).path, "training.labels.stop_threshold");
}

TEST(Strategy, RefusesAFeatureThatPriceContextWouldBeCalledToo) {
    object json = test::strategy_json();
    json["model"] = {{"features", {{"include_price_context", true}}}};
    json["indicators"].as_array().push_back({{"name", "rsi"}, {"feature_id", "price"}});
    json["fuzzy_sets"].as_object()["price"] = {{"change", {{"type", "gaussian"}, {"parameters", {50, 10}}}}};
    EXPECT_THAT(Strategy::parse(json).error().message, HasSubstr("two features would be called 'price_change'"));
}

TEST(Strategy, RefusesAnIndicatorThatNothingUses) {
    EXPECT_THAT(refusal("/fuzzy_sets/macd.histogram", object{}).message, HasSubstr("'macd' has no fuzzy set"));
}

TEST(Strategy, RefusesTwoFeaturesOfOneName) {
    value json = test::strategy_json();
    json.at("indicators").as_array().push_back({{"name", "rsi"}, {"feature_id", "macd_histogram"}});
    json.at("fuzzy_sets").as_object()["macd_histogram"] = {{"up", {{"type", "gaussian"}, {"parameters", {50, 10}}}}};
    EXPECT_THAT(Strategy::parse(json.as_object()).error().message,
                HasSubstr("two features would be called 'macd_histogram_up'"));
}

TrainingRequest request() {
    TrainingRequest made;
    made.strategy = test::strategy_json();
    return made;
}

TEST(TrainingOperationContext, TakesWhatTheRequestLeavesOutFromTheStrategy) {
    const auto context = build_training_context(request()).value();
    EXPECT_THAT(context.symbols, ElementsAre("AAPL", "MSFT"));
    EXPECT_EQ(context.base_timeframe().name(), "1d");
    EXPECT_FALSE(context.start_date);
    EXPECT_FALSE(context.range_in(BarGrid(context.base_timeframe())).value().empty());
    EXPECT_EQ(context.split, (SplitShares{0.6, 0.2, 0.2}));
}

TEST(TrainingOperationContext, PutsTheRequestBeforeTheStrategy) {
    TrainingRequest asked = request();
    asked.symbols = {"SPY"};
    asked.timeframes = {"1h", "1d"};
    asked.start_date = "2020-01-01";
    asked.end_date = "2020-12-31";
    asked.validation_split = 0.3;
    const auto context = build_training_context(asked).value();
    EXPECT_THAT(context.symbols, ElementsAre("SPY"));
    // The strategy's base is among them, so its bars stay the rows.
    EXPECT_EQ(context.base, 1u);
    // A date as end includes that day.
    EXPECT_EQ(context.range_in(BarGrid(context.base_timeframe())).value().end,
              UtcTime{std::chrono::sys_days{std::chrono::year{2021} / 1 / 1}});
    EXPECT_DOUBLE_EQ(context.split.train, 0.5);
    EXPECT_EQ(context.split.test, 0.2);
}

TEST(Strategy, RefusesToNameASymbolOrATimeframeTwice) {
    for (const auto& [section, names] : {std::pair{"symbols", boost::json::array{"AAPL", "MSFT", " AAPL "}},
                                         std::pair{"timeframes", boost::json::array{"1d", "1h", "1d"}}}) {
        TrainingRequest asked = request();
        auto& list = asked.strategy["training_data"].at(section).as_object();
        list["mode"] = nullptr;
        list["list"] = names;
        const auto read = Strategy::parse(asked.strategy);
        ASSERT_FALSE(read);
        EXPECT_EQ(std::string(read.error().context.at("path").as_string()),
                  "training_data." + std::string(section) + ".list");
        EXPECT_THAT(read.error().message, HasSubstr("is named twice"));
    }
}

TEST(TrainingOperationContext, KeepsTheStrategysSharesWhereItsOwnIsAskedFor) {
    // As one that goes on asks: the record of a training has the share. These add up to 1 but for a little.
    TrainingRequest asked = request();
    asked.strategy["training"].as_object()["data_split"] = {
        {"train", 0.3333333}, {"validation", 0.3333333}, {"test", 0.3333333}};
    const auto begun = build_training_context(asked).value();
    asked.validation_split = begun.split.validation;
    EXPECT_EQ(build_training_context(asked).value().split, begun.split);
}

TEST(TrainingOperationContext, RefusesARequestThatCannotBeDone) {
    const auto field = [](auto change) {
        TrainingRequest asked = request();
        change(asked);
        const auto context = build_training_context(asked);
        EXPECT_FALSE(context);
        return std::string(context.error().context.at("field").as_string());
    };
    EXPECT_EQ(field([](auto& asked) { asked.symbols.emplace(); }), "symbols");
    EXPECT_EQ(field([](auto& asked) { asked.symbols = {"A", "A"}; }), "symbols");
    EXPECT_EQ(field([](auto& asked) { asked.timeframes.emplace(); }), "timeframes");
    EXPECT_EQ(field([](auto& asked) { asked.symbols = {""}; }), "symbols");
    EXPECT_EQ(field([](auto& asked) { asked.timeframes = {"1dd"}; }), "timeframe");
    EXPECT_EQ(field([](auto& asked) { asked.start_date = "yesterday"; }), "start_date");
    EXPECT_EQ(field([](auto& asked) { asked.end_date = "2020-02-30"; }), "end_date");
    EXPECT_EQ(field([](auto& asked) { asked.validation_split = 0.9; }), "validation_split");
    EXPECT_EQ(field([](auto& asked) { asked.test_from = "later"; }), "test_from");
    for (const char* const date : {"2020-01-31", "2020-02-01", "2021-01-01"}) {
        EXPECT_EQ(field([date](auto& asked) {
                      asked.start_date = "2020-02-01";
                      asked.test_from = date;
                      asked.end_date = "2020-12-31";
                  }),
                  "test_from");
    }
    EXPECT_EQ(field([](auto& asked) {
                  asked.start_date = "2020-01-02";
                  asked.end_date = "2020-01-01";
              }),
              "start_date");
}

TEST(TrainingOperationContext, LeavesToTheSessionsWhatADateBesideATimeStandsFor) {
    const SessionCalendarPtr forex = SessionCalendar::shipped("FOREX").value();
    const BarGrid sessions =
        BarGrid::make(Timeframe::parse("1h").value(), forex, {.provider = "other", .asset_class = "forex"}).value();
    TrainingRequest asked = request();
    // Monday's session begins on Sunday evening.
    asked.start_date = "2024-01-08";
    asked.end_date = "2024-01-07T23:00:00Z";
    const auto context = build_training_context(asked).value();
    EXPECT_EQ(context.range_in(sessions).value().start,
              UtcTime{std::chrono::sys_days{std::chrono::year{2024} / 1 / 7}} + std::chrono::hours{22});
    const auto days = context.range_in(BarGrid(context.base_timeframe()));
    EXPECT_EQ(days.error().context.at("field").as_string(), "start_date");
}

}  // namespace
}  // namespace ktrdr
