#include <ktrdr/training/strategy_features.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/training/training_context.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

Strategy strategy_of(const std::vector<std::string>& timeframes, const std::string& base) {
    TrainingRequest request;
    request.strategy = test::strategy_json();
    request.strategy["training_data"].as_object()["timeframes"] = {
        {"mode", timeframes.size() > 1 ? "multi" : "single"},
        {"list", boost::json::array(timeframes.begin(), timeframes.end())},
        {"base_timeframe", base}};
    return build_training_context(request).value().strategy;
}

FeatureSeries handed_in(std::string_view timeframe, Bars bars) {
    return {BarGrid(Timeframe::parse(timeframe).value()), std::make_shared<const Bars>(std::move(bars)), {}};
}

void expect_refused(const Strategy& strategy, std::vector<FeatureSeries> series, const std::string& words) {
    const auto made = strategy_features(strategy, std::move(series), {});
    ASSERT_FALSE(made) << words;
    EXPECT_EQ(made.error().code, Errc::invalid_argument);
    EXPECT_THAT(made.error().message, HasSubstr(words));
}

TEST(StrategyFeatures, AreThoseOfTheSeriesThatAreHandedIn) {
    const Strategy strategy = strategy_of({"1d"}, "1d");
    const auto made = strategy_features(strategy, {handed_in("1d", test::walk(100, 1))}, {});
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->names.size(), 3U);
    EXPECT_EQ(made->bar.size(), 100 - warm_up_bars(strategy.features));
}

TEST(StrategyFeatures, SpanNoHoleOfTheBars) {
    const Strategy strategy = strategy_of({"1d"}, "1d");
    Bars bars = test::walk(100, 1);
    for (std::size_t bar = 50; bar < bars.size(); ++bar) {
        bars.time[bar] += std::chrono::nanoseconds{std::chrono::hours{24 * 60}}.count();
    }
    const auto made = strategy_features(strategy, {handed_in("1d", bars)}, {}).value();
    EXPECT_EQ(made.dropped[DropReason::hole], warm_up_bars(strategy.features));
}

TEST(StrategyFeatures, NeedTheSeriesOfTheStrategyInItsOrder) {
    const Strategy strategy = strategy_of({"1h", "1d"}, "1h");
    const FeatureSeries days = handed_in("1d", test::walk(100, 1));
    const FeatureSeries hours = handed_in("1h", test::walk(100, 1));
    expect_refused(strategy, {hours}, "needs bars of 1h, 1d, and 1 series were given");
    expect_refused(strategy, {days, hours}, "needs bars of 1h here, and these are 1d");
    Bars unordered = test::walk(100, 1);
    std::swap(unordered.time[3], unordered.time[4]);
    expect_refused(strategy, {hours, handed_in("1d", unordered)}, "row 4");
    EXPECT_TRUE(strategy_features(strategy, {hours, days}, {}));
}

TEST(StrategyFeatures, AreNotMadeWhenNobodyWantsThem) {
    ManualClock clock;
    ManualExecutor io;
    ManualTimerQueue timers{clock};
    const CancellationToken token = CancellationToken::create(io, timers, clock);
    token.cancel({});
    const auto made = strategy_features(strategy_of({"1d"}, "1d"), {handed_in("1d", test::walk(100, 1))}, token);
    EXPECT_EQ(made.error().code, Errc::cancelled);
}

}  // namespace
}  // namespace ktrdr
