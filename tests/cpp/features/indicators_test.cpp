#include <ktrdr/features/indicator.hpp>

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include <cmath>
#include <fstream>
#include <sstream>

#include "odd_bars.hpp"
#include "series.hpp"

namespace ktrdr {
namespace {

boost::json::object vectors() {
    std::ifstream file("tests/vectors/indicators.json");
    std::stringstream text;
    text << file.rdbuf();
    return boost::json::parse(text.str()).as_object();
}

std::vector<double> numbers(const boost::json::value& array) {
    std::vector<double> result;
    for (const boost::json::value& item : array.as_array()) {
        result.push_back(item.is_null() ? std::nan("") : item.to_number<double>());
    }
    return result;
}

using Column = std::vector<double>;

void expect_column(const Column& got, const Column& wanted, const std::string& what) {
    ASSERT_EQ(got.size(), wanted.size()) << what;
    for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_EQ(std::isnan(got[i]), std::isnan(wanted[i])) << what << " at bar " << i;
        if (!std::isnan(got[i])) {
            EXPECT_NEAR(got[i], wanted[i], 1e-9 * std::max(1.0, std::abs(wanted[i]))) << what << " at bar " << i;
        }
    }
}

/// What an indicator makes of these closes.
IndicatorColumns computed(std::string_view name, const std::vector<double>& closes,
                          const IndicatorParameters& parameters) {
    return Indicator::make(name, parameters).value().compute(test::daily(closes));
}

Column rsi(const std::vector<double>& closes, double period) {
    return computed("rsi", closes, {{"period", period}})[0];
}

TEST(Indicators, AgreeWithTheVectorsOfThePythonReference) {
    const boost::json::object file = vectors();
    const Bars bars = test::daily(numbers(file.at("close")));
    for (const boost::json::value& item : file.at("cases").as_array()) {
        const boost::json::object& entry = item.as_object();
        IndicatorParameters parameters;
        for (const auto& [name, value] : entry.at("params").as_object()) {
            parameters.emplace(name, value.to_number<double>());
        }
        const std::string name(entry.at("indicator").as_string());
        const auto indicator = Indicator::make(name, parameters);
        ASSERT_TRUE(indicator) << indicator.error().message;
        const IndicatorColumns columns = indicator->compute(bars);
        const boost::json::array& outputs = entry.at("outputs").as_array();
        ASSERT_EQ(columns.size(), outputs.size());
        for (std::size_t i = 0; i < columns.size(); ++i) {
            expect_column(columns[i], numbers(outputs[i]), name + " output " + std::to_string(i));
        }
    }
}

TEST(Indicators, GiveTheRsiWorkedByHand) {
    // Changes +1, -1, +2: means 0.5 and 0.5, then 1.25 and 0.25.
    expect_column(rsi({10, 11, 10, 12}, 2), {std::nan(""), std::nan(""), 50, 250.0 / 3}, "rsi");
}

TEST(Indicators, GiveTheMacdWorkedByHand) {
    // Fast mean (2): 1.5, 2.5, 3.5; slow mean (3): -, 2, 3; the line is 0.5 throughout, so its own mean is too.
    const IndicatorColumns columns =
        computed("macd", {1, 2, 3, 4}, {{"fast_period", 2}, {"slow_period", 3}, {"signal_period", 2}});
    const double no = std::nan("");
    expect_column(columns[0], {no, no, 0.5, 0.5}, "line");
    expect_column(columns[1], {no, no, no, 0.5}, "signal");
    expect_column(columns[2], {no, no, no, 0}, "histogram");
}

TEST(Indicators, GiveTheDistanceFromTheMeanInPercent) {
    const IndicatorParameters three{{"period", 3}};
    expect_column(computed("distance_from_ma", {10, 10, 40}, three)[0], {std::nan(""), std::nan(""), 100}, "distance");
}

TEST(Indicators, CallARisingSeries100AndAFlatOne50) {
    EXPECT_EQ(rsi(std::vector<double>{1, 2, 3, 4}, 3).back(), 100);
    EXPECT_EQ(rsi(std::vector<double>{4, 3, 2, 1}, 3).back(), 0);
    EXPECT_EQ(rsi(std::vector<double>{5, 5, 5, 5}, 3).back(), 50);
}

TEST(Indicators, GiveOnlyNanForSeriesShorterThanTheWarmUp) {
    for (const double value : rsi(std::vector<double>{1, 2, 3}, 3)) {
        EXPECT_TRUE(std::isnan(value));
    }
    EXPECT_TRUE(computed("ema", {}, {{"period", 3}})[0].empty());
    EXPECT_TRUE(std::isnan(computed("ema", {1}, {{"period", 3}})[0].back()));
}

TEST(Indicators, BeginAnewBehindAMissingPrice) {
    const double no = std::nan("");
    const std::vector<double> closes{10, 11, 10, 12, no, 10, 11, 10, 12};
    expect_column(rsi(closes, 2), {no, no, 50, 250.0 / 3, no, no, no, 50, 250.0 / 3}, "rsi");
    expect_column(computed("sma", closes, {{"period", 2}})[0], {no, 10.5, 10.5, 11, no, no, 10.5, 10.5, 11}, "sma");
    expect_column(computed("ema", closes, {{"period", 3}})[0],
                  {no, no, 31.0 / 3, 67.0 / 6, no, no, no, 31.0 / 3, 67.0 / 6}, "ema");
}

TEST(Indicators, TakeWhatTheyCannotSquareForMissing) {
    const double no = std::nan("");
    for (const double beyond : {1e101, -1e308, std::numeric_limits<double>::infinity()}) {
        expect_column(computed("bollinger_bands", {1, 3, beyond, 1, 3}, {{"period", 2}, {"multiplier", 1}})[0],
                      {no, 3, no, no, 3}, "upper");
    }
}

TEST(Indicators, CountPercentsOfTheAmountOfANegativePrice) {
    const double no = std::nan("");
    // Crude oil, 2020-04-20: a price that rises is a rise, whatever its sign.
    expect_column(computed("roc", {-40, -20, 20}, {{"period", 1}})[0], {no, 50, 200}, "roc");
    expect_column(computed("distance_from_ma", {-40, -20}, {{"period", 2}})[0], {no, 100.0 / 3}, "distance");
    expect_column(computed("bollinger_band_width", {-40, -20}, {{"period", 2}})[0], {no, 400.0 / 3}, "width");
    const IndicatorParameters percent{{"fast_period", 2}, {"slow_period", 3}, {"signal_period", 2}, {"percent", 1}};
    expect_column(computed("macd", {-4, -3, -2}, percent)[0], {no, no, 25}, "macd");
    expect_column(computed("zigzag", {-40, -20}, {})[2], {0, 50}, "distance from the turn");
}

TEST(Indicators, HaveNoPercentageOfNothing) {
    EXPECT_TRUE(std::isnan(computed("roc", {0, 1}, {{"period", 1}})[0].back()));
    EXPECT_TRUE(std::isnan(computed("distance_from_ma", {-1, 1}, {{"period", 2}})[0].back()));
    EXPECT_TRUE(
        std::isnan(computed("macd", {2, 1, 0}, {{"fast_period", 2}, {"slow_period", 3}, {"percent", 1}})[0][2]));
}

/// The height of a bar times what was traded, and all that was traded so far: an indicator of several columns.
struct Effort {
    std::array<double, 2> next(const std::array<double, 3>& bar) {
        total += bar[2];
        return {(bar[0] - bar[1]) * bar[2], total};
    }
    double total{0};
};

constexpr std::array<InputColumn, 3> effort_inputs{InputColumn::high, InputColumn::low, InputColumn::volume};
constexpr std::array<std::string_view, 2> effort_outputs{"effort", "total"};
const IndicatorSpec effort{
    .name = "effort",
    .inputs = effort_inputs,
    .outputs = effort_outputs,
    .make_state = [](const IndicatorParameters&) { return make_state<3, 2>(Effort{}); },
    .warm_up = [](const IndicatorParameters&) { return WarmUp{}; },
};

TEST(Indicator, ReadsSeveralColumns) {
    const auto indicator = Indicator::make(effort, {}).value();
    const IndicatorColumns columns = indicator.compute(test::daily({10, 20, 30}));
    EXPECT_EQ(columns[0], (Column{2000, 2000, 2000}));
    EXPECT_EQ(columns[1], (Column{1000, 2000, 3000}));
    test::expect_streaming_equals_batch(indicator, test::odd_bars(50, 3));
    EXPECT_EQ(Indicator::make(effort, {}, "open").error().message, "effort takes high, low, volume; leave source out");
}

TEST(Indicator, ReadsTheSourceItIsGiven) {
    const Bars bars = test::daily({10, 20, 30, 60});
    const auto high = Indicator::make("distance_from_ma", {{"period", 2}}, "high");
    EXPECT_DOUBLE_EQ(high->compute(bars)[0][1], 100 * (21 - 16.0) / 16);
}

TEST(Indicator, RefusesWhatTheRegistryDoesNotKnow) {
    const std::string unknown = Indicator::make("rsj", {}).error().message;
    EXPECT_EQ(unknown.find("there is no indicator 'rsj'; there are rsi, macd, "), 0U) << unknown;
    EXPECT_EQ(Indicator::make("rsi", {{"length", 5}}).error().message,
              "rsi has no parameter 'length'; it takes period");
    EXPECT_EQ(Indicator::make("rsi", {{"period", 1}}).error().message,
              "rsi: period is 1; it must be a whole number from 2 to 1000");
    EXPECT_EQ(Indicator::make("rsi", {{"period", 2.5}}).error().code, Errc::invalid_argument);
    EXPECT_EQ(Indicator::make("rsi", {{"period", std::nan("")}}).error().code, Errc::invalid_argument);
    EXPECT_EQ(Indicator::make("rsi", {}, "volume").error().message,
              "rsi: source is 'volume'; it must be one of close, open, high, low");
    EXPECT_EQ(Indicator::make("macd", {{"fast_period", 30}}).error().message,
              "macd: fast_period (30) must be less than slow_period (26)");
}

TEST(Indicator, TellsItsSpecsAsJson) {
    const boost::json::object specs = indicator_specs();
    EXPECT_EQ(specs.size(), indicator_names().size());
    const boost::json::object& slow = specs.at("macd").at("params").at("slow_period").as_object();
    EXPECT_EQ(slow.at("default"), 26.0);
    EXPECT_EQ(specs.at("macd").at("outputs"), (boost::json::array{"line", "signal", "histogram"}));
    EXPECT_EQ(specs.at("macd").at("rising"), (boost::json::array{"fast_period", "slow_period"}));
}

}  // namespace
}  // namespace ktrdr
