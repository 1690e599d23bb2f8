#include <ktrdr/features/feature_matrix.hpp>

#include <gtest/gtest.h>
#include <gmock/gmock.h>

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
    EXPECT_EQ(matrix.dropped, warm_up_bars(plan()));
    EXPECT_EQ(matrix.bar.front(), 3u);
    EXPECT_EQ(matrix.bar.size(), 7u);
    EXPECT_EQ(matrix.values.size(), 7u * 3u);
}

TEST(FeatureMatrix, LagsByWholeBars) {
    const Bars bars = test::daily(test::walk(30, 2));
    const FeatureMatrix plain = daily_features(plan(), bars);
    const FeatureMatrix lagged = daily_features(plan(2), bars);
    EXPECT_EQ(lagged.dropped, plain.dropped + 2);
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

}  // namespace
}  // namespace ktrdr
