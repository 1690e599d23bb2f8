#include <ktrdr/features/holes.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/market/time_text.hpp>

#include "held_calendars.hpp"
#include "series.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

BarGrid grid_of(std::string_view timeframe, std::string_view calendar) {
    return BarGrid::make(Timeframe::parse(timeframe).value(), SessionCalendar::shipped(calendar).value(), {}).value();
}

Bars bars_at(const std::vector<UtcTime>& stamps) {
    Bars bars;
    for (const UtcTime stamp : stamps) {
        bars.push_back(stamp.time_since_epoch().count(), 1, 2, 1, 2, 1);
    }
    return bars;
}

/// Every bar that should exist but those that begin inside of `missing`.
Bars all_but(const BarGrid& grid, TimeRange range, TimeRange missing) {
    std::vector<UtcTime> stamps = grid.expected(range).value();
    std::erase_if(stamps, [&](UtcTime stamp) { return missing.contains(stamp); });
    return bars_at(stamps);
}

TEST(Holes, AreNotWhereTheMarketIsClosed) {
    for (const char* const calendar : {"XNYS", "FOREX", "CRYPTO"}) {
        for (const char* const timeframe : {"1m", "1h", "1d", "1w", "1M"}) {
            const BarGrid grid = grid_of(timeframe, calendar);
            EXPECT_THAT(find_holes(all_but(grid, {at("2023-11-01"), at("2024-03-01")}, {}), grid), IsEmpty())
                << calendar << " " << timeframe;
        }
    }
}

TEST(Holes, AreSessionsOfWhichNoBarIsThere) {
    for (const char* const calendar : {"XNYS", "FOREX", "CRYPTO"}) {
        for (const char* const timeframe : {"15m", "1h", "1d"}) {
            const BarGrid grid = grid_of(timeframe, calendar);
            const TimeRange missing{at("2023-12-05"), at("2023-12-09")};
            const Bars bars = all_but(grid, {at("2023-11-01"), at("2024-01-01")}, missing);
            const std::vector<Hole> holes = find_holes(bars, grid);
            ASSERT_THAT(holes, SizeIs(1)) << calendar << " " << timeframe;
            EXPECT_GE(holes[0].sessions, 3U) << calendar << " " << timeframe;
            EXPECT_LE(holes[0].sessions, 4U) << calendar << " " << timeframe;
            EXPECT_GE(bars.start_of(holes[0].bar), missing.end);
            EXPECT_LT(bars.start_of(holes[0].bar - 1), missing.start);
        }
    }
}

TEST(Holes, OfOneSessionAreHolesToo) {
    const BarGrid grid = grid_of("1d", "XNYS");
    const Bars bars = all_but(grid, {at("2024-01-01"), at("2024-02-01")}, {at("2024-01-10"), at("2024-01-11")});
    const std::vector<Hole> holes = find_holes(bars, grid);
    ASSERT_THAT(holes, SizeIs(1));
    EXPECT_EQ(holes[0].sessions, 1U);
    EXPECT_EQ(holes[0].since, at("2024-01-10T21:00"));
    EXPECT_EQ(holes[0].range.start, at("2024-01-09T21:00"));
}

TEST(Holes, AreNotMinutesWithoutATrade) {
    const BarGrid grid = grid_of("1m", "XNYS");
    const Bars bars =
        all_but(grid, {at("2024-01-02"), at("2024-01-06")}, {at("2024-01-03T15:00"), at("2024-01-03T20:30")});
    EXPECT_THAT(find_holes(bars, grid), IsEmpty());
}

TEST(Holes, WithoutACalendarAreLongerThanAnyHoliday) {
    const BarGrid grid{test::day};
    const Bars weekend = bars_at({at("2024-01-05"), at("2024-01-08"), at("2024-01-22"), at("2024-01-23")});
    EXPECT_THAT(find_holes(weekend, grid), IsEmpty());
    const Bars years = bars_at({at("2021-12-31"), at("2024-01-02")});
    EXPECT_THAT(find_holes(years, grid),
                ElementsAre(Hole{1, {at("2022-01-01"), at("2024-01-02")}, at("2022-01-02"), 0}));
    const BarGrid months{Timeframe::parse("1M").value()};
    EXPECT_THAT(find_holes(bars_at({at("2024-01-01"), at("2024-04-01")}), months), IsEmpty());
    EXPECT_THAT(find_holes(bars_at({at("2024-01-01"), at("2024-06-01")}), months), SizeIs(1));
}

TEST(Holes, OfYearsThatTheCalendarDoesNotKnowAreToldByLength) {
    const BarGrid grid = grid_of("1d", "XNYS");
    EXPECT_THAT(find_holes(bars_at({at("1950-01-03"), at("1952-01-03"), at("1952-01-07")}), grid), SizeIs(1));
}

TEST(Holes, BehindTheLastBarAreLookedForWhereThatIsAsked) {
    const BarGrid grid{test::day};
    const Bars bars = bars_at({at("2024-01-01"), at("2024-01-02")});
    EXPECT_THAT(find_holes(bars, grid, at("2024-01-10")), IsEmpty());
    EXPECT_THAT(find_holes(bars, grid, at("2024-03-01")),
                ElementsAre(Hole{2, {at("2024-01-03"), at("2024-03-01")}, at("2024-01-04"), 0}));
    EXPECT_THAT(find_holes({}, grid, at("2024-03-01")), IsEmpty());
}

TEST(Stretches, AreWhatHolesLeave) {
    const auto spans = [](const std::vector<std::size_t>& bars, std::size_t count) {
        std::vector<Hole> holes;
        for (const std::size_t bar : bars) {
            holes.push_back({bar, {}, {}, 0});
        }
        std::vector<std::pair<std::size_t, std::size_t>> pairs;
        for (const auto& [first, last] : stretches_between(holes, count)) {
            pairs.emplace_back(first, last);
        }
        return pairs;
    };
    EXPECT_THAT(spans({}, 5), ElementsAre(std::pair{0, 5}));
    EXPECT_THAT(spans({2, 4}, 5), ElementsAre(std::pair{0, 2}, std::pair{2, 4}, std::pair{4, 5}));
    EXPECT_THAT(spans({5}, 5), ElementsAre(std::pair{0, 5}));
    EXPECT_THAT(spans({}, 0), IsEmpty());
}

}  // namespace
}  // namespace ktrdr
