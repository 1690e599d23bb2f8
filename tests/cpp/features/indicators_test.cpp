#include <ktrdr/features/indicators.hpp>

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include <cmath>
#include <fstream>
#include <sstream>

#include <ktrdr/features/indicator.hpp>

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

void expect_column(const Column& got, const Column& wanted, const std::string& what) {
    ASSERT_EQ(got.size(), wanted.size()) << what;
    for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_EQ(std::isnan(got[i]), std::isnan(wanted[i])) << what << " at bar " << i;
        if (!std::isnan(got[i])) {
            EXPECT_NEAR(got[i], wanted[i], 1e-9 * std::max(1.0, std::abs(wanted[i]))) << what << " at bar " << i;
        }
    }
}

bool same(double left, double right) {
    return std::isnan(left) ? std::isnan(right) : left == right;
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
    expect_column(rsi(std::vector<double>{10, 11, 10, 12}, 2), {std::nan(""), std::nan(""), 50, 250.0 / 3}, "rsi");
}

TEST(Indicators, GiveTheMacdWorkedByHand) {
    // Fast mean (2): 1.5, 2.5, 3.5; slow mean (3): -, 2, 3; the line is 0.5 throughout, so its own mean is too.
    const MacdColumns columns = macd(std::vector<double>{1, 2, 3, 4}, 2, 3, 2);
    const double no = std::nan("");
    expect_column(columns.line, {no, no, 0.5, 0.5}, "line");
    expect_column(columns.signal, {no, no, no, 0.5}, "signal");
    expect_column(columns.histogram, {no, no, no, 0}, "histogram");
}

TEST(Indicators, GiveTheDistanceFromTheMeanInPercent) {
    expect_column(distance_from_sma(std::vector<double>{10, 10, 40}, 3), {std::nan(""), std::nan(""), 100}, "distance");
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
    EXPECT_TRUE(ema(std::vector<double>{}, 3).empty());
    EXPECT_TRUE(std::isnan(ema(std::vector<double>{1}, 3).back()));
}

TEST(Indicators, SayNoRsiWhereAPriceIsMissing) {
    const Column column = rsi(std::vector<double>{1, 2, std::nan(""), 3, 4}, 2);
    EXPECT_TRUE(std::isnan(column[2]));
    EXPECT_TRUE(std::isnan(column[4]));
}

TEST(Indicators, NeverLookAhead) {
    for (unsigned seed = 1; seed <= 5; ++seed) {
        const std::vector<double> closes = test::walk(120, seed);
        const Bars all = test::daily(closes);
        for (const IndicatorSpec& spec : indicator_registry()) {
            const auto indicator = Indicator::make(spec.name, {});
            const IndicatorColumns later = indicator->compute(all);
            for (std::size_t count = 1; count < closes.size(); count += 7) {
                const IndicatorColumns early = indicator->compute(all.rows(0, count));
                for (std::size_t output = 0; output < early.size(); ++output) {
                    for (std::size_t bar = 0; bar < count; ++bar) {
                        ASSERT_TRUE(same(early[output][bar], later[output][bar])) << spec.name << " bar " << bar;
                    }
                }
            }
        }
    }
}

TEST(Indicators, HaveTheirFirstValueAfterTheWarmUpTheySay) {
    const Bars bars = test::daily(test::walk(60, 3));
    for (const IndicatorSpec& spec : indicator_registry()) {
        const auto indicator = Indicator::make(spec.name, {});
        std::size_t first = 0;
        for (const Column& column : indicator->compute(bars)) {
            std::size_t bar = 0;
            while (std::isnan(column[bar])) {
                ++bar;
            }
            first = std::max(first, bar);
        }
        EXPECT_EQ(first, indicator->warm_up()) << spec.name;
    }
}

TEST(Indicator, ReadsTheSourceItIsGiven) {
    const Bars bars = test::daily({10, 20, 30, 60});
    const auto high = Indicator::make("distance_from_ma", {{"period", 2}}, "high");
    EXPECT_DOUBLE_EQ(high->compute(bars)[0][1], 100 * (21 - 16.0) / 16);
}

TEST(Indicator, RefusesWhatTheRegistryDoesNotKnow) {
    EXPECT_EQ(Indicator::make("rsj", {}).error().message,
              "there is no indicator 'rsj'; there are rsi, macd, distance_from_ma");
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
