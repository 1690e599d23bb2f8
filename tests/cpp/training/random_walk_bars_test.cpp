// Bars that nobody can learn from are shaped as the real ones are, whatever those are.
#include "../../../cpp/training/src/random_walk_bars.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fakes.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using std::chrono::hours;

constexpr TimeRange all_time{UtcTime::min(), UtcTime::max()};

/// Bars by timeframe, of whichever symbol; `failure` in their place.
class RealBars final : public BarProvider {
public:
    std::map<std::string, Bars, std::less<>> series{};
    std::optional<Error> failure{};

    Result<BarsPtr> bars(const std::string&, const Timeframe& timeframe, TimeRange range,
                         const CancellationToken&) override {
        if (failure) {
            return *failure;
        }
        return std::make_shared<const Bars>(series.find(timeframe.name())->second.slice(range));
    }
};

/// Bars of that length from 2020 on, whose prices rise and fall by `step`.
Bars zigzag(hours length, std::size_t count, double price, double step) {
    Bars bars;
    UtcTime stamp = at("2020-01-01");
    for (std::size_t i = 0; i < count; ++i, stamp += length) {
        const double close = i % 2 == 0 ? price + step : price;
        bars.push_back(stamp.time_since_epoch().count(), price, price + 2 * step, price - step, close,
                       static_cast<double>(i % 7));
    }
    return bars;
}

struct RandomWalkBars_ : testing::Test {
    std::shared_ptr<RealBars> real = std::make_shared<RealBars>();
    RandomWalkBars walk{real};
    ManualClock clock{};
    ManualExecutor io{};
    ManualTimerQueue timers{clock};
    const Timeframe day = Timeframe::parse("1d").value();
    const Timeframe hour = Timeframe::parse("1h").value();

    Bars made(const Timeframe& timeframe, TimeRange range = all_time) {
        auto bars = walk.bars("AAPL", timeframe, range, {});
        EXPECT_TRUE(bars) << bars.error().message;
        return **bars;
    }
    static void expect_bars_of(const Bars& made, const Bars& real) {
        EXPECT_EQ(made.time, real.time);
        for (std::size_t i = 0; i < made.size(); ++i) {
            EXPECT_TRUE(std::isfinite(made.open[i]) && std::isfinite(made.close[i])) << i;
            EXPECT_GE(made.high[i], std::max(made.open[i], made.close[i])) << i;
            EXPECT_LE(made.low[i], std::min(made.open[i], made.close[i])) << i;
            EXPECT_EQ(made.open[i], i == 0 ? made.open[0] : made.close[i - 1]) << i;
        }
    }
};

TEST_F(RandomWalkBars_, HaveTheStampsOfTheRealOnesAndAreTheSameForTheSame) {
    real->series["1d"] = zigzag(hours{24}, 300, 100, 1);
    const Bars bars = made(day);
    expect_bars_of(bars, real->series["1d"]);
    EXPECT_GT(*std::ranges::min_element(bars.low), 0);
    EXPECT_NE(bars.close, real->series["1d"].close);
    EXPECT_EQ(made(day).close, bars.close) << "asked again it is the walk that is known";
    RandomWalkBars another(real);
    const auto again = another.bars("AAPL", day, all_time, {}).value();
    EXPECT_EQ(again->close, bars.close);
    EXPECT_NE(another.bars("MSFT", day, all_time, {}).value()->close, bars.close);
}

TEST_F(RandomWalkBars_, WalkByDifferencesWherePricesAreBelowZero) {
    real->series["1d"] = zigzag(hours{24}, 300, -1, 2);
    const Bars bars = made(day);
    expect_bars_of(bars, real->series["1d"]);
    EXPECT_LT(*std::ranges::min_element(bars.close), 0);
}

TEST_F(RandomWalkBars_, OfOtherTimeframesAreCutOutOfTheSameWalk) {
    real->series["1d"] = zigzag(hours{24}, 20, 100, 1);
    real->series["1h"] = zigzag(hours{1}, 24 * 25, 100, 1);
    for (std::int64_t& stamp : real->series["1h"].time) {
        // Two days before the first day to three behind the last one.
        stamp -= std::chrono::nanoseconds{hours{48}}.count();
    }
    const Bars days = made(day);
    const Bars some_hours = made(hour);
    expect_bars_of(some_hours, real->series["1h"]);
    for (std::size_t i = 0; i < days.size(); ++i) {
        EXPECT_DOUBLE_EQ(days.close[i], some_hours.close[48 + 24 * i + 23]) << i;
    }
}

TEST_F(RandomWalkBars_, OfFewBarsStandStill) {
    real->series["1d"] = zigzag(hours{24}, 1, 100, 1);
    const Bars one = made(day);
    ASSERT_EQ(one.size(), 1U);
    EXPECT_EQ(one.open[0], 101);
    EXPECT_EQ(one.close[0], 101);
    real->series["1d"] = {};
    EXPECT_TRUE(RandomWalkBars(real).bars("AAPL", day, all_time, {}).value()->empty());
}

TEST_F(RandomWalkBars_, MissNoPriceThatTheRealOnesMiss) {
    real->series["1d"] = zigzag(hours{24}, 100, 100, 1);
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t row = 0; row < 100; row += 3) {
        real->series["1d"].high[row] = none;
        real->series["1d"].close[row + (row % 2)] = none;
    }
    expect_bars_of(made(day), real->series["1d"]);
}

TEST_F(RandomWalkBars_, AreNoneWhereThereAreNoRealOnesOrTheyAreNotWantedAnyMore) {
    real->failure = fail(Errc::no_data, "nothing is stored");
    EXPECT_EQ(walk.bars("AAPL", day, all_time, {}).error(), *real->failure);
    real->failure.reset();
    real->series["1h"] = zigzag(hours{1}, 10'000, 100, 1);
    const CancellationToken token = CancellationToken::create(io, timers, clock);
    token.cancel({});
    EXPECT_EQ(walk.bars("AAPL", hour, all_time, token).error().code, Errc::cancelled);
    const Bars bars = made(hour);
    EXPECT_EQ(walk.bars("AAPL", hour, all_time, token).error().code, Errc::cancelled) << "while it is cut, too";
    EXPECT_EQ(made(hour).close, bars.close);
}

}  // namespace
}  // namespace ktrdr
