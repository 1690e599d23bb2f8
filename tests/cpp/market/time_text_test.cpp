#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

using testing::HasSubstr;

std::string round_trip(std::string_view text) {
    const auto time = parse_time("start_date", text);
    return time ? format_time(*time) : time.error().message;
}

TEST(ParseTime, ReadsDatesAndTimesAsUtc) {
    EXPECT_EQ(round_trip("2024-01-01"), "2024-01-01T00:00:00.000Z");
    EXPECT_EQ(round_trip("2024-01-01T09:30"), "2024-01-01T09:30:00.000Z");
    EXPECT_EQ(round_trip("2024-01-01 09:30:15"), "2024-01-01T09:30:15.000Z");
    EXPECT_EQ(round_trip("2024-01-01T09:30:15.25Z"), "2024-01-01T09:30:15.250Z");
    EXPECT_EQ(round_trip("1969-12-31T23:59:59.999"), "1969-12-31T23:59:59.999Z");
}

TEST(ParseTime, KeepsNanoseconds) {
    const auto time = parse_time("time", "1970-01-01T00:00:00.000000007Z");
    ASSERT_TRUE(time);
    EXPECT_EQ(time->time_since_epoch().count(), 7);
}

TEST(ParseTime, AppliesTheOffset) {
    EXPECT_EQ(round_trip("2024-01-01T00:30+01:00"), "2023-12-31T23:30:00.000Z");
    EXPECT_EQ(round_trip("2024-01-01T00:30:00-05:30"), "2024-01-01T06:00:00.000Z");
}

TEST(ParseTime, RefusesWhatIsNoDateNamingTheField) {
    for (const std::string text : {"", "tomorrow", "2024", "2024-1-1", "2024-02-30", "2023-02-29", "2024-13-01",
                                   "2024-01-01T", "2024-01-01T24:00", "2024-01-01T09:60", "2024-01-01T09:30:60",
                                   "2024-01-01T09:30:15.", "2024-01-01T09:30:15.1234567890", "2024-01-01T09:30+0100",
                                   "2024-01-01T09:30Zx", "2024-01-01Z", "0001-01-01", "9999-12-31", "2024-01-01 "}) {
        const auto time = parse_time("end_date", text);
        ASSERT_FALSE(time) << text;
        EXPECT_EQ(time.error().code, Errc::invalid_argument);
        EXPECT_NE(time.error().message.find("end_date"), std::string::npos);
    }
}

TEST(ParseTime, SaysOfADateThatItsYearCannotBeCounted) {
    for (const std::string_view text : {"0001-01-01", "1677-12-31", "2262-01-01", "9999-12-31T23:59:59.999999Z"}) {
        const auto time = parse_time("start", text);
        ASSERT_FALSE(time) << text;
        EXPECT_THAT(time.error().message, HasSubstr("lies outside of the years 1678 to 2261"));
    }
    for (const std::string_view text : {"9999", "9999-13-01", "99991231", "9999-12-31x"}) {
        EXPECT_THAT(parse_time("start", text).error().message, HasSubstr("is not a date")) << text;
    }
}

TEST(DateOnly, IsADateWithoutATime) {
    EXPECT_TRUE(is_date_only("2024-01-01"));
    EXPECT_FALSE(is_date_only("2024-01-01T00:00"));
    EXPECT_FALSE(is_date_only("2024/01/01"));
    EXPECT_FALSE(is_date_only(""));
}

TEST(FormatDate, LeavesOutTheTime) {
    EXPECT_EQ(format_date(parse_time("t", "2024-03-09T23:59:59.999").value()), "2024-03-09");
}

}  // namespace
}  // namespace ktrdr
