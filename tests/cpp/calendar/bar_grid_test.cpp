#include <ktrdr/calendar/bar_grid.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calendars.hpp"
#include "soak.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using test::date;
using test::expected;
using test::grid;
using testing::ElementsAre;
using testing::HasSubstr;

std::string ends(const BarGrid& bars, std::string_view stamp) {
    return format_time(bars.end_of(at(stamp))).substr(0, 16);
}

TEST(BarGridWithoutCalendar, EndsAfterItsLength) {
    EXPECT_EQ(ends(grid("5m"), "2024-01-01T09:30"), "2024-01-01T09:35");
    EXPECT_EQ(ends(grid("4h"), "2024-01-01T22:00"), "2024-01-02T02:00");
    EXPECT_EQ(ends(grid("1w"), "2024-02-26"), "2024-03-04T00:00");
}

TEST(BarGridWithoutCalendar, EndsADayAfter24HoursWhateverTheHourOfItsStamp) {
    const BarGrid day = grid("1d");
    for (int hour = 0; hour < 24; ++hour) {
        const UtcTime stamp = at("2024-02-28") + hours{hour};
        EXPECT_EQ(day.end_of(stamp), stamp + hours{24}) << hour;
        EXPECT_FALSE(day.is_closed(stamp, stamp + hours{24} - minutes{1})) << hour;
        EXPECT_TRUE(day.is_closed(stamp, stamp + hours{24})) << hour;
    }
}

TEST(BarGridWithoutCalendar, EndsAMonthOnTheSameDayOfTheNext) {
    const BarGrid month = grid("1M");
    EXPECT_EQ(ends(month, "2024-02-01"), "2024-03-01T00:00");
    EXPECT_EQ(ends(month, "2023-12-01"), "2024-01-01T00:00");
    EXPECT_EQ(ends(month, "2024-01-31"), "2024-02-29T00:00");
    EXPECT_EQ(ends(month, "2024-01-15T22:00"), "2024-02-15T22:00");
}

TEST(BarGridWithoutCalendar, FloorsAndGoesOn) {
    EXPECT_EQ(grid("15m").floor(at("2024-01-01T09:44:59")), at("2024-01-01T09:30"));
    EXPECT_EQ(grid("1d").floor(at("2024-01-01T14:30")), at("2024-01-01"));
    EXPECT_EQ(grid("1w").floor(at("2024-02-29T01:00")), at("2024-02-26"));
    EXPECT_EQ(grid("1M").floor(at("2024-02-29T01:00")), at("2024-02-01"));
    EXPECT_EQ(grid("8h").floor(at("1969-12-31T23:00")), at("1969-12-31T16:00"));
    EXPECT_EQ(grid("1d").next(at("2024-01-01T22:00")), at("2024-01-02T22:00"));
    EXPECT_EQ(grid("1M").next(at("2024-01-01")), at("2024-02-01"));
    EXPECT_EQ(grid("1d").expected({at("2024-01-01"), at("2024-02-01")}), std::nullopt);
    EXPECT_EQ(grid("1d").stored_stamp(at("2024-01-01T22:00")), at("2024-01-01T22:00"));
}

TEST(BarGrid, KnowsWhatWouldBeNextWereTheMarketNeverClosed) {
    const BarGrid hour = grid("1h", test::shipped("XNYS"));
    EXPECT_EQ(hour.next_unbroken(at("2024-07-03T16:00")), at("2024-07-03T17:00"));
    EXPECT_EQ(hour.next(at("2024-07-03T16:00")), at("2024-07-05T13:30"));
    EXPECT_EQ(grid("1M", test::shipped("XNYS")).next_unbroken(at("2024-01-31")), at("2024-02-29"));
}

TEST(BarGrid, HasHoursBesideItsSessionsWhereTheMarketCloses) {
    EXPECT_TRUE(grid("1h", test::shipped("XNYS"), {.session = "extended"}).extended());
    EXPECT_FALSE(grid("1h", test::shipped("XNYS")).extended());
    EXPECT_FALSE(grid("1h", test::shipped("CRYPTO"), {.session = "extended"}).extended());
    EXPECT_EQ(grid("1h", test::shipped("XNYS")).calendar(), test::shipped("XNYS"));
    EXPECT_EQ(grid("1h").calendar(), nullptr);
}

TEST(BarGridWithoutCalendar, HasAPlaceForADayAtTheHourOfAnother) {
    const UtcTime other = at("2024-01-01T22:00");
    const TimeRange evening{at("2024-03-05T21:00"), at("2024-03-05T22:01")};
    const TimeRange until{at("2024-03-05T21:00"), at("2024-03-05T22:00")};
    for (const char* const longer : {"1d", "1w", "1M"}) {
        EXPECT_TRUE(grid(longer).may_begin_in(evening, other)) << longer;
        EXPECT_FALSE(grid(longer).may_begin_in(until, other)) << longer;
        EXPECT_TRUE(grid(longer).may_begin_in({UtcTime::min(), UtcTime::max()}, other)) << longer;
    }
    EXPECT_TRUE(grid("1h").may_begin_in(until, other)) << "bars shorter than a day may begin anywhere";
    EXPECT_TRUE(grid("1d", test::shipped("XNYS")).may_begin_in(until, other));
    EXPECT_FALSE(grid("1h").may_begin_in({at("2024-03-05"), at("2024-03-05")}, other));
}

TEST(BarGridWithoutCalendar, DoesNotRunOverTheEndsOfTime) {
    for (const auto name : Timeframe::names()) {
        const BarGrid bars = grid(name);
        EXPECT_EQ(bars.end_of(UtcTime::max()), UtcTime::max()) << name;
        EXPECT_EQ(bars.next(UtcTime::max()), UtcTime::max()) << name;
        EXPECT_EQ(bars.floor(UtcTime::min()), UtcTime::min()) << name;
        EXPECT_GT(bars.end_of(UtcTime::min()), UtcTime::min()) << name;
    }
}

class EveryGrid : public testing::TestWithParam<std::string_view> {};

TEST_P(EveryGrid, LetsInExactlyTheBarsThatAreClosed) {
    const BarGrid bars = grid(GetParam());
    for (const auto* now_text : {"2024-06-03T15:30:20", "2024-03-01", "2024-02-29T01:28", "2023-03-30T23:59:59"}) {
        const UtcTime now = at(now_text);
        const UtcTime end = bars.closed_end(now);
        for (UtcTime stamp = std::chrono::floor<minutes>(now) - days{70}; stamp < now; stamp += minutes{7}) {
            // Stamps of the last days of a month may end on one day, those of a later one before those of an earlier.
            if (stamp < end || bars.timeframe().name() != "1M") {
                EXPECT_EQ(bars.is_closed(stamp, now), stamp < end) << format_time(stamp) << " at " << now_text;
            }
        }
        EXPECT_FALSE(bars.is_closed(end, now)) << now_text;
    }
}

TEST_P(EveryGrid, OfACalendarLetsInExactlyTheBarsThatAreClosed) {
    for (const char* const name : {"XNYS", "FOREX", "CRYPTO"}) {
        for (const char* const session : {"regular", "extended"}) {
            const BarGrid bars = grid(GetParam(), test::shipped(name), {.session = session});
            for (UtcTime now = at("2024-06-26T00:03"); now < at("2024-07-09"); now += minutes{601 * soak_step(3)}) {
                // Far enough back to be closed; from there on one by one.
                UtcTime newest = bars.floor(now - days{bars.timeframe().unit() < Timeframe::Unit::day ? 3 : 70});
                while (bars.is_closed(newest, now)) {
                    newest = bars.next(newest);
                }
                EXPECT_EQ(bars.closed_end(now), newest) << name << ' ' << session << ' ' << format_time(now);
            }
        }
    }
}

TEST_P(EveryGrid, OfACalendarCountsOnByItsOwnStamps) {
    for (const auto& calendar :
         {test::shipped("XNYS"), test::shipped("FOREX"), test::shipped("CRYPTO"), test::tokyo()}) {
        for (const BarCut cut : {BarCut::open_then_clock, BarCut::from_open, BarCut::clock}) {
            const BarGrid bars = grid(GetParam(), calendar, {.cut = cut});
            const auto stamps = bars.expected({at("2024-02-26"), at("2024-04-10")});
            ASSERT_TRUE(stamps);
            ASSERT_FALSE(stamps->empty());
            for (std::size_t i = 0; i < stamps->size(); i += soak_step(7)) {
                const UtcTime stamp = (*stamps)[i];
                const Period period = bars.period_of(stamp);
                EXPECT_LT(period.start, period.end);
                EXPECT_EQ(bars.floor(stamp), stamp) << format_time(stamp);
                EXPECT_EQ(bars.floor(std::max(stamp, period.start) + minutes{0}), stamp);
                EXPECT_EQ(bars.stored_stamp(stamp), stamp);
                EXPECT_EQ(bars.stored_stamp(period.start), stamp) << format_time(stamp);
                if (i > 0) {
                    EXPECT_EQ(bars.next((*stamps)[i - 1]), stamp);
                    EXPECT_LE(bars.end_of((*stamps)[i - 1]), period.end);
                    EXPECT_LE(bars.end_of((*stamps)[i - 1]), std::max(period.start, stamp));
                }
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Timeframes, EveryGrid,
                         testing::ValuesIn(Timeframe::names().begin(), Timeframe::names().end()));

TEST(BarGridOfStocks, BeginsAtTheOpenThenByTheClockAsIbDoes) {
    const BarGrid hour = grid("1h", test::shipped("XNYS"), {.provider = "IB"});
    EXPECT_THAT(expected(hour, "2024-07-02", "2024-07-04"),
                ElementsAre("2024-07-02T13:30", "2024-07-02T14:00", "2024-07-02T15:00", "2024-07-02T16:00",
                            "2024-07-02T17:00", "2024-07-02T18:00", "2024-07-02T19:00", "2024-07-03T13:30",
                            "2024-07-03T14:00", "2024-07-03T15:00", "2024-07-03T16:00"));
    EXPECT_EQ(ends(hour, "2024-07-02T13:30"), "2024-07-02T14:00");
    EXPECT_EQ(ends(hour, "2024-07-02T19:00"), "2024-07-02T20:00");
    EXPECT_EQ(ends(hour, "2024-07-03T16:00"), "2024-07-03T17:00");
    EXPECT_EQ(expected(hour, "2024-12-02", "2024-12-03").front(), "2024-12-02T14:30");
    EXPECT_EQ(grid("1m", test::shipped("XNYS")).expected({at("2024-07-03"), at("2024-07-04")})->size(), 210U);
}

TEST(BarGridOfStocks, EndsALongBarWithTheSession) {
    const BarGrid four = grid("4h", test::shipped("XNYS"), {.provider = "IB"});
    EXPECT_THAT(expected(four, "2024-07-02", "2024-07-04"),
                ElementsAre("2024-07-02T13:30", "2024-07-02T16:00", "2024-07-03T13:30", "2024-07-03T16:00"));
    EXPECT_EQ(ends(four, "2024-07-02T16:00"), "2024-07-02T20:00");
    EXPECT_EQ(ends(four, "2024-07-03T16:00"), "2024-07-03T17:00") << "a half day";
}

TEST(BarGridOfStocks, MayBeCutFromTheOpenOrByTheClockAlone) {
    const BarGrid open = grid("1h", test::shipped("XNYS"), {.cut = BarCut::from_open});
    EXPECT_THAT(expected(open, "2024-07-03", "2024-07-04"),
                ElementsAre("2024-07-03T13:30", "2024-07-03T14:30", "2024-07-03T15:30", "2024-07-03T16:30"));
    EXPECT_EQ(ends(open, "2024-07-03T16:30"), "2024-07-03T17:00");
    const BarGrid clock = grid("1h", test::shipped("XNYS"), {.cut = BarCut::clock});
    EXPECT_THAT(expected(clock, "2024-07-03", "2024-07-04"),
                ElementsAre("2024-07-03T13:00", "2024-07-03T14:00", "2024-07-03T15:00", "2024-07-03T16:00"));
}

TEST(BarGridOfStocks, NamesADayByItsDateAndEndsItWithTheClose) {
    const BarGrid day = grid("1d", test::shipped("XNYS"));
    EXPECT_EQ(day.period_of(at("2024-07-02")),
              (Period{at("2024-07-02"), at("2024-07-02T13:30"), at("2024-07-02T20:00")}));
    EXPECT_EQ(ends(day, "2024-07-03"), "2024-07-03T17:00");
    EXPECT_THAT(expected(day, "2024-07-01", "2024-07-08"),
                ElementsAre("2024-07-01T00:00", "2024-07-02T00:00", "2024-07-03T00:00", "2024-07-05T00:00"));
    EXPECT_EQ(day.floor(at("2024-07-02T13:30")), at("2024-07-02"));
    EXPECT_EQ(day.floor(at("2024-07-04T13:30")), at("2024-07-03"));
    EXPECT_EQ(day.next(at("2024-07-03")), at("2024-07-05"));
}

TEST(BarGridOfStocks, NamesWeeksAndMonthsByTheirFirstDay) {
    const BarGrid week = grid("1w", test::shipped("XNYS"));
    EXPECT_EQ(ends(week, "2024-07-01"), "2024-07-05T20:00");
    EXPECT_EQ(ends(week, "2024-03-25"), "2024-03-28T20:00") << "Good Friday";
    EXPECT_EQ(week.period_of(at("2024-05-27")).start, at("2024-05-28T13:30")) << "Memorial Day";
    const BarGrid month = grid("1M", test::shipped("XNYS"));
    EXPECT_EQ(ends(month, "2024-06-01"), "2024-06-28T20:00");
    EXPECT_EQ(ends(month, "2024-11-01"), "2024-11-29T18:00") << "a half day";
}

TEST(BarGridOfStocks, EndsAStampThatIsNoneOfItsOwnAsWithoutACalendar) {
    const auto xnys = test::shipped("XNYS");
    EXPECT_EQ(ends(grid("1d", xnys), "2024-07-02T04:00"), "2024-07-03T04:00");
    EXPECT_EQ(ends(grid("1d", xnys), "2024-07-04"), "2024-07-05T00:00");
    EXPECT_EQ(ends(grid("1w", xnys), "2024-07-05"), "2024-07-12T00:00");
    EXPECT_EQ(ends(grid("1h", xnys), "2024-07-02T13:00"), "2024-07-02T14:00");
    EXPECT_EQ(ends(grid("1h", xnys), "2024-07-02T14:20"), "2024-07-02T15:20");
    EXPECT_EQ(ends(grid("1d", xnys), "2050-07-05"), "2050-07-06T00:00");
    EXPECT_EQ(ends(grid("1w", xnys), "2040-12-31"), "2041-01-07T00:00") << "the table ends inside the week";
    EXPECT_EQ(ends(grid("1d", test::shipped("CRYPTO")), "2040-12-31"), "2041-01-01T00:00");
    EXPECT_EQ(grid("1d", xnys).next(at("1950-01-01")), at("1950-01-02"));
    EXPECT_EQ(grid("1d", xnys).expected({at("1950-01-01"), at("1995-01-01")}), std::nullopt);
}

TEST(BarGridOfStocks, OfExtendedHoursEndsNoDayBeforeItsDateDoes) {
    const auto xnys = test::shipped("XNYS");
    const GridOptions options{.session = "extended"};
    EXPECT_EQ(ends(grid("1d", xnys, options), "2024-07-02"), "2024-07-03T04:00");
    EXPECT_EQ(ends(grid("1h", xnys, options), "2024-07-02T08:00"), "2024-07-02T09:00");
    EXPECT_EQ(ends(grid("4h", xnys, options), "2024-07-02T20:00"), "2024-07-03T00:00");
    EXPECT_EQ(grid("1m", xnys, options).expected({at("2024-07-02"), at("2024-07-03")}), std::nullopt);
    EXPECT_THAT(expected(grid("1d", xnys, options), "2024-07-03", "2024-07-06"),
                ElementsAre("2024-07-03T00:00", "2024-07-05T00:00"));
}

TEST(BarGridOfStocks, AsksBehindTheLastSessionOfItsTableAsWithoutACalendar) {
    const auto one =
        SessionCalendar::read("calendar,X\ndates,2024-01-01,2024-03-31\nsession,2024-01-04,09:00,12:00\n", "x.csv")
            .value();
    EXPECT_EQ(grid("30m", one).closed_end(at("2024-01-04T11:45")), at("2024-01-04T11:30"));
    EXPECT_EQ(grid("30m", one).closed_end(at("2024-01-04T20:00")), at("2024-01-04T19:31"));
    EXPECT_EQ(grid("1d", one).closed_end(at("2024-01-04T20:00")), at("2024-01-03T20:01"));
}

TEST(BarGridOfForex, EndsADayWhereTheNextOpens) {
    const BarGrid day = grid("1d", test::shipped("FOREX"));
    EXPECT_EQ(day.period_of(at("2024-07-02")),
              (Period{at("2024-07-02"), at("2024-07-01T21:00"), at("2024-07-02T21:00")}));
    EXPECT_EQ(ends(day, "2024-07-05"), "2024-07-07T21:00") << "over the weekend";
    EXPECT_EQ(ends(day, "2024-03-08"), "2024-03-10T21:00") << "over a change of the clock";
    EXPECT_EQ(day.floor(at("2024-07-01T22:00")), at("2024-07-02"));
    EXPECT_EQ(ends(grid("1w", test::shipped("FOREX")), "2024-07-01"), "2024-07-07T21:00");
}

TEST(BarGridOfForex, BeginsAQuarterLaterAtIb) {
    const auto forex = test::shipped("FOREX");
    const BarGrid ib = grid("1h", forex, {.provider = "IB", .asset_class = "forex"});
    const auto stamps = expected(ib, "2024-07-07T20:00", "2024-07-08T00:00");
    EXPECT_THAT(stamps, ElementsAre("2024-07-07T21:15", "2024-07-07T22:00", "2024-07-07T23:00"));
    EXPECT_EQ(ib.expected({at("2024-07-07"), at("2024-07-13")})->size(), 5U * 24U);
    const BarGrid others = grid("1h", forex, {.provider = "other", .asset_class = "forex"});
    EXPECT_EQ(expected(others, "2024-07-07T20:00", "2024-07-07T22:00"), std::vector<std::string>{"2024-07-07T21:00"});
}

TEST(BarGridWithABreak, HasNoBarInItAndEndsOneBeforeIt) {
    const BarGrid hour = grid("1h", test::tokyo());
    EXPECT_THAT(expected(hour, "2024-01-05", "2024-01-06"),
                ElementsAre("2024-01-05T00:00", "2024-01-05T01:00", "2024-01-05T02:00", "2024-01-05T03:30",
                            "2024-01-05T04:00", "2024-01-05T05:00"));
    EXPECT_EQ(ends(hour, "2024-01-05T02:00"), "2024-01-05T02:30");
    EXPECT_EQ(ends(hour, "2024-01-05T03:30"), "2024-01-05T04:00");
    EXPECT_EQ(hour.floor(at("2024-01-05T03:00")), at("2024-01-05T02:00"));
    EXPECT_EQ(hour.next(at("2024-01-05T02:00")), at("2024-01-05T03:30"));
    const BarGrid clock = grid("30m", test::tokyo(), {.cut = BarCut::clock});
    EXPECT_EQ(clock.next(at("2024-01-05T02:00")), at("2024-01-05T03:30"));
    EXPECT_EQ(clock.expected({at("2024-01-05"), at("2024-01-06")})->size(), 10U);
}

TEST(StoredStamp, IsThePeriodSOwnWhateverTheProviderStampsWith) {
    const BarGrid day = grid("1d", test::shipped("XNYS"));
    EXPECT_EQ(day.stored_stamp(at("2024-07-02T04:00")), at("2024-07-02")) << "New York's midnight";
    EXPECT_EQ(day.stored_stamp(at("2024-07-02T13:30")), at("2024-07-02")) << "the open";
    EXPECT_EQ(grid("1d", test::tokyo()).stored_stamp(at("2024-01-04T15:00")), at("2024-01-05")) << "Tokyo's midnight";
    EXPECT_EQ(grid("1d", test::shipped("FOREX")).stored_stamp(at("2024-07-01T21:00")), at("2024-07-02"));
    EXPECT_EQ(grid("1d", test::shipped("FOREX")).stored_stamp(at("2024-07-07T21:15")), at("2024-07-08"));
}

TEST(StoredStamp, OfIbSWeeksAndMonthsIsTheirFirstDay) {
    // IB stamps them with the last day that traded.
    const BarGrid week = grid("1w", test::shipped("XNYS"));
    EXPECT_EQ(week.stored_stamp(at("2024-07-05")), at("2024-07-01"));
    EXPECT_EQ(week.stored_stamp(at("2024-03-28")), at("2024-03-25")) << "Good Friday";
    const BarGrid month = grid("1M", test::shipped("XNYS"));
    EXPECT_EQ(month.stored_stamp(at("2024-06-28")), at("2024-06-01"));
    EXPECT_EQ(month.end_of(month.stored_stamp(at("2024-11-29"))), at("2024-11-29T18:00"));
    EXPECT_EQ(week.stored_stamp(at("2050-07-08")), at("2050-07-08")) << "out of the table";
}

TEST(RangeOfADate, IsItsSessionForBarsShorterThanADay) {
    EXPECT_EQ(grid("1h").range_of(date("2024-07-02")), (TimeRange{at("2024-07-02"), at("2024-07-03")}));
    EXPECT_EQ(grid("1d", test::shipped("FOREX")).range_of(date("2024-07-02")),
              (TimeRange{at("2024-07-02"), at("2024-07-03")}));
    EXPECT_EQ(grid("1h", test::shipped("FOREX")).range_of(date("2024-07-02")),
              (TimeRange{at("2024-07-01T21:00"), at("2024-07-02T21:00")}));
    EXPECT_EQ(grid("1h", test::tokyo()).range_of(date("2024-01-05")),
              (TimeRange{at("2024-01-05T00:00"), at("2024-01-05T06:00")}));
    EXPECT_EQ(grid("1h", test::shipped("XNYS"), {.session = "extended"}).range_of(date("2024-07-02")),
              (TimeRange{at("2024-07-02T04:00"), at("2024-07-03T04:00")}));
    EXPECT_EQ(grid("1h", test::shipped("XNYS")).range_of(date("2024-07-04")),
              (TimeRange{at("2024-07-04"), at("2024-07-05")}));
    EXPECT_EQ(grid("1h", test::shipped("XNYS"), {.cut = BarCut::clock}).range_of(date("2024-07-02")).start,
              at("2024-07-02T13:00"));
}

TEST(GridOptions, AreCheckedByName) {
    const Timeframe day = Timeframe::parse("1d").value();
    EXPECT_THAT(BarGrid::make(day, nullptr, {.asset_class = "stonk"}).error().message,
                HasSubstr("asset_class \"stonk\" is not known: use one of stock etf"));
    EXPECT_THAT(BarGrid::make(day, nullptr, {.session = "night"}).error().message, HasSubstr("regular extended"));
    for (const BarCut cut : {BarCut::open_then_clock, BarCut::from_open, BarCut::clock}) {
        EXPECT_EQ(parse_bar_cut(to_string(cut)).value(), cut);
    }
    EXPECT_EQ(parse_bar_cut("open").error().message,
              "cut \"open\" is not known: use one of open_then_clock from_open clock");
}

TEST(BarGridAtTheEndOfItsTable, AsksForWhatIsClosedAndNotAgain) {
    const auto calendar = SessionCalendar::read(
                              "calendar,X\ndates,2024-03-01,2024-03-31\noffset,2024-01-01T00:00Z,-04:00\n"
                              "week,1990-01-01,mon-sun,00:01,24:00\n",
                              "x")
                              .value();
    for (const std::string_view timeframe : {"8h", "4h", "30m", "1d", "1w", "1M"}) {
        for (const BarCut cut : {BarCut::open_then_clock, BarCut::from_open, BarCut::clock}) {
            const BarGrid grid = BarGrid::make(Timeframe::parse(timeframe).value(), calendar, {.cut = cut}).value();
            const UtcTime close = calendar->sessions().back().close();
            EXPECT_FALSE(grid.is_closed(grid.closed_end(close), close)) << timeframe << " " << to_string(cut);
        }
    }
}

}  // namespace
}  // namespace ktrdr
