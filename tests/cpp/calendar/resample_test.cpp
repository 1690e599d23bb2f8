#include <ktrdr/calendar/resample.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "calendars.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::minutes;
using test::grid;
using testing::ElementsAre;
using testing::HasSubstr;

Bars walk_at(const std::vector<UtcTime>& stamps, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> step(-1, 1);
    Bars bars;
    double price = 100;
    for (const UtcTime stamp : stamps) {
        const double open = price;
        price += step(random);
        bars.push_back(stamp.time_since_epoch().count(), open, std::max(open, price) + 0.1, std::min(open, price) - 0.1,
                       price, static_cast<double>(random() % 1000));
    }
    return bars;
}

/// The obvious way: for each longer bar that should exist look at every shorter one.
Bars slowly(const Bars& bars, const BarGrid& from, const BarGrid& to, TimeRange covered) {
    std::vector<UtcTime> starts(bars.size());
    for (std::size_t row = 0; row < bars.size(); ++row) {
        starts[row] = from.period_of(bars.start_of(row)).start;
    }
    Bars made;
    const std::vector<UtcTime> stamps = to.expected(covered).value();
    for (const UtcTime stamp : stamps) {
        const Period period = to.period_of(stamp);
        if (period.start < covered.start || period.end > covered.end) {
            continue;
        }
        std::vector<std::size_t> inside;
        const auto first = std::lower_bound(starts.begin(), starts.end(), period.start);
        for (auto start = first; start != starts.end() && *start < period.end; ++start) {
            inside.push_back(static_cast<std::size_t>(start - starts.begin()));
        }
        if (inside.empty()) {
            continue;
        }
        double high = bars.high[inside.front()];
        double low = bars.low[inside.front()];
        double volume = 0;
        for (const std::size_t row : inside) {
            high = std::max(high, bars.high[row]);
            low = std::min(low, bars.low[row]);
            volume += bars.volume[row];
        }
        made.push_back(stamp.time_since_epoch().count(), bars.open[inside.front()], high, low,
                       bars.close[inside.back()], volume);
    }
    return made;
}

/// Around a change of the clock, a holiday and a half day.
const TimeRange autumn{at("2024-10-28"), at("2024-12-03")};

struct Case {
    std::string calendar;
    std::string from;
    std::string to;

    friend void PrintTo(const Case& one, std::ostream* out) {
        *out << one.calendar << ' ' << one.from << " to " << one.to;
    }
};

class EveryPair : public testing::TestWithParam<Case> {};

TEST_P(EveryPair, IsWhatTheObviousWayMakes) {
    const auto& [name, from, to] = GetParam();
    const auto calendar = test::shipped(name);
    const BarGrid shorter = grid(from, calendar);
    const BarGrid longer = grid(to, calendar);
    std::mt19937 random(11);
    std::vector<UtcTime> stamps = shorter.expected(autumn).value();
    // Minutes without trades have no bar.
    std::erase_if(stamps, [&random](UtcTime) { return random() % 7 == 0; });
    const Bars bars = walk_at(stamps, 3);
    const auto made = resample(bars, shorter, longer, autumn);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->bars, slowly(bars, shorter, longer, autumn));
    EXPECT_FALSE(made->bars.empty());
    EXPECT_EQ(made->outside, 0U);
}

INSTANTIATE_TEST_SUITE_P(Timeframes, EveryPair,
                         testing::Values(Case{"XNYS", "1m", "2m"}, Case{"XNYS", "1m", "15m"}, Case{"XNYS", "1m", "1h"},
                                         Case{"XNYS", "1m", "1d"}, Case{"XNYS", "30m", "1h"}, Case{"XNYS", "1h", "4h"},
                                         Case{"XNYS", "1h", "8h"}, Case{"XNYS", "1h", "1d"}, Case{"XNYS", "1h", "1w"},
                                         Case{"XNYS", "1d", "1w"}, Case{"XNYS", "1d", "1M"}, Case{"FOREX", "5m", "1h"},
                                         Case{"FOREX", "1h", "4h"}, Case{"FOREX", "1h", "1d"},
                                         Case{"FOREX", "1d", "1w"}, Case{"CRYPTO", "1h", "4h"},
                                         Case{"CRYPTO", "1h", "1d"}, Case{"CRYPTO", "1d", "1M"}));

/// Of minutes to every other timeframe, in each kind of market.
std::vector<Case> of_minutes() {
    std::vector<Case> cases;
    for (const char* const calendar : {"XNYS", "FOREX", "CRYPTO"}) {
        for (const std::string_view longer : Timeframe::names()) {
            if (longer != "1m") {
                cases.push_back({calendar, "1m", std::string(longer)});
            }
        }
    }
    return cases;
}

INSTANTIATE_TEST_SUITE_P(OfMinutes, EveryPair, testing::ValuesIn(of_minutes()));

TEST(Resample, EndsADayOfHoursWithItsSession) {
    const auto xnys = test::shipped("XNYS");
    const BarGrid hour = grid("1h", xnys, {.provider = "IB"});
    const Bars bars = walk_at(hour.expected({at("2024-07-02"), at("2024-07-06")}).value(), 1);
    const auto made = resample(bars, hour, grid("1d", xnys));
    ASSERT_TRUE(made);
    ASSERT_EQ(made->bars.size(), 3U);
    EXPECT_EQ(made->bars.start_of(1), at("2024-07-03"));
    EXPECT_EQ(made->bars.open[1], bars.open[7]);
    EXPECT_EQ(made->bars.close[1], bars.close[10]) << "the half day has four bars";
}

TEST(Resample, MakesNoBarOfHalfItsTime) {
    const BarGrid hour = grid("1h");
    const std::vector<UtcTime> stamps = [] {
        std::vector<UtcTime> made;
        for (UtcTime stamp = at("2024-01-01T05:00"); stamp < at("2024-01-03T17:00"); stamp += std::chrono::hours{1}) {
            made.push_back(stamp);
        }
        return made;
    }();
    const auto made = resample(walk_at(stamps, 1), hour, grid("1d"));
    ASSERT_TRUE(made);
    ASSERT_EQ(made->bars.size(), 1U);
    EXPECT_EQ(made->bars.start_of(0), at("2024-01-02"));
    EXPECT_EQ(made->partial, 19U + 17U);
    // Who knows that nothing traded before says so.
    EXPECT_EQ(
        resample(walk_at(stamps, 1), hour, grid("1d"), TimeRange{at("2024-01-01"), at("2024-01-04")})->bars.size(), 3U);
}

TEST(Resample, LeavesOutWhatIsOutsideOfTheLongerOnesSessions) {
    const auto xnys = test::shipped("XNYS");
    const BarGrid minute = grid("1m", xnys, {.session = "extended"});
    std::vector<UtcTime> stamps;
    for (UtcTime stamp = at("2024-07-02T08:00"); stamp < at("2024-07-03T00:00"); stamp += minutes{1}) {
        stamps.push_back(stamp);
    }
    const Bars bars = walk_at(stamps, 1);
    const auto made = resample(bars, minute, grid("1d", xnys), TimeRange{at("2024-07-01"), at("2024-07-04")});
    ASSERT_TRUE(made);
    ASSERT_EQ(made->bars.size(), 1U);
    EXPECT_EQ(made->bars.open[0], bars.slice({at("2024-07-02T13:30"), at("2024-07-03")}).open.front());
    EXPECT_EQ(made->bars.close[0], bars.slice({at("2024-07-02"), at("2024-07-02T20:00")}).close.back());
    EXPECT_EQ(made->outside, 330U + 240U);
}

TEST(Resample, TakesABarCutByTheFullHourIntoTheDayOfItsOpen) {
    const auto xnys = test::shipped("XNYS");
    const BarGrid hour = grid("1h", xnys, {.cut = BarCut::clock});
    const Bars bars = walk_at(hour.expected({at("2024-07-02"), at("2024-07-03")}).value(), 1);
    ASSERT_EQ(bars.start_of(0), at("2024-07-02T13:00"));
    const auto made = resample(bars, hour, grid("1d", xnys));
    ASSERT_TRUE(made);
    ASSERT_EQ(made->bars.size(), 1U);
    EXPECT_EQ(made->bars.open[0], bars.open[0]);
}

TEST(Resample, KeepsAVolumeThatIsNotGivenNotGiven) {
    Bars bars =
        walk_at({at("2024-01-01T00:00"), at("2024-01-01T01:00"), at("2024-01-01T02:00"), at("2024-01-01T03:00")}, 1);
    bars.volume = {5, -1, 7, 2};
    EXPECT_THAT(resample(bars, grid("1h"), grid("2h"))->bars.volume, ElementsAre(-1, 9));
}

TEST(Resample, RefusesBarsThatReachOverTheEndOfALongerOne) {
    const Bars bars = walk_at({at("2024-01-01T00:00"), at("2024-01-01T02:00"), at("2024-01-01T04:00")}, 1);
    const auto made = resample(bars, grid("2h"), grid("3h"));
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().message, HasSubstr("the 2h bar stamped 2024-01-01T02:00:00.000Z ends at"));
    Bars twice = bars;
    twice.time[1] = twice.time[0];
    EXPECT_FALSE(resample(twice, grid("1h"), grid("2h")));
    EXPECT_TRUE(resample({}, grid("1h"), grid("2h"))->bars.empty());
}

}  // namespace
}  // namespace ktrdr
