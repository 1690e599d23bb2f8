// What holds for every row of the registry, whatever it computes.
#include <ktrdr/features/indicator.hpp>
#include <ktrdr/features/indicator_state.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "odd_bars.hpp"
#include "soak.hpp"

namespace ktrdr {
namespace {

using test::same;

/// With its defaults, and with numbers near the least it takes.
std::vector<Indicator> variants(const IndicatorSpec& spec) {
    std::vector<Indicator> made{Indicator::make(spec, {}).value()};
    IndicatorParameters small;
    double rising = 2;
    for (const IndicatorParameter& parameter : spec.parameters) {
        if (parameter.integer) {
            small.emplace(parameter.name, std::min(std::max(parameter.least, rising++), parameter.most));
        }
    }
    made.push_back(Indicator::make(spec, small).value());
    return made;
}

void for_every_variant(auto check) {
    for (const IndicatorSpec& spec : indicator_registry()) {
        for (const Indicator& indicator : variants(spec)) {
            check(indicator);
        }
    }
}

std::vector<double*> values_at(Bars& bars, std::size_t bar) {
    return {&bars.open[bar], &bars.high[bar], &bars.low[bar], &bars.close[bar], &bars.volume[bar]};
}

TEST(EveryIndicator, HasANameAndOutputsOfItsOwn) {
    std::set<std::string_view> names;
    for (const IndicatorSpec& spec : indicator_registry()) {
        EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
        const std::set<std::string_view> outputs(spec.outputs.begin(), spec.outputs.end());
        EXPECT_EQ(outputs.size(), spec.outputs.size()) << spec.name;
        EXPECT_FALSE(outputs.empty()) << spec.name;
    }
    EXPECT_EQ(names.size(), 30U);
}

TEST(EveryIndicator, SaysTheSameOfABarWhateverComesBehindIt) {
    constexpr std::size_t count = 160;
    for (unsigned seed = 1; seed <= static_cast<unsigned>(soak_count(4, 100)); ++seed) {
        const Bars bars = test::odd_bars(count, seed);
        std::mt19937 generator(seed);
        for_every_variant([&](const Indicator& indicator) {
            const IndicatorColumns before = indicator.compute(bars);
            for (const double changed : {1000.0, -1000.0, std::nan("")}) {
                const std::size_t bar = generator() % count;
                Bars others = bars;
                for (double* const value : values_at(others, bar)) {
                    *value = changed;
                }
                const IndicatorColumns after = indicator.compute(others);
                for (std::size_t output = 0; output < after.size(); ++output) {
                    for (std::size_t i = 0; i < bar; ++i) {
                        ASSERT_TRUE(same(before[output][i], after[output][i]))
                            << indicator.spec().name << " bar " << i << " changed with bar " << bar;
                    }
                }
            }
        });
    }
}

TEST(EveryIndicator, HasItsFirstValueAfterTheWarmUpItSays) {
    const Bars bars = test::walking_bars(200, 3);
    for_every_variant([&](const Indicator& indicator) {
        std::size_t last = 0;
        const IndicatorColumns columns = indicator.compute(bars);
        for (std::size_t output = 0; output < columns.size(); ++output) {
            const auto there = std::ranges::find_if(columns[output], [](double value) { return !std::isnan(value); });
            const auto first = static_cast<std::size_t>(there - columns[output].begin());
            EXPECT_EQ(first, indicator.warm_up(output).least)
                << indicator.spec().name << "." << indicator.spec().outputs[output];
            last = std::max(last, first);
        }
        EXPECT_EQ(last, indicator.warm_up().least) << indicator.spec().name;
    });
}

TEST(EveryIndicator, GivesTheSameBitsForBarsAsTheyComeAndForAllAtOnce) {
    for (unsigned seed = 1; seed <= static_cast<unsigned>(soak_count(12, 200)); ++seed) {
        const Bars bars = test::odd_bars(200, seed);
        for_every_variant([&](const Indicator& indicator) { test::expect_streaming_equals_batch(indicator, bars); });
        for (const std::string_view source : price_sources()) {
            test::expect_streaming_equals_batch(Indicator::make("sma", {}, source).value(), bars);
        }
        const IndicatorParameters percent{{"fast_period", 3}, {"slow_period", 7}, {"percent", 1}};
        test::expect_streaming_equals_batch(Indicator::make("macd", percent).value(), bars);
    }
}

TEST(EveryIndicator, GivesTheSameBitsWhereASeriesIsLongerThanOneRun) {
    for (unsigned seed = 1; seed <= 4; ++seed) {
        const Bars bars = test::odd_bars(2 * longest_run + 300, seed);
        for_every_variant([&](const Indicator& indicator) { test::expect_streaming_equals_batch(indicator, bars); });
    }
}

TEST(EveryIndicator, GivesTheSameBitsWhereAWindowIsLongerThanOneRun) {
    const Bars bars = test::walking_bars(4 * longest_run + 77, 6);
    for (const std::size_t period : {longest_run - 1, longest_run, longest_run + 1, longest_run + 300}) {
        for (const IndicatorSpec& spec : indicator_registry()) {
            if (std::ranges::find(spec.parameters, "period", &IndicatorParameter::name) != spec.parameters.end()) {
                const Indicator indicator = Indicator::make(spec, {{"period", static_cast<double>(period)}}).value();
                test::expect_streaming_equals_batch(indicator, bars);
            }
        }
    }
}

TEST(EveryIndicator, IsBehindAMissingValueWhatItIsAtTheBeginning) {
    constexpr std::size_t hole = 150;
    const Bars whole = test::walking_bars(400, 5);
    for_every_variant([&](const Indicator& indicator) {
        for (const InputColumn input : indicator.inputs()) {
            Bars bars = whole;
            const_cast<std::vector<double>&>(column_of(bars, input))[hole] = std::nan("");
            const IndicatorColumns got = indicator.compute(bars);
            const IndicatorColumns before = indicator.compute(whole);
            const IndicatorColumns behind = indicator.compute(whole.rows(hole + 1, whole.size()));
            for (std::size_t output = 0; output < got.size(); ++output) {
                EXPECT_TRUE(std::isnan(got[output][hole])) << indicator.spec().name;
                for (std::size_t bar = 0; bar < whole.size(); ++bar) {
                    if (bar != hole) {
                        const double wanted = bar < hole ? before[output][bar] : behind[output][bar - hole - 1];
                        ASSERT_TRUE(same(got[output][bar], wanted)) << indicator.spec().name << " bar " << bar;
                    }
                }
            }
        }
    });
}

TEST(EveryIndicator, GivesTheSameBitsWhereValuesAreMissingNearTheEndOfARun) {
    for (const std::size_t before : {2U, 5U, 13U, 40U}) {
        Bars bars = test::odd_bars(2 * longest_run + 300, 11);
        for (const std::size_t end : {longest_run, 2 * longest_run}) {
            for (double* const value : values_at(bars, end - before)) {
                *value = std::nan("");
            }
        }
        for_every_variant([&](const Indicator& indicator) { test::expect_streaming_equals_batch(indicator, bars); });
    }
}

TEST(EveryIndicator, TakesABarWithoutAVolumeForOneThatLacksIt) {
    Bars none = test::odd_bars(3000, 7);
    Bars missing = none;
    for (std::size_t bar = 0; bar < none.size(); ++bar) {
        if (bar % 1000 > 700 || bar % 97 == 5) {
            none.volume[bar] = Bars::no_volume;
            missing.volume[bar] = std::nan("");
        }
    }
    for_every_variant([&](const Indicator& indicator) {
        test::expect_streaming_equals_batch(indicator, none);
        const IndicatorColumns columns = indicator.compute(none);
        const IndicatorColumns expected = indicator.compute(missing);
        for (std::size_t output = 0; output < columns.size(); ++output) {
            for (std::size_t bar = 0; bar < none.size(); ++bar) {
                ASSERT_TRUE(same(columns[output][bar], expected[output][bar])) << indicator.spec().name << " " << bar;
            }
        }
    });
}

TEST(EveryIndicator, StaysANumberOnAMarketThatStandsStill) {
    Bars still = test::daily(std::vector<double>(400, 0.1));
    still.open = still.high = still.low = still.close;
    for_every_variant([&](const Indicator& indicator) {
        for (const std::vector<double>& column : indicator.compute(still)) {
            for (std::size_t bar = indicator.warm_up().least; bar < still.size(); ++bar) {
                ASSERT_TRUE(std::isfinite(column[bar])) << indicator.spec().name << " bar " << bar;
                ASSERT_NEAR(column[bar], column.back(), 1e-12 * std::abs(column.back()))
                    << indicator.spec().name << " bar " << bar;
            }
        }
    });
}

/// The largest difference that beginning `late` bars later makes to a column `after` bars behind that, in parts of its
/// largest value.
double difference_after(const std::vector<double>& all, const std::vector<double>& part, std::size_t late,
                        std::size_t after) {
    double scale = 0;
    double apart = 0;
    for (std::size_t bar = late + after; bar < all.size(); ++bar) {
        scale = std::max(scale, std::abs(all[bar]));
        apart = std::max(apart, std::abs(all[bar] - part[bar - late]));
    }
    return apart / scale;
}

TEST(EveryIndicator, ForgetsWhereTheSeriesBeganAfterTheExactWarmUp) {
    constexpr std::size_t late = 57;
    for (unsigned seed = 1; seed <= static_cast<unsigned>(soak_count(3, 50)); ++seed) {
        const Bars bars = test::walking_bars(1600, seed);
        for_every_variant([&](const Indicator& indicator) {
            const IndicatorColumns all = indicator.compute(bars);
            const IndicatorColumns part = indicator.compute(bars.rows(late, bars.size()));
            for (std::size_t output = 0; output < all.size(); ++output) {
                const auto [least, exact] = indicator.warm_up(output);
                const std::string name = fmt::format("{}.{}", indicator.spec().name, indicator.spec().outputs[output]);
                ASSERT_GE(exact, least) << name;
                if (exact == WarmUp::never) {
                    continue;
                }
                ASSERT_LT(late + exact, bars.size()) << name;
                // Two ways to round the same sums; what is asked is a difference below 1e-9.
                EXPECT_LT(difference_after(all[output], part[output], late, exact), 1e-12) << name;
                if (exact > least) {
                    EXPECT_GT(difference_after(all[output], part[output], late, least + (exact - least) / 8), 1e-12)
                        << name;
                }
            }
        });
    }
}

TEST(EveryIndicator, ThatNeverForgetsIsOneOfFive) {
    std::set<std::string_view> names;
    for (const IndicatorSpec& spec : indicator_registry()) {
        if (Indicator::make(spec, {}).value().warm_up().exact == WarmUp::never) {
            names.insert(spec.name);
        }
    }
    EXPECT_EQ(names, (std::set<std::string_view>{"ad_line", "obv", "parabolic_sar", "supertrend", "zigzag"}));
}

TEST(EveryIndicator, CarriesNoRoundingFromValuesThatHaveLeftItsWindow) {
    // A spike that leaves no trace: of a running sum it would take all digits.
    Bars bars = test::walking_bars(3000, 9);
    const Bars calm = bars;
    for (double* const value : values_at(bars, 100)) {
        *value = 1e15;
    }
    for_every_variant([&](const Indicator& indicator) {
        const auto [least, exact] = indicator.warm_up();
        if (exact != least) {
            return;
        }
        const IndicatorColumns got = indicator.compute(bars);
        const IndicatorColumns wanted = indicator.compute(calm);
        for (std::size_t output = 0; output < got.size(); ++output) {
            for (std::size_t bar = 101 + exact; bar < bars.size(); ++bar) {
                ASSERT_TRUE(same(got[output][bar], wanted[output][bar])) << indicator.spec().name << " bar " << bar;
            }
        }
    });
}

}  // namespace
}  // namespace ktrdr
