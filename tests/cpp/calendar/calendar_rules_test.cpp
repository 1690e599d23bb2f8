#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/calendar/calendar_rules.hpp>

#include "calendars.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

constexpr std::string_view tokyo_rows =
    "calendar,MYTOKYO\nzone,Asia/Tokyo\ndates,2024-01-01,2024-12-31\noffset,2023-12-30T00:00Z,+09:00\n"
    "week,2024-01-01,mon-fri,09:00,15:00,11:30,12:30\n";

CalendarRulesPtr rules(const std::string& text) {
    return CalendarRules::read(text, "mine.csv").value();
}

std::string fault(const std::string& text) {
    const auto read = CalendarRules::read(text, "mine.csv");
    EXPECT_FALSE(read) << text;
    return read ? "" : read.error().message;
}

TEST(CalendarRules, HoldSeveralCalendarsAndChangesOfThoseThatShip) {
    const CalendarRulesPtr mine =
        rules("\xEF\xBB\xBF# mine\r\n\ncalendar,XNYS\r\nclosed,2030-01-09\r\n" + std::string(tokyo_rows) +
              "closed,2024-05-06\ncalendar,FOREX\nclosed,2030-01-02\n");
    EXPECT_FALSE(mine->find("XNYS")->is_session(test::date("2030-01-09")));
    EXPECT_TRUE(mine->find("XNYS")->is_session(test::date("2030-01-10")));
    EXPECT_TRUE(mine->find("MYTOKYO")->is_session(test::date("2024-05-07")));
    EXPECT_FALSE(mine->find("MYTOKYO")->is_session(test::date("2024-05-06")));
    EXPECT_FALSE(mine->find("FOREX")->is_session(test::date("2030-01-02")));
    EXPECT_EQ(mine->find("CRYPTO"), nullptr);
    EXPECT_TRUE(test::shipped("XNYS")->is_session(test::date("2030-01-09"))) << "what ships stays as it is";
    EXPECT_EQ(rules("")->find("XNYS"), nullptr);
}

TEST(CalendarRules, SayWhichSeriesHasWhichTheFirstThatFits) {
    const CalendarRulesPtr mine =
        rules("series,MYTOKYO,symbol=7203\n" + std::string(tokyo_rows) +
              "series,MYTOKYO,exchange=TSEJ , asset_class=stock\nseries,CRYPTO,asset_class=crypto\n"
              "series,XNYS,exchange=TSEJ,currency=USD\n");
    const auto name = [&mine](const SeriesMarket& market) {
        const SessionCalendarPtr found = mine->calendar_of(market);
        return found ? found->name() : "none";
    };
    EXPECT_EQ(name({.symbol = "7203"}), "MYTOKYO");
    EXPECT_EQ(name({.symbol = "7203", .asset_class = "crypto"}), "MYTOKYO");
    EXPECT_EQ(name({.symbol = "6758", .asset_class = "stock", .exchange = "TSEJ"}), "MYTOKYO");
    EXPECT_EQ(name({.symbol = "6758", .asset_class = "etf", .exchange = "TSEJ"}), "none");
    EXPECT_EQ(name({.symbol = "6758", .asset_class = "etf", .exchange = "TSEJ", .currency = "USD"}), "XNYS");
    EXPECT_EQ(name({.symbol = "BTC", .asset_class = "crypto"}), "CRYPTO");
    EXPECT_EQ(name({}), "none");
}

TEST(CalendarRules, NameFileAndLineOfWhatIsWrong) {
    EXPECT_THAT(fault("# a\n\nclosed,2030-01-09\n"), HasSubstr("mine.csv: line 3: the row \"closed,2030-01-09\" stands "
                                                               "before any calendar"));
    EXPECT_THAT(fault("calendar,XNYS\nclosed,2030-02-30\n"), HasSubstr("mine.csv: line 2: \"2030-02-30\" is no date"));
    EXPECT_THAT(fault(std::string(tokyo_rows) + "\n\ncalendar,XNYS\n\nclosed,1730-01-01\n"),
                HasSubstr("mine.csv: line 10: "));
    EXPECT_THAT(
        fault("\ncalendar,XTKS\nclosed,2024-01-04\n"),
        HasSubstr("mine.csv: line 2: XTKS does not ship with the package, so it cannot be changed: use one of"));
    EXPECT_THAT(fault("calendar,XNYS\nclosed,2030-01-09\ncalendar,XNYS\n"),
                HasSubstr("mine.csv: line 3: the calendar XNYS is there twice"));
    for (const char* const row : {"series", "series,XNYS", "series,XNYS,"}) {
        EXPECT_THAT(fault(row), HasSubstr("mine.csv: line 1: ")) << row;
    }
    EXPECT_THAT(fault("series,XTKS,symbol=7203"), HasSubstr("line 1: no calendar \"XTKS\" is in this file or ships"));
    for (const char* const field : {"exchange", "exchange=", "=NYSE", "market=US", "symbol=A,symbol=B"}) {
        EXPECT_THAT(fault("# x\nseries,XNYS," + std::string(field)),
                    HasSubstr("does not say which series: write series,CALENDAR,exchange=NAME"))
            << field;
    }
    EXPECT_THAT(fault(std::string(5 << 20, '#')), HasSubstr("4194304 is the most that is read"));
    std::string many;
    for (int i = 0; i < 70; ++i) {
        many +=
            "calendar,C" + std::to_string(i) + "\ndates,2024-01-01,2024-01-02\nweek,2024-01-01,mon-fri,09:00,15:00\n";
    }
    EXPECT_THAT(fault(many), HasSubstr("more than 64 calendars"));
}

}  // namespace
}  // namespace ktrdr
