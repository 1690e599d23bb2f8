#include <gtest/gtest.h>

#include <ktrdr/market/time_text.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {
namespace {

UtcTime at(std::string_view text) {
    return parse_time("time", text).value();
}

std::string closes(std::string_view timeframe, std::string_view start) {
    return format_time(Timeframe::parse(timeframe).value().close_of(at(start)));
}

TEST(Timeframe, ParsesEachOfItsNames) {
    EXPECT_EQ(Timeframe::names().size(), 16U);
    for (const auto name : Timeframe::names()) {
        const auto timeframe = Timeframe::parse(name);
        ASSERT_TRUE(timeframe) << name;
        EXPECT_EQ(timeframe->name(), name);
    }
    EXPECT_EQ(Timeframe::parse("15m")->count(), 15);
    EXPECT_EQ(Timeframe::parse("1M")->unit(), Timeframe::Unit::month);
    EXPECT_EQ(Timeframe::parse("1m")->unit(), Timeframe::Unit::minute);
}

TEST(Timeframe, ListsWhatThereIsForAnUnknownName) {
    const auto wrong = Timeframe::parse("7x");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::invalid_argument);
    EXPECT_NE(wrong.error().message.find("1m 2m 3m 5m"), std::string::npos);
}

TEST(Timeframe, NamesTheNearestSpelling) {
    EXPECT_NE(Timeframe::parse("1H").error().message.find("did you mean 1h?"), std::string::npos);
    EXPECT_NE(Timeframe::parse("1day").error().message.find("did you mean 1d?"), std::string::npos);
    EXPECT_EQ(Timeframe::parse("fortnight").error().message.find("did you mean"), std::string::npos);
    EXPECT_FALSE(Timeframe::parse(""));
    EXPECT_FALSE(Timeframe::parse(std::string(100'000, 'x')));
}

TEST(Timeframe, ClosesAfterItsLength) {
    EXPECT_EQ(closes("5m", "2024-01-01T09:30"), "2024-01-01T09:35:00.000Z");
    EXPECT_EQ(closes("4h", "2024-01-01T22:00"), "2024-01-02T02:00:00.000Z");
    EXPECT_EQ(closes("1w", "2024-02-26"), "2024-03-04T00:00:00.000Z");
}

TEST(Timeframe, ClosesADailyBarAtTheNextMidnight) {
    EXPECT_EQ(closes("1d", "2024-02-28"), "2024-02-29T00:00:00.000Z");
    EXPECT_EQ(closes("1d", "2024-01-01T14:30"), "2024-01-02T00:00:00.000Z");
}

TEST(Timeframe, ClosesAMonthByTheCalendar) {
    EXPECT_EQ(closes("1M", "2024-02-01"), "2024-03-01T00:00:00.000Z");
    EXPECT_EQ(closes("1M", "2023-12-01"), "2024-01-01T00:00:00.000Z");
    EXPECT_EQ(closes("1M", "2024-01-31"), "2024-02-29T00:00:00.000Z");
}

TEST(Timeframe, IsClosedFromTheMomentItEnds) {
    const Timeframe day = Timeframe::parse("1d").value();
    EXPECT_FALSE(day.is_closed(at("2024-01-01"), at("2024-01-01T23:59:59.999")));
    EXPECT_TRUE(day.is_closed(at("2024-01-01"), at("2024-01-02")));
}

}  // namespace
}  // namespace ktrdr
