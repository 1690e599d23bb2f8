#include <ktrdr/calendar/session_calendar.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "calendars.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using test::date;
using testing::HasSubstr;

std::string opens(const SessionCalendarPtr& calendar, std::string_view day) {
    return format_time(calendar->session_on(date(day)).value().open());
}

std::string closes(const SessionCalendarPtr& calendar, std::string_view day) {
    return format_time(calendar->session_on(date(day)).value().close());
}

TEST(SessionCalendar, KnowsTheHoursOfNewYorkInWinterAndSummer) {
    const auto xnys = test::shipped("XNYS");
    EXPECT_EQ(xnys->zone(), "America/New_York");
    EXPECT_EQ(opens(xnys, "2024-03-08"), "2024-03-08T14:30:00.000Z");
    EXPECT_EQ(closes(xnys, "2024-03-08"), "2024-03-08T21:00:00.000Z");
    EXPECT_EQ(opens(xnys, "2024-03-11"), "2024-03-11T13:30:00.000Z");
    EXPECT_EQ(closes(xnys, "2024-11-01"), "2024-11-01T20:00:00.000Z");
    EXPECT_EQ(closes(xnys, "2024-11-04"), "2024-11-04T21:00:00.000Z");
    EXPECT_FALSE(xnys->around_the_clock());
}

TEST(SessionCalendar, KnowsHowFarItsClockIsAheadOnBothSidesOfEachChange) {
    const auto xnys = test::shipped("XNYS");
    EXPECT_EQ(xnys->offset_at(at("2024-03-10T06:59:59")), std::chrono::hours{-5});
    EXPECT_EQ(xnys->offset_at(at("2024-03-10T07:00")), std::chrono::hours{-4});
    EXPECT_EQ(xnys->offset_at(at("2024-11-03T05:59:59")), std::chrono::hours{-4});
    EXPECT_EQ(xnys->offset_at(at("2024-11-03T06:00")), std::chrono::hours{-5});
    EXPECT_EQ(test::shipped("CRYPTO")->offset_at(at("2024-07-01")), std::chrono::hours{0});
}

TEST(SessionCalendar, KnowsHolidaysAndHalfDays) {
    const auto xnys = test::shipped("XNYS");
    EXPECT_FALSE(xnys->is_session(date("2001-09-11")));
    EXPECT_FALSE(xnys->is_session(date("2024-07-04")));
    EXPECT_FALSE(xnys->is_session(date("2024-07-06")));
    EXPECT_EQ(closes(xnys, "2024-07-03"), "2024-07-03T17:00:00.000Z");
    EXPECT_TRUE(xnys->session_on(date("2024-07-03"))->early_close);
    EXPECT_FALSE(xnys->session_on(date("2024-07-02"))->early_close);
}

TEST(SessionCalendar, ClosesForexAtFiveInNewYorkOnEveryDayAroundEachChangeOfTheClock) {
    const auto forex = test::shipped("FOREX");
    EXPECT_TRUE(forex->around_the_clock());
    // Friday before and Monday after both changes of 2024.
    EXPECT_EQ(closes(forex, "2024-03-08"), "2024-03-08T22:00:00.000Z");
    EXPECT_EQ(opens(forex, "2024-03-11"), "2024-03-10T21:00:00.000Z");
    EXPECT_EQ(closes(forex, "2024-11-01"), "2024-11-01T21:00:00.000Z");
    EXPECT_EQ(opens(forex, "2024-11-04"), "2024-11-03T22:00:00.000Z");
    EXPECT_FALSE(forex->is_open(at("2024-03-09T12:00")));
    EXPECT_TRUE(forex->is_open(at("2024-03-10T21:00")));
}

TEST(SessionCalendar, NeverClosesCrypto) {
    const auto crypto = test::shipped("CRYPTO");
    EXPECT_EQ(crypto->sessions().size(), static_cast<std::size_t>((date("2041-01-01") - date("1990-01-01")).count()));
    for (UtcTime time = at("2024-02-26"); time < at("2024-03-14"); time += std::chrono::minutes{61}) {
        EXPECT_TRUE(crypto->is_open(time));
    }
}

TEST(SessionCalendar, FindsTheSessionOfAnInstantAndWhatIsBesideIt) {
    const auto xnys = test::shipped("XNYS");
    EXPECT_EQ(xnys->session_at(at("2024-07-03T13:30"))->date, date("2024-07-03"));
    EXPECT_EQ(xnys->session_at(at("2024-07-03T16:59:59.999"))->date, date("2024-07-03"));
    EXPECT_FALSE(xnys->session_at(at("2024-07-03T17:00")));
    EXPECT_EQ(xnys->next_open(at("2024-07-03T13:30")), at("2024-07-05T13:30"));
    EXPECT_EQ(xnys->next_open(at("2024-07-03T13:29")), at("2024-07-03T13:30"));
    EXPECT_EQ(xnys->next_close(at("2024-07-03T17:00")), at("2024-07-05T20:00"));
    EXPECT_EQ(xnys->previous_close(at("2024-07-05T13:30")), at("2024-07-03T17:00"));
    EXPECT_EQ(xnys->previous_open(at("2024-07-05T13:30")), at("2024-07-03T13:30"));
    EXPECT_EQ(xnys->sessions(date("2024-07-01"), date("2024-07-07")).size(), 4U);
    EXPECT_TRUE(xnys->sessions(date("2024-07-07"), date("2024-07-01")).empty());
}

TEST(SessionCalendar, SaysNothingWhereItsTableEnds) {
    const auto xnys = test::shipped("XNYS");
    EXPECT_FALSE(xnys->next_open(at("2040-12-31T15:00")));
    EXPECT_FALSE(xnys->next_close(at("2050-01-01")));
    EXPECT_FALSE(xnys->previous_open(at("1990-01-01")));
    EXPECT_FALSE(xnys->previous_close(at("1980-01-01")));
    EXPECT_FALSE(xnys->session_at(at("1980-01-02T15:00")));
    EXPECT_FALSE(xnys->is_session(date("1989-12-29")));
}

TEST(SessionCalendar, KnowsBreaks) {
    const auto tokyo = test::tokyo();
    EXPECT_TRUE(tokyo->is_open(at("2024-01-05T02:29")));
    EXPECT_FALSE(tokyo->is_open(at("2024-01-05T02:30")));
    EXPECT_TRUE(tokyo->session_at(at("2024-01-05T02:30")));
    EXPECT_TRUE(tokyo->is_open(at("2024-01-05T03:30")));
}

TEST(SessionCalendar, BeginsItsWeeksBehindTheDaysWithoutSessions) {
    EXPECT_EQ(test::shipped("XNYS")->first_of_week(), std::chrono::Monday);
    EXPECT_EQ(test::shipped("CRYPTO")->first_of_week(), std::chrono::Monday);
    const auto sunday = SessionCalendar::read(
        "calendar,XTAE\ndates,2024-01-01,2024-01-31\nweek,2024-01-01,sun-thu,09:59,17:14\n", "xtae.csv");
    ASSERT_TRUE(sunday);
    EXPECT_EQ((*sunday)->first_of_week(), std::chrono::Sunday);
    EXPECT_TRUE((*sunday)->is_session(date("2024-01-07")));
    EXPECT_FALSE((*sunday)->is_session(date("2024-01-05")));
}

TEST(CalendarOverrides, ReplaceSingleDays) {
    const auto xnys = test::shipped("XNYS");
    const auto own = xnys->with_overrides(
        "\xEF\xBB\xBF# ours\r\ncalendar , XNYS\r\n\r\nclosed,2024-01-09\r\nsession,2024-07-04,09:30,12:00\r\n",
        "o.csv");
    ASSERT_TRUE(own) << own.error().message;
    EXPECT_FALSE((*own)->is_session(date("2024-01-09")));
    EXPECT_EQ(closes(*own, "2024-07-04"), "2024-07-04T16:00:00.000Z");
    EXPECT_TRUE((*own)->session_on(date("2024-07-04"))->early_close);
    EXPECT_EQ((*own)->sessions().size(), xnys->sessions().size());
    EXPECT_TRUE(xnys->is_session(date("2024-01-09"))) << "the calendar itself stays as it is";
}

struct Wrong {
    std::string text;
    std::string said;
};

class CalendarText : public testing::TestWithParam<Wrong> {};

TEST_P(CalendarText, IsRefusedWithItsNameAndLine) {
    const std::string text = GetParam().text;
    const auto read = SessionCalendar::read(text, "my.csv");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Errc::invalid_argument);
    EXPECT_THAT(read.error().message, HasSubstr(GetParam().said));
    EXPECT_THAT(read.error().message, HasSubstr("my.csv"));
}

const std::string begun = "calendar,X\ndates,2024-01-01,2024-12-31\n";

INSTANTIATE_TEST_SUITE_P(
    Kinds, CalendarText,
    testing::Values(
        Wrong{"", "has no row"}, Wrong{"# only words\n", "has no row"},
        Wrong{"closed,2024-01-01\n", "line 1: the first row"}, Wrong{"calendar,X\n", "no dates,FIRST,LAST row"},
        Wrong{"calendar,X\ncalendar,Y\n", "line 2: the first row"},
        Wrong{"calendar," + std::string(33, 'x') + "\n", "line 1: a calendar's name"},
        Wrong{"calendar,X\nzone,\n", "line 2: a zone's name"},
        Wrong{begun + "open,2024-01-01\n", "line 3: \"open\" begins"},
        Wrong{begun + "closed\n", "line 3: has 1 fields; write it like closed,DATE"},
        Wrong{begun + "closed,2024-02-30\n", "line 3: \"2024-02-30\" is no date"},
        Wrong{begun + "closed,2024-02-20T00:00\n", "is no date"}, Wrong{begun + "closed,1700-01-01\n", "is too far"},
        Wrong{begun + "dates,2024-01-01,2024-12-31\n", "line 3: a second dates row"},
        Wrong{"calendar,X\ndates,2024-12-31,2024-01-01\n", "line 2: the first date lies behind"},
        Wrong{begun + "offset,2024-03-10,-04:00\n", "line 3: \"2024-03-10\" is no time"},
        Wrong{begun + "offset,2024-03-10T07:00Z,EST\n", "line 3: \"EST\" is no offset"},
        Wrong{begun + "offset,2024-03-10T07:00Z,-19:00\n", "is no offset"},
        Wrong{begun + "offset,2024-03-10T07:00Z,-04:00\noffset,2024-03-10T07:00Z,-05:00\n", "line 4: an offset row"},
        Wrong{begun + "week,2024-01-01,mon-fry,09:30,16:00\n", "line 3: \"mon-fry\" are no weekdays"},
        Wrong{begun + "week,2024-01-01,mon,9:30,16:00\n", "line 3: \"9:30\" is no time of day"},
        Wrong{begun + "week,2024-01-01,mon,09:60,16:00\n", "is no time of day"},
        Wrong{begun + "week,2024-01-01,mon,09:30,99:00\n", "is no time of day"},
        Wrong{begun + "week,2024-01-01,mon,16:00,09:30\n", "line 3: a session opens before it closes"},
        Wrong{begun + "week,2024-01-01,mon,09:30,16:00,12:00\n", "line 3: hours are an open and a close"},
        Wrong{begun + "week,2024-01-01,mon,09:30,16:00,13:00,12:00\n", "line 3: a break begins"},
        Wrong{begun + "week,2024-01-01,mon,09:30,16:00\nweek,2024-01-01,mon-tue,closed\n", "line 4: the row of mon"},
        Wrong{begun + "closed,2024-01-02\nsession,2024-01-02,09:30,16:00\n", "named twice, before in my.csv: line 3"},
        Wrong{begun + "session,2024-01-02,closed,x\n", "is no time of day"},
        Wrong{begun + "closed,2025-01-02\n", "line 3: 2025-01-02 is not between"},
        Wrong{begun + "session,2024-01-02,09:30,30:00\nsession,2024-01-03,05:00,16:00\n",
              "line 4: the session of 2024-01-03 opens at"}));

TEST(CalendarText, MayNotBeEndless) {
    const auto read = SessionCalendar::read(std::string((4 << 20) + 1, '#'), "my.csv");
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr("my.csv: a calendar of 4194305 bytes"));
    std::string offsets = begun;
    for (int day = 0; day <= 2000; ++day) {
        offsets += "offset," + format_time(at("2024-01-01") + std::chrono::minutes{day}) + ",+01:00\n";
    }
    EXPECT_FALSE(SessionCalendar::read(offsets, "my.csv"));
}

TEST(CalendarOverrides, SayWhichCalendarTheyChange) {
    const auto xnys = test::shipped("XNYS");
    EXPECT_THAT(xnys->with_overrides("calendar,XLON\nclosed,2024-01-09\n", "o.csv").error().message,
                HasSubstr("o.csv: it changes the calendar XLON, not XNYS"));
    EXPECT_THAT(xnys->with_overrides(begun, "o.csv").error().message, HasSubstr("o.csv: it has a dates row"));
    EXPECT_THAT(xnys->with_overrides("calendar,XNYS\nclosed,1980-01-09\n", "o.csv").error().message,
                HasSubstr("o.csv: line 2: 1980-01-09 is not between the dates of XNYS"));
    EXPECT_THAT(xnys->with_overrides("calendar,XNYS\nweek,2024-01-01,sat,09:30,12:00\n", "o.csv").error().message,
                HasSubstr("o.csv: line 2"));
    EXPECT_THAT(xnys->with_overrides("calendar,XNYS\nsession,2024-01-09,09:30\n", "o.csv").error().message,
                HasSubstr("o.csv: line 2"));
}

TEST(SessionCalendar, NamesWhatShipsForAnUnknownName) {
    const auto wrong = SessionCalendar::shipped("xnys");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("XNYS FOREX CRYPTO"));
}

TEST(SessionCalendar, TakesTheLaterOfTwoHoursThatTheClockShowsTwice) {
    const auto read = SessionCalendar::read(
        "calendar,X\ndates,2024-11-03,2024-11-03\noffset,2024-03-10T07:00Z,-04:00\noffset,2024-11-03T06:00Z,-05:00\n"
        "session,2024-11-03,01:30,03:00\n",
        "x.csv");
    ASSERT_TRUE(read);
    EXPECT_EQ(opens(*read, "2024-11-03"), "2024-11-03T06:30:00.000Z");
    EXPECT_EQ((*read)->sessions()[0].midnight(), at("2024-11-03T05:00"));
}

TEST(ShippedCalendars, AreSharedWithWhoeverHoldsThem) {
    const auto one = SessionCalendar::shipped("CRYPTO").value();
    EXPECT_EQ(SessionCalendar::shipped("CRYPTO").value(), one);
    EXPECT_NE(SessionCalendar::shipped("FOREX").value(), one);
}

}  // namespace
}  // namespace ktrdr
