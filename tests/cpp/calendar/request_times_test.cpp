// Dates and times as a person gives them, in the hours of a calendar.
#include <ktrdr/calendar/request_times.hpp>

#include <gtest/gtest.h>

#include "calendars.hpp"

namespace ktrdr {
namespace {

const BarGrid& nyse_hours() {
    static const BarGrid made = test::grid("1h", test::shipped("XNYS"), {.provider = "IB"});
    return made;
}

Result<TimeRange> dates(const std::optional<std::string>& start, const std::optional<std::string>& end) {
    return parse_dates(start, end, nyse_hours(), range("2024-01-01", "2024-02-01"));
}

/// The field that the refusal names; empty where there is none.
std::string refused_field(const std::optional<std::string>& start, const std::optional<std::string>& end) {
    const auto read = dates(start, end);
    if (read) {
        return "";
    }
    EXPECT_EQ(read.error().code, Errc::invalid_argument);
    return std::string(read.error().context.at("field").as_string());
}

TEST(RequestTimes, OfADateAreTheBeginAndEndOfItsBarsAndOfATimeThatTime) {
    const TimeRange day = nyse_hours().range_of(test::date("2024-07-03"));
    EXPECT_EQ(parse_start("from", "2024-07-03", nyse_hours()).value(), day.start);
    EXPECT_EQ(parse_end("to", "2024-07-03", nyse_hours()).value(), day.end);
    EXPECT_LT(day.start, day.end);
    for (const auto& parse : {parse_start, parse_end}) {
        EXPECT_EQ(parse("when", "2024-07-03T14:00Z", nyse_hours()).value(), at("2024-07-03T14:00"));
        EXPECT_EQ(parse("when", "today", nyse_hours()).error().context.at("field"), "when");
    }
}

TEST(RequestTimes, ThatAreNotGivenAreThoseOtherwise) {
    EXPECT_EQ(dates(std::nullopt, std::nullopt).value(), range("2024-01-01", "2024-02-01"));
    EXPECT_EQ(dates("2024-01-05T10:00Z", std::nullopt).value(), range("2024-01-05T10:00", "2024-02-01"));
    EXPECT_EQ(dates(std::nullopt, "2024-01-05T10:00Z").value(), range("2024-01-01", "2024-01-05T10:00"));
    EXPECT_EQ(dates("2024-01-05T10:00Z", "2024-01-06T10:00Z").value(), range("2024-01-05T10:00", "2024-01-06T10:00"));
}

TEST(RequestTimes, BeyondWhatStampsTellAreAsFarAsTheyTell) {
    const TimeRange first = nyse_hours().range_of(test::date("1678-01-01"));
    const TimeRange last = nyse_hours().range_of(test::date("2261-12-31"));
    EXPECT_EQ(dates("0001-01-01", "9999-12-31").value(), (TimeRange{first.start, last.end}));
    EXPECT_EQ(dates("1677-12-31", "2262-01-01").value(), (TimeRange{first.start, last.end}));
    EXPECT_EQ(dates("1678-01-01", "2261-12-31").value(), (TimeRange{first.start, last.end}));
    // Leap days are where they are in those years, too.
    EXPECT_TRUE(dates("1600-02-29", "2400-02-29"));
}

TEST(RequestTimes, ThatAreNoDatesAreRefusedInAnyYear) {
    for (const std::string wrong : {"2023-02-29", "9999-02-29", "1500-02-29", "9999-13-01", "0000", "9999", "99-01-01",
                                    "abcd-01-01", "99999-01-01", "20240101", ""}) {
        EXPECT_EQ(refused_field(wrong, std::nullopt), "start_date") << wrong;
        EXPECT_EQ(refused_field(std::nullopt, wrong), "end_date") << wrong;
    }
}

}  // namespace
}  // namespace ktrdr
