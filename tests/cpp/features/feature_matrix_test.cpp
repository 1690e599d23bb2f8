#include <ktrdr/features/feature_matrix.hpp>

#include <gtest/gtest.h>
#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "odd_bars.hpp"
#include "series.hpp"

namespace ktrdr {
namespace {

using ::testing::ElementsAre;

using test::day;
const Timeframe hour = Timeframe::parse("1h").value();

NamedFuzzySet triangle(std::string name, double a, double b, double c) {
    return {std::move(name), FuzzySet::make("triangular", std::vector<double>{a, b, c}).value()};
}

FeaturePlan plan(std::size_t lags = 0) {
    FeaturePlan made;
    made.sources.push_back({"rsi_3", Indicator::make("rsi", {{"period", 3}}).value(), {}});
    made.sources[0].inputs.push_back({"rsi_3", 0, {triangle("low", 0, 0, 50), triangle("high", 50, 100, 100)}});
    made.sources.push_back(
        {"trend", Indicator::make("macd", {{"fast_period", 2}, {"slow_period", 3}, {"signal_period", 2}}).value(), {}});
    made.sources[1].inputs.push_back({"trend.histogram", 2, {triangle("up", 0, 1, 1)}});
    made.lags = lags;
    return made;
}

FeatureSeries series(const Timeframe& timeframe, Bars bars) {
    return {BarGrid(timeframe), std::make_shared<const Bars>(std::move(bars))};
}

FeatureMatrix daily_features(const FeaturePlan& features, const Bars& bars) {
    const std::vector<FeatureSeries> all{series(day, bars)};
    return build_features(features, all, 0).value();
}

TEST(FeatureMatrix, NamesItsColumnsInTheOrderOfTheFile) {
    EXPECT_THAT(feature_names(plan(1), std::vector{day}),
                ElementsAre("1d_rsi_3_low", "1d_rsi_3_low_lag_1", "1d_rsi_3_high", "1d_rsi_3_high_lag_1",
                            "1d_trend_histogram_up", "1d_trend_histogram_up_lag_1"));
}

TEST(FeatureMatrix, DropsTheRowsThatWarmUp) {
    const FeatureMatrix matrix = daily_features(plan(), test::daily(test::walk(10, 1)));
    EXPECT_EQ(matrix.dropped[DropReason::warm_up], warm_up_bars(plan()));
    EXPECT_EQ(matrix.bar.front(), 3u);
    EXPECT_EQ(matrix.bar.size(), 7u);
    EXPECT_EQ(matrix.values.size(), 7u * 3u);
}

TEST(FeatureMatrix, BeginsAsSoonAsTheOutputsThatAreReadDo) {
    const Bars bars = test::walking_bars(300, 3);
    for (const IndicatorSpec& spec : indicator_registry()) {
        for (std::size_t output = 0; output < spec.outputs.size(); ++output) {
            FeaturePlan features;
            features.lags = 2;
            features.sources.push_back({"one", Indicator::make(spec, {}).value(), {}});
            features.sources[0].inputs.push_back(
                {"one", output, {{"set", FuzzySet::make("gaussian", std::vector<double>{0, 1}).value()}}});
            const FeatureMatrix matrix = daily_features(features, bars);
            const std::size_t warm_up = warm_up_bars(features);
            EXPECT_EQ(matrix.bar.front(), warm_up) << spec.name << " " << output;
            EXPECT_EQ(matrix.dropped[DropReason::warm_up], warm_up) << spec.name << " " << output;
            EXPECT_EQ(matrix.dropped.total(), warm_up) << spec.name << " " << output;
            EXPECT_GE(history_bars(features).value_or(WarmUp::never), warm_up) << spec.name << " " << output;
        }
    }
}

TEST(FeatureMatrix, LagsByWholeBars) {
    const Bars bars = test::daily(test::walk(30, 2));
    const FeatureMatrix plain = daily_features(plan(), bars);
    const FeatureMatrix lagged = daily_features(plan(2), bars);
    EXPECT_EQ(lagged.dropped.total(), plain.dropped.total() + 2);
    // Columns of a set: now, lag 1, lag 2.
    EXPECT_EQ(lagged.values[0], plain.values[2 * 3]);
    EXPECT_EQ(lagged.values[1], plain.values[1 * 3]);
    EXPECT_EQ(lagged.values[2], plain.values[0]);
}

TEST(FeatureMatrix, DoesNotChangeEarlierRowsWhenBarsAreAppended) {
    const Bars all = test::daily(test::walk(80, 4));
    const FeatureMatrix later = daily_features(plan(1), all);
    for (std::size_t count = 0; count <= all.size(); ++count) {
        const FeatureMatrix early = daily_features(plan(1), all.rows(0, count));
        ASSERT_LE(early.values.size(), later.values.size());
        EXPECT_TRUE(std::equal(early.values.begin(), early.values.end(), later.values.begin())) << count;
        EXPECT_TRUE(std::equal(early.bar.begin(), early.bar.end(), later.bar.begin())) << count;
    }
}

TEST(FeatureMatrix, TakesAHigherTimeframeOnlyOnceItsBarIsClosed) {
    const Bars hours = test::daily(test::walk(24 * 8, 5), std::chrono::hours{1});
    const Bars days = test::daily(test::walk(8, 6));
    const std::vector<FeatureSeries> both{series(hour, hours), series(day, days)};
    const FeatureMatrix joined = build_features(plan(), both, 0).value();
    const FeatureMatrix alone = daily_features(plan(), days);
    // The first daily value belongs to day 3; it is known at that day's end, by the hour that closes with it.
    EXPECT_EQ(joined.bar.front(), 3u * 24 + 23);
    for (std::size_t row = 0; row < joined.bar.size(); ++row) {
        const std::size_t closed_day = (joined.bar[row] + 1) / 24 - 1;
        const std::size_t wanted = closed_day - alone.bar.front();
        EXPECT_EQ(joined.values[row * 6 + 3], alone.values[wanted * 3]) << row;
    }
    EXPECT_EQ(joined.names[3], "1d_rsi_3_low");
}

/// The memberships of rows by their bar.
std::map<std::size_t, std::vector<float>> by_bar(const FeatureMatrix& matrix) {
    std::map<std::size_t, std::vector<float>> rows;
    for (std::size_t row = 0; row < matrix.bar.size(); ++row) {
        const auto first = matrix.values.begin() + static_cast<std::ptrdiff_t>(row * matrix.names.size());
        rows[matrix.bar[row]] = {first, first + static_cast<std::ptrdiff_t>(matrix.names.size())};
    }
    return rows;
}

FeatureSeries with_holes(const Timeframe& timeframe, Bars bars, std::vector<Hole> holes) {
    return {BarGrid(timeframe), std::make_shared<const Bars>(std::move(bars)), std::move(holes)};
}

TEST(FeatureMatrix, BeginsAnewBehindAHole) {
    FeaturePlan features = plan(2);
    features.price_context = true;
    const Bars bars = test::daily(test::walk(60, 3));
    const std::vector<FeatureSeries> all{with_holes(day, bars, {{25, {}, {}, 1}, {28, {}, {}, 1}})};
    const FeatureMatrix matrix = build_features(features, all, 0).value();
    const auto rows = by_bar(matrix);
    const std::size_t warm_up = warm_up_bars(features);
    EXPECT_EQ(warm_up, 5U);
    std::map<std::size_t, std::vector<float>> wanted;
    for (const auto& [first, last] : {std::pair{0UL, 25UL}, std::pair{25UL, 28UL}, std::pair{28UL, 60UL}}) {
        for (auto& [bar, values] : by_bar(daily_features(features, bars.rows(first, last)))) {
            wanted[bar + first] = std::move(values);
        }
    }
    EXPECT_EQ(rows, wanted);
    EXPECT_EQ(matrix.dropped[DropReason::warm_up], warm_up);
    EXPECT_EQ(matrix.dropped[DropReason::hole], 3 + warm_up);
    EXPECT_EQ(matrix.dropped.total(), 60 - rows.size());
}

/// Bar by bar, looking back from each: which rows there are, and what is in them.
std::map<std::size_t, std::vector<float>> slow_rows(const FeaturePlan& features, const FeatureSeries& series) {
    const Bars& bars = *series.bars;
    std::map<std::size_t, std::vector<float>> rows;
    for (const Stretch stretch : stretches_between(series.holes, bars.size())) {
        const Bars own = bars.rows(stretch.first, stretch.last);
        std::vector<std::vector<std::vector<double>>> outputs;
        for (const FeatureSource& source : features.sources) {
            outputs.push_back(source.indicator.compute(own));
        }
        for (std::size_t bar = features.lags; bar < own.size(); ++bar) {
            std::vector<float> row;
            for (std::size_t source = 0; source < outputs.size(); ++source) {
                for (const FuzzyInput& input : features.sources[source].inputs) {
                    for (const NamedFuzzySet& named : input.sets) {
                        for (std::size_t lag = 0; lag <= features.lags; ++lag) {
                            const double value = outputs[source][input.output][bar - lag];
                            row.push_back(static_cast<float>(named.set.membership(value)));
                        }
                    }
                }
            }
            if (std::ranges::all_of(row, [](float value) { return std::isfinite(value); })) {
                rows[stretch.first + bar] = std::move(row);
            }
        }
    }
    return rows;
}

TEST(FeatureMatrix, HasTheRowsThatOneFindsLookingBackFromEachBar) {
    std::mt19937 generator(5);
    // Around the lengths of blocks of rows.
    for (const std::size_t count : {5U, 255U, 256U, 257U, 511U, 512U, 513U, 1500U}) {
        for (const std::size_t lags : {0U, 1U, 7U, 300U}) {
            std::vector<double> closes = test::walk(count, 3);
            std::uniform_int_distribution<std::size_t> any(1, count - 1);
            std::set<std::size_t> holes;
            for (int i = 0; i < 3; ++i) {
                closes[any(generator)] = no_value;
                holes.insert(any(generator));
            }
            std::vector<Hole> known;
            for (const std::size_t bar : holes) {
                known.push_back({bar, {}, {}, 1});
            }
            const std::vector<FeatureSeries> all{with_holes(day, test::daily(closes), known)};
            const FeatureMatrix matrix = build_features(plan(lags), all, 0).value();
            EXPECT_EQ(by_bar(matrix), slow_rows(plan(lags), all[0])) << count << " bars, " << lags << " lags";
            EXPECT_EQ(matrix.bar.size() + matrix.dropped.total(), count);
        }
    }
}

TEST(FeatureMatrix, CountsRowsOfAMissingPriceByThatReason) {
    std::vector<double> closes = test::walk(40, 3);
    closes[20] = no_value;
    FeaturePlan features;
    features.price_context = true;
    features.lags = 2;
    const FeatureMatrix matrix = daily_features(features, test::daily(closes));
    EXPECT_EQ(matrix.dropped[DropReason::warm_up], 3U);
    // The bar, the one after, whose change begins there, and two lags.
    EXPECT_EQ(matrix.dropped[DropReason::nan], 4U);
    EXPECT_EQ(matrix.bar.size(), 33U);
}

TEST(FeatureMatrix, UsesABarOfALongerTimeframeNoLongerThanUntilTheNextOneIsMissing) {
    const Bars hours = test::daily(test::walk(24 * 20, 5), std::chrono::hours{1});
    Bars days = test::daily(test::walk(20, 6));
    // Days 8 to 10 are missing, and all from day 17 on.
    const Bars later = days.rows(11, 17);
    days = merge(days.rows(0, 8), later);
    const UtcTime gap = days.start_of(7) + std::chrono::hours{24};
    const UtcTime tail = days.start_of(13) + std::chrono::hours{24};
    const std::vector<FeatureSeries> both{
        series(hour, hours),
        with_holes(day, days,
                   {{8, {gap, gap + std::chrono::hours{72}}, gap + std::chrono::hours{24}, 3},
                    {14, {tail, tail + std::chrono::hours{72}}, tail + std::chrono::hours{24}, 3}})};
    const FeatureMatrix matrix = build_features(plan(), both, 0).value();
    const auto rows = by_bar(matrix);
    const auto known_at = [](std::size_t day_of, std::size_t hour_of) { return day_of * 24 + hour_of; };
    EXPECT_TRUE(rows.contains(known_at(8, 22)));
    // At its end day 8 should be known.
    EXPECT_FALSE(rows.contains(known_at(8, 23)));
    // Days 11 to 13 warm up again; day 14 is known at its end.
    EXPECT_FALSE(rows.contains(known_at(14, 22)));
    EXPECT_TRUE(rows.contains(known_at(14, 23)));
    EXPECT_TRUE(rows.contains(known_at(17, 22)));
    EXPECT_FALSE(rows.contains(known_at(17, 23)));
    EXPECT_EQ(rows.rbegin()->first, known_at(17, 22));
    EXPECT_EQ(matrix.dropped[DropReason::nan], 0U);
}

TEST(FeatureMatrix, SaysWhatABarSaysByItself) {
    Bars bars;
    const auto add = [&bars](double open, double high, double low, double close) {
        bars.push_back(static_cast<std::int64_t>(bars.size()) * 86'400'000'000'000, open, high, low, close, 1);
    };
    add(10, 12, 8, 10);
    add(10, 13, 9, 12);
    add(-4, -2, -6, -2);
    add(5, 5, 5, 5);
    FeaturePlan features;
    features.price_context = true;
    const FeatureMatrix matrix = daily_features(features, bars);
    EXPECT_THAT(matrix.names, ElementsAre("1d_price_change", "1d_price_body", "1d_price_range", "1d_price_position"));
    EXPECT_THAT(matrix.bar, ElementsAre(1, 2, 3));
    const auto rows = by_bar(matrix);
    EXPECT_THAT(rows.at(1), ElementsAre(0.2F, 0.2F, static_cast<float>(4.0 / 12), 0.75F));
    EXPECT_THAT(rows.at(2), ElementsAre(static_cast<float>(-14.0 / 12), 0.5F, 2, 1));
    EXPECT_THAT(rows.at(3), ElementsAre(3.5F, 0, 0, 0.5F));
}

TEST(FeatureMatrix, HasPriceContextBehindTheIndicatorsOfEachTimeframe) {
    FeaturePlan features = plan(1);
    features.price_context = true;
    const std::vector<std::string> names = feature_names(features, std::vector{day, hour});
    EXPECT_EQ(names.size(), 2U * 2 * (3 + 4));
    EXPECT_EQ(names[5], "1d_trend_histogram_up_lag_1");
    EXPECT_EQ(names[6], "1d_price_change");
    EXPECT_EQ(names[7], "1d_price_change_lag_1");
    EXPECT_EQ(names[14], "1h_rsi_3_low");
}

TEST(HistoryBars, AreEnoughForTheRowOfTheWholeSeries) {
    const Bars bars = test::daily(test::walk(3000, 8));
    const FeaturePlan features = plan(2);
    const FeatureMatrix whole = daily_features(features, bars);
    const std::size_t history = history_bars(features).value();
    EXPECT_GT(history, warm_up_bars(features));
    for (std::size_t end = history + 1; end <= bars.size(); end += 97) {
        const FeatureMatrix newest = daily_features(features, bars.rows(end - history - 1, end));
        const std::size_t width = whole.names.size();
        const std::size_t row = end - 1 - whole.bar.front();
        for (std::size_t column = 0; column < width; ++column) {
            ASSERT_NEAR(newest.values[newest.values.size() - width + column], whole.values[row * width + column], 1e-6)
                << end << " " << whole.names[column];
        }
    }
}

TEST(FeatureMatrix, StopsWhereItsCheckSaysSo) {
    const std::vector<FeatureSeries> all{series(day, test::daily(test::walk(30, 1)))};
    std::vector<std::string> asked;
    const BuildCheck check = [&asked](std::string_view step) -> Result<void> {
        asked.emplace_back(step);
        if (asked.size() == 3) {
            return fail(Errc::cancelled, "stop");
        }
        return {};
    };
    EXPECT_EQ(build_features(plan(), all, 0, check).error().code, Errc::cancelled);
    EXPECT_THAT(asked, ElementsAre("indicators", "fuzzy", "indicators"));
}

TEST(FeatureMatrix, HasNoRowsWithoutBars) {
    const FeatureMatrix matrix = daily_features(plan(), {});
    EXPECT_TRUE(matrix.values.empty());
    EXPECT_EQ(matrix.names.size(), 3u);
}

TEST(PriceContext, HasNoShareOfAPriceOfZeroAndTheMiddleOfNoRange) {
    const auto context = [](const ContextPrices& prices) { return price_context_of(prices); };
    EXPECT_THAT(context({.open = 4, .high = 8, .low = 4, .close = 5, .before = 10}),
                ElementsAre(-0.5, 0.25, 0.8, 0.25));
    // Below zero a share is one of the price's size.
    EXPECT_THAT(context({.open = -4, .high = -2, .low = -4, .close = -2, .before = -4}), ElementsAre(0.5, 0.5, 1, 1));
    const auto from_zero = context({.open = 0, .high = 1, .low = 0, .close = 1, .before = 0});
    EXPECT_TRUE(std::isnan(from_zero[0]) && std::isnan(from_zero[1]));
    EXPECT_EQ(from_zero[2], 1);
    EXPECT_TRUE(std::isnan(context({.open = 1, .high = 1, .low = 0, .close = 0, .before = 1})[2]));
    EXPECT_EQ(context({.open = 3, .high = 3, .low = 3, .close = 3, .before = 3})[3], 0.5);
}

TEST(DroppedRows, AreCountedByReasonAndAddedUp) {
    DroppedRows rows;
    EXPECT_EQ(rows.total(), 0U);
    rows.add(DropReason::none, 100);
    rows.add(DropReason::warm_up);
    rows.add(DropReason::purged, 4);
    DroppedRows both = rows;
    both.add(rows);
    EXPECT_EQ(both[DropReason::warm_up], 2U);
    EXPECT_EQ(both[DropReason::purged], 8U);
    EXPECT_EQ(both.total(), 10U) << "what has a row was not dropped";
    EXPECT_EQ(to_string(DropReason::none), "none");
    EXPECT_EQ(to_string(DropReason::purged), "purged");
}

}  // namespace
}  // namespace ktrdr
