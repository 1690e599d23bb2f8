#include <ktrdr/quality/gaps.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "synthetic.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using test::complete;
using test::grid;
using test::shipped;
using test::walk;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const GridOptions ib{.provider = "IB"};

/// `2024-07-03T17:00 2024-07-05T13:30 closed 0 expected_holiday`
std::string line_of(const Gap& gap) {
    return format_time(gap.range.start).substr(0, 16) + " " + format_time(gap.range.end).substr(0, 16) + " " +
           std::string(to_string(gap.kind)) + " " + std::to_string(gap.bars) + " " + std::string(to_string(gap.label));
}

std::vector<std::string> lines_of(const GapReport& report) {
    std::vector<std::string> lines;
    for (const Gap& gap : report.gaps) {
        lines.push_back(line_of(gap));
    }
    return lines;
}

std::vector<std::string> gaps_of(const Bars& bars, const BarGrid& bars_grid, TimeRange range,
                                 const std::vector<Evidence>& evidence = {}, GapOptions options = {}) {
    return lines_of(find_gaps(bars, bars_grid, range, evidence, options).value());
}

/// The rows of `bars` whose stamps are not in `gone`.
Bars without(const Bars& bars, TimeRange gone) {
    Bars left = bars.slice({UtcTime::min(), gone.start});
    return merge(left, bars.slice({gone.end, UtcTime::max()}));
}

const GapOptions open_hours{.closed = false};

TEST(Gaps, OfACompleteSeriesAreClosedHoursOnly) {
    const BarGrid hour = grid("1h", shipped("XNYS"), ib);
    const TimeRange week = range("2024-07-01", "2024-07-09");
    const GapReport report = find_gaps(complete(hour, week), hour, week, {}).value();
    EXPECT_EQ(report.absent(), 0U);
    EXPECT_EQ(report.expected, 32U);
    EXPECT_EQ(report.present, 32U);
    EXPECT_EQ(report.known, week);
    EXPECT_THAT(lines_of(report), ElementsAre("2024-07-01T20:00 2024-07-02T13:30 closed 0 expected_trading_hours",
                                              "2024-07-02T20:00 2024-07-03T13:30 closed 0 expected_trading_hours",
                                              "2024-07-03T17:00 2024-07-03T20:00 early_close 0 expected_trading_hours",
                                              "2024-07-03T20:00 2024-07-05T13:30 closed 0 expected_holiday",
                                              "2024-07-05T20:00 2024-07-08T13:30 closed 0 expected_weekend"));
    EXPECT_THAT(report.gaps[2].evidence,
                HasSubstr("the XNYS session of 2024-07-03 closed at 2024-07-03T17:00Z, usually at 2024-07-03T20:00Z"));
    EXPECT_THAT(report.gaps[3].evidence, HasSubstr("XNYS is closed from 2024-07-03T20:00Z to 2024-07-05T13:30Z"));
}

TEST(Gaps, AreLeftOutWhereTheMarketIsClosedIfNobodyWantsThem) {
    const BarGrid hour = grid("1h", shipped("XNYS"), ib);
    const TimeRange week = range("2024-07-01", "2024-07-09");
    EXPECT_THAT(gaps_of(complete(hour, week), hour, week, {}, open_hours), IsEmpty());
}

TEST(Gaps, NameEachStretchOfAbsentBarsAndTheRowBehindIt) {
    const BarGrid hour = grid("1h", shipped("XNYS"), ib);
    const TimeRange week = range("2024-07-01", "2024-07-06");
    const Bars bars = without(without(complete(hour, week), range("2024-07-01T15:00", "2024-07-01T17:00")),
                              range("2024-07-02T19:00", "2024-07-03T14:00"));
    const GapReport report = find_gaps(bars, hour, week, {}, open_hours).value();
    EXPECT_THAT(lines_of(report), ElementsAre("2024-07-01T15:00 2024-07-01T17:00 unknown 2 unexpected",
                                              "2024-07-02T19:00 2024-07-03T14:00 unknown 2 unexpected"));
    EXPECT_EQ(report.absent(GapClass::unknown), 4U);
    EXPECT_EQ(bars.start_of(report.gaps[0].index), at("2024-07-01T17:00"));
    EXPECT_THAT(report.gaps[0].evidence, HasSubstr("no answer of a provider is known"));
}

TEST(Gaps, HaveTheClassThatTheLedgerProves) {
    const BarGrid day = grid("1d", shipped("XNYS"), ib);
    const TimeRange month = range("2024-07-01", "2024-08-01");
    const Bars bars = without(complete(day, month), range("2024-07-08", "2024-07-27"));
    const auto asked = [](std::string_view start, std::string_view end, EvidenceKind kind, std::string_view when) {
        return Evidence{range(start, end), kind, at(when)};
    };
    const GapReport report =
        find_gaps(bars, day, month,
                  std::vector{asked("2024-07-01", "2024-07-10", EvidenceKind::bars, "2024-08-01T10:00"),
                              asked("2024-07-10", "2024-07-12", EvidenceKind::empty, "2024-08-01T10:01"),
                              asked("2024-07-12", "2024-07-13", EvidenceKind::empty, "2024-08-01T10:05"),
                              asked("2024-07-15", "2024-07-17", EvidenceKind::failed, "2024-08-01T10:02"),
                              asked("2024-07-17", "2024-07-19", EvidenceKind::denied, "2024-08-01T10:03"),
                              asked("2024-07-19", "2024-07-23", EvidenceKind::unconfirmed, "2024-08-01T10:04")},
                  open_hours)
            .value();
    EXPECT_THAT(lines_of(report), ElementsAre("2024-07-08T00:00 2024-07-09T20:00 unknown 2 unexpected",
                                              "2024-07-10T00:00 2024-07-12T20:00 provider_empty 3 unexpected",
                                              "2024-07-15T00:00 2024-07-16T20:00 failed 2 unexpected",
                                              "2024-07-17T00:00 2024-07-18T20:00 failed 2 unexpected",
                                              "2024-07-19T00:00 2024-07-22T20:00 unknown 2 unexpected",
                                              "2024-07-23T00:00 2024-07-26T20:00 unknown 4 unexpected"));
    EXPECT_THAT(report.gaps[0].evidence, HasSubstr("asked 2024-08-01T10:00Z: bars came for the time around it"));
    EXPECT_THAT(report.gaps[1].evidence, HasSubstr("asked from 2024-08-01T10:01Z to 2024-08-01T10:05Z"));
    EXPECT_THAT(report.gaps[2].evidence, HasSubstr("answered with an error"));
    EXPECT_THAT(report.gaps[3].evidence, HasSubstr("this account may not have it"));
    EXPECT_THAT(report.gaps[4].evidence, HasSubstr("no second answer confirms it"));
    EXPECT_THAT(report.gaps[5].evidence, HasSubstr("no answer of a provider is known"));
}

TEST(Gaps, TakeTheNewestAnswerThatIsNoFailure) {
    const BarGrid day = grid("1d", shipped("CRYPTO"));
    const TimeRange week = range("2024-07-01", "2024-07-08");
    const Bars bars = without(complete(day, week), range("2024-07-03", "2024-07-05"));
    const Evidence empty{week, EvidenceKind::empty, at("2024-08-01")};
    const Evidence newer{range("2024-07-04", "2024-07-05"), EvidenceKind::unconfirmed, at("2024-08-02")};
    const Evidence failed{week, EvidenceKind::failed, at("2024-08-03")};
    EXPECT_THAT(gaps_of(bars, day, week, {newer, failed, empty}),
                ElementsAre("2024-07-03T00:00 2024-07-04T00:00 provider_empty 1 unexpected",
                            "2024-07-04T00:00 2024-07-05T00:00 unknown 1 unexpected"));
}

TEST(Gaps, OfDaysAreDatesWithoutASession) {
    const BarGrid day = grid("1d", shipped("FOREX"), {.provider = "IB", .asset_class = "forex"});
    const TimeRange week = range("2024-07-04", "2024-07-10");
    EXPECT_THAT(gaps_of(complete(day, week), day, week),
                ElementsAre("2024-07-06T00:00 2024-07-08T00:00 closed 0 expected_weekend"));
    const BarGrid weeks = grid("1w", shipped("XNYS"));
    const TimeRange year = range("2024-01-01", "2025-01-01");
    EXPECT_THAT(gaps_of(complete(weeks, year), weeks, year), IsEmpty());
    const BarGrid months = grid("1M", shipped("XNYS"));
    EXPECT_THAT(gaps_of(without(complete(months, year), range("2024-02-01", "2024-04-01")), months, year),
                ElementsAre("2024-02-01T00:00 2024-03-28T20:00 unknown 2 unexpected"));
}

TEST(Gaps, CallAClosureOfMoreThanFourDaysAMarketClosure) {
    const BarGrid hour = grid("1h", shipped("XNYS"), ib);
    const TimeRange september = range("2001-09-10", "2001-09-18");
    EXPECT_THAT(gaps_of(complete(hour, september), hour, september),
                ElementsAre("2001-09-10T20:00 2001-09-17T13:30 closed 0 market_closure"));
}

TEST(Gaps, KnowTheBreakOfASessionAndTheFirstMinutesWithoutBars) {
    const BarGrid tokyo = grid("30m", test::tokyo());
    const TimeRange friday = range("2024-07-05", "2024-07-06");
    EXPECT_THAT(gaps_of(complete(tokyo, friday), tokyo, friday),
                ElementsAre("2024-07-05T02:30 2024-07-05T03:30 closed 0 expected_trading_hours"));
    const BarGrid forex = grid("4h", shipped("FOREX"), {.provider = "IB", .asset_class = "forex"});
    const TimeRange tuesday = range("2024-07-02T18:00", "2024-07-03T18:00");
    EXPECT_THAT(gaps_of(complete(forex, tuesday), forex, tuesday),
                ElementsAre("2024-07-02T21:00 2024-07-02T21:15 closed 0 expected_trading_hours"));
}

TEST(Gaps, InExtendedHoursAreAbsentTradesBesideTheSessionAndHolesInIt) {
    const BarGrid extended = grid("30m", shipped("XNYS"), {.session = "extended"});
    std::vector<UtcTime> stamps;
    for (UtcTime stamp = at("2024-07-05T08:00"); stamp < at("2024-07-06T00:00"); stamp += minutes{30}) {
        // One absent before the session, two in it.
        if (stamp != at("2024-07-05T10:00") && stamp != at("2024-07-05T15:00") && stamp != at("2024-07-05T15:30")) {
            stamps.push_back(stamp);
        }
    }
    const GapReport report =
        find_gaps(walk(stamps), extended, range("2024-07-05T08:00", "2024-07-08T08:00"), {}).value();
    EXPECT_THAT(lines_of(report), ElementsAre("2024-07-05T10:00 2024-07-05T10:30 no_trade 1 expected_trading_hours",
                                              "2024-07-05T15:00 2024-07-05T16:00 unknown 2 unexpected",
                                              "2024-07-06T00:00 2024-07-06T04:00 no_trade 8 expected_trading_hours",
                                              "2024-07-06T04:00 2024-07-08T04:00 closed 0 expected_weekend",
                                              "2024-07-08T04:00 2024-07-08T08:00 no_trade 8 expected_trading_hours"));
    EXPECT_EQ(report.expected, 13U);
    EXPECT_THAT(report.gaps[0].evidence, HasSubstr("outside of the XNYS session of 2024-07-05"));
}

TEST(GapsWithoutCalendar, AreWhereABarDoesNotFollowTheOneBefore) {
    const BarGrid plain = grid("1h");
    std::vector<UtcTime> stamps;
    for (const int hour : {1, 2, 5, 6, 9}) {
        stamps.push_back(at("2024-07-05") + hours{hour});
    }
    const TimeRange whole = range("2024-07-05T00:00", "2024-07-05T12:00");
    const GapReport report = find_gaps(walk(stamps), plain, whole, {}).value();
    EXPECT_THAT(lines_of(report), ElementsAre("2024-07-05T00:00 2024-07-05T01:00 unknown 1 unexpected",
                                              "2024-07-05T03:00 2024-07-05T05:00 unknown 2 unexpected",
                                              "2024-07-05T07:00 2024-07-05T09:00 unknown 2 unexpected",
                                              "2024-07-05T10:00 2024-07-05T12:00 unknown 2 unexpected"));
    EXPECT_EQ(report.expected, 0U);
    EXPECT_TRUE(report.known.empty());
    const std::vector<Evidence> asked{
        {range("2024-07-05T00:00", "2024-07-05T04:00"), EvidenceKind::bars, at("2024-08-01")},
        {range("2024-07-05T04:00", "2024-07-05T12:00"), EvidenceKind::empty, at("2024-08-01")}};
    EXPECT_THAT(gaps_of(walk(stamps), plain, range_of_bars(walk(stamps), plain), asked),
                ElementsAre("2024-07-05T03:00 2024-07-05T04:00 no_trade 1 expected_trading_hours",
                            "2024-07-05T04:00 2024-07-05T05:00 provider_empty 1 unexpected",
                            "2024-07-05T07:00 2024-07-05T09:00 provider_empty 2 unexpected"));
}

TEST(GapsWithoutCalendar, AreNoneWhereADayIsLongerByAnHour) {
    const BarGrid plain = grid("1d");
    const Bars bars =
        walk({at("2024-10-26T22:00"), at("2024-10-27T23:00"), at("2024-10-28T23:00"), at("2024-10-31T23:00")});
    EXPECT_THAT(gaps_of(bars, plain, range_of_bars(bars, plain)),
                ElementsAre("2024-10-29T23:00 2024-10-31T23:00 unknown 2 unexpected"));
}

TEST(Gaps, OfNoBarsAreAllOfTheRange) {
    const BarGrid day = grid("1d", shipped("XNYS"));
    EXPECT_THAT(gaps_of({}, day, range("2024-07-01", "2024-07-06")),
                ElementsAre("2024-07-01T00:00 2024-07-05T20:00 unknown 4 unexpected"));
    EXPECT_THAT(gaps_of({}, grid("1d"), range("2024-07-01", "2024-07-06")),
                ElementsAre("2024-07-01T00:00 2024-07-06T00:00 unknown 5 unexpected"));
    EXPECT_THAT(gaps_of({}, day, range("2024-07-06", "2024-07-01")), IsEmpty());
    EXPECT_THAT(gaps_of({}, grid("1M"), range("2024-07-01", "2024-07-01")), IsEmpty());
}

TEST(Gaps, AreNotJudgedOutsideOfTheCalendarsDates) {
    const BarGrid day = grid("1d", shipped("XNYS"));
    const GapReport report = find_gaps({}, day, {UtcTime::min(), at("1990-01-05")}, {}).value();
    EXPECT_EQ(report.known, range("1990-01-01", "1990-01-05"));
    EXPECT_THAT(lines_of(report), ElementsAre("1990-01-02T00:00 1990-01-04T21:00 unknown 3 unexpected"));
}

TEST(Gaps, AreNotLookedForInBarsOutOfOrder) {
    const Bars bars = walk({at("2024-07-02"), at("2024-07-01")});
    const auto report = find_gaps(bars, grid("1d"), range("2024-07-01", "2024-07-06"), {});
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Errc::invalid_argument);
}

TEST(GapsWithoutCalendar, HaveTheClassOfTheAnswerToEachPart) {
    const TimeRange day = range("2024-07-05T00:00", "2024-07-05T12:00");
    const std::vector<Evidence> asked{
        {range("2024-07-05T03:00", "2024-07-05T05:00"), EvidenceKind::empty, at("2024-08-01")},
        {range("2024-07-05T07:00", "2024-07-05T08:00"), EvidenceKind::bars, at("2024-08-01")}};
    EXPECT_THAT(gaps_of({}, grid("1h"), day, asked),
                ElementsAre("2024-07-05T00:00 2024-07-05T03:00 unknown 3 unexpected",
                            "2024-07-05T03:00 2024-07-05T05:00 provider_empty 2 unexpected",
                            "2024-07-05T05:00 2024-07-05T07:00 unknown 2 unexpected",
                            "2024-07-05T07:00 2024-07-05T08:00 no_trade 1 expected_trading_hours",
                            "2024-07-05T08:00 2024-07-05T12:00 unknown 4 unexpected"));
}

TEST(GapLabels, OfClosedHoursFollowTheSessionsAround) {
    const SessionCalendarPtr nyse = shipped("XNYS");
    const auto closed = [](TimeRange when, const SessionCalendar* calendar) {
        return label_of(GapClass::closed, when, calendar);
    };
    EXPECT_EQ(closed(range("2024-07-06", "2024-07-08"), nyse.get()), GapLabel::expected_weekend);
    EXPECT_EQ(closed(range("2024-07-04", "2024-07-05"), nyse.get()), GapLabel::expected_holiday);
    // Nobody knows what was, or will be, beside it.
    EXPECT_EQ(closed(range("2024-07-06", "2024-07-08"), nullptr), GapLabel::expected_trading_hours);
    EXPECT_EQ(closed({UtcTime::min(), at("1970-01-01")}, nyse.get()), GapLabel::expected_trading_hours);
    EXPECT_EQ(closed({nyse->sessions().back().close(), UtcTime::max()}, nyse.get()), GapLabel::expected_trading_hours);
    // Saturdays have sessions; one of two without has none a week before, and one a week after.
    const auto saturdays = SessionCalendar::read(
                               "calendar,TEST\nzone,UTC\ndates,2024-01-01,2024-03-31\n"
                               "offset,2023-12-30T00:00Z,+00:00\nweek,2024-01-01,mon-sat,09:00,15:00\n"
                               "closed,2024-02-10\nclosed,2024-02-17\n",
                               "test.csv")
                               .value();
    EXPECT_EQ(closed(range("2024-02-10", "2024-02-12"), saturdays.get()), GapLabel::expected_holiday);
    EXPECT_EQ(closed(range("2024-02-17", "2024-02-19"), saturdays.get()), GapLabel::expected_holiday);
    EXPECT_EQ(closed(range("2024-02-04", "2024-02-05"), saturdays.get()), GapLabel::expected_weekend);
}

TEST(GapLabels, OfWhatIsMissingAreUnexpected) {
    const TimeRange when = range("2024-07-06", "2024-07-08");
    for (const GapClass kind : {GapClass::provider_empty, GapClass::failed, GapClass::unknown}) {
        EXPECT_EQ(label_of(kind, when, shipped("XNYS").get()), GapLabel::unexpected);
    }
    for (const GapClass kind : {GapClass::early_close, GapClass::no_trade}) {
        EXPECT_EQ(label_of(kind, when, shipped("XNYS").get()), GapLabel::expected_trading_hours);
    }
}

TEST(Evidence, HasANameForEachKind) {
    std::vector<std::string_view> names;
    for (const EvidenceKind kind : {EvidenceKind::bars, EvidenceKind::empty, EvidenceKind::unconfirmed,
                                    EvidenceKind::failed, EvidenceKind::denied}) {
        names.push_back(to_string(kind));
    }
    EXPECT_THAT(names, ElementsAre("bars", "empty", "unconfirmed", "failed", "denied"));
}

}  // namespace
}  // namespace ktrdr
