#include <ktrdr/features/oscillators.hpp>

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include <cmath>
#include <fstream>
#include <sstream>

#include <ktrdr/features/indicator.hpp>
#include <ktrdr/features/moving_averages.hpp>

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
        EXPECT_EQ(first, indicator->warm_up().least) << spec.name;
    }
}

/// A walk with missing prices at its beginning and in between.
std::vector<double> with_holes(std::size_t count, unsigned seed) {
    std::vector<double> closes = test::walk(count, seed);
    std::mt19937 generator(seed);
    for (std::size_t hole = 0; hole < seed % 4; ++hole) {
        closes[generator() % count] = std::nan("");
    }
    for (std::size_t bar = 0; bar < seed % 3; ++bar) {
        closes[bar] = std::nan("");
    }
    return closes;
}

/// Compares what bars give as they come with what they give all at once.
void expect_streaming_equals_batch(const Indicator& indicator, const Bars& bars) {
    const IndicatorColumns batch = indicator.compute(bars);
    const auto state = indicator.state();
    for (std::size_t bar = 0; bar < bars.size(); ++bar) {
        std::vector<double> inputs;
        for (const BarColumn column : indicator.inputs()) {
            inputs.push_back(column_of(bars, column)[bar]);
        }
        std::vector<double> outputs(batch.size());
        state->next(inputs, outputs);
        for (std::size_t output = 0; output < outputs.size(); ++output) {
            ASSERT_TRUE(same(outputs[output], batch[output][bar])) << indicator.spec().name << " bar " << bar;
        }
    }
}

TEST(Indicators, GiveTheSameBitsForBarsAsTheyComeAndForAllAtOnce) {
    for (unsigned seed = 1; seed <= 12; ++seed) {
        const Bars bars = test::daily(with_holes(200, seed));
        for (const IndicatorSpec& spec : indicator_registry()) {
            for (const std::string_view source : spec.inputs.empty() ? price_sources() : price_sources().first(1)) {
                expect_streaming_equals_batch(Indicator::make(spec, {}, source).value(), bars);
            }
        }
        const IndicatorParameters percent{{"fast_period", 3}, {"slow_period", 7}, {"percent", 1}};
        expect_streaming_equals_batch(Indicator::make("macd", percent).value(), bars);
    }
}

/// The largest difference, that beginning `late` bars later makes `after` bars behind that.
double difference_after(const Indicator& indicator, const Bars& bars, std::size_t late, std::size_t after) {
    const IndicatorColumns all = indicator.compute(bars);
    const IndicatorColumns part = indicator.compute(bars.rows(late, bars.size()));
    double largest = 0;
    for (std::size_t output = 0; output < all.size(); ++output) {
        for (std::size_t bar = late + after; bar < bars.size(); ++bar) {
            largest = std::max(largest, std::abs(all[output][bar] - part[output][bar - late]));
        }
    }
    return largest;
}

TEST(Indicators, ForgetWhereTheSeriesBeganAfterTheExactWarmUp) {
    constexpr std::size_t late = 50;
    for (unsigned seed = 1; seed <= 5; ++seed) {
        // Around 100, as RSI is: a difference counts in parts of that.
        const Bars bars = test::daily(test::walk(1200, seed));
        for (const IndicatorSpec& spec : indicator_registry()) {
            const auto indicator = Indicator::make(spec, {}).value();
            const auto [least, exact] = indicator.warm_up();
            ASSERT_GE(exact, least) << spec.name;
            ASSERT_LT(late + exact, bars.size()) << spec.name;
            EXPECT_LT(difference_after(indicator, bars, late, exact), 100 * 1e-13) << spec.name;
            if (exact > least) {
                EXPECT_GT(difference_after(indicator, bars, late, exact / 3), 100 * 1e-13) << spec.name;
            }
        }
    }
}

TEST(Indicators, SayAfterHowManyBarsTheyAreExact) {
    const auto exact = [](const char* name, const IndicatorParameters& parameters) {
        return Indicator::make(name, parameters).value().warm_up().exact;
    };
    // A window knows nothing of what lies before it.
    EXPECT_EQ(exact("distance_from_ma", {{"period", 20}}), 19u);
    // (13/14)^496 is the first power of 13/14 below 2^-53.
    EXPECT_EQ(exact("rsi", {{"period", 14}}), 14u + 496u);
    // (25/27)^478 and (8/10)^165 are those of the slow mean and the signal.
    EXPECT_EQ(exact("macd", {}), 25u + 478u + 165u);
}

/// The height of a bar times what was traded, and all that was traded so far: an indicator of several columns.
struct Effort {
    std::array<double, 2> next(const std::array<double, 3>& bar) {
        total += bar[2];
        return {(bar[0] - bar[1]) * bar[2], total};
    }
    double total{0};
};

constexpr std::array<BarColumn, 3> effort_inputs{BarColumn::high, BarColumn::low, BarColumn::volume};
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
    expect_streaming_equals_batch(indicator, test::daily(with_holes(50, 3)));
    EXPECT_EQ(Indicator::make(effort, {}, "open").error().message, "effort takes high, low, volume; leave source out");
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
