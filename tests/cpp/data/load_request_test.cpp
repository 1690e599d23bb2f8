#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/data/load_request.hpp>

#include "times.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

const UtcTime today = at("2024-06-03T15:30");

Result<LoadTask> check(LoadRequest request) {
    return check_request(request, "IB", today);
}

LoadRequest full(std::string start, std::string end) {
    return {.symbol = "AAPL", .timeframe = "1d", .start_date = start, .end_date = end, .mode = "full"};
}

void expect_refused(const LoadRequest& request, const std::string& words) {
    const auto task = check(request);
    ASSERT_FALSE(task) << words;
    EXPECT_EQ(task.error().code, Errc::invalid_argument);
    EXPECT_THAT(task.error().message, HasSubstr(words));
}

TEST(LoadRequest, IncludesTheDayOfAnEndDateWithoutATime) {
    const LoadTask task = check(full("2005-01-01", "2009-12-31")).value();
    EXPECT_EQ(task.range, (TimeRange{at("2005-01-01"), at("2010-01-01")}));
    EXPECT_EQ(task.key.provider, "IB");
    EXPECT_EQ(task.mode, LoadMode::full);
    EXPECT_EQ(check(full("2005-01-01", "2009-12-31T00:00"))->range.end, at("2009-12-31"));
    EXPECT_EQ(check(full("2005-01-01", "2005-01-01"))->range.end, at("2005-01-02"));
}

TEST(LoadRequest, EndsAtTheLastClosedBar) {
    // A day that began 24 hours ago has just ended, at whatever hour days begin.
    EXPECT_EQ(check(full("2005-01-01", "2099-12-31"))->range.end, at("2024-06-02T15:31"));
    LoadRequest hourly = full("2005-01-01", "2024-06-03");
    hourly.timeframe = "1h";
    EXPECT_EQ(check(hourly)->range.end, at("2024-06-03T14:31"));
}

TEST(LoadRequest, WithoutDatesIsEverythingThatIsStored) {
    const LoadTask task = check({.symbol = "AAPL", .timeframe = "1h"}).value();
    EXPECT_EQ(task.mode, LoadMode::local);
    EXPECT_EQ(task.range, (TimeRange{UtcTime::min(), UtcTime::max()}));
}

TEST(LoadRequest, WithoutDatesAsksFromTheBeginningToTheLastClosedBar) {
    for (const std::string mode : {"tail", "backfill", "full"}) {
        const LoadTask task = check({.symbol = "AAPL", .timeframe = "1d", .mode = mode}).value();
        EXPECT_EQ(to_string(task.mode), mode);
        EXPECT_EQ(task.range, (TimeRange{UtcTime::min(), at("2024-06-02T15:31")}));
    }
}

TEST(LoadRequest, NamesTheModesThereAre) {
    for (const std::string mode : {"Full", "ful", "tails", ""}) {
        LoadRequest request = full("2005-01-01", "2006-01-01");
        request.mode = mode;
        for (const std::string known : {"local", "tail", "backfill", "full"}) {
            expect_refused(request, known);
        }
    }
}

TEST(LoadRequest, RefusesToAskNobodyAnew) {
    LoadRequest request = full("2005-01-01", "2006-01-01");
    request.refresh = true;
    EXPECT_TRUE(check(request)->refresh);
    request.mode = "local";
    expect_refused(request, "mode full");
}

TEST(LoadRequest, RefusesRangesThatHoldNothing) {
    expect_refused(full("2006-01-02", "2006-01-01"), "start_date 2006-01-02 is not before");
    expect_refused(full("2006-01-01T10:00", "2006-01-01T10:00"), "is not before");
    expect_refused(full("2024-06-03", "2024-06-04"), "no 1d bar that starts there or later is closed yet");
    expect_refused(full("someday", "2006-01-01"), "start_date");
    expect_refused(full("2006-01-01", "2006-02-30"), "end_date");
}

TEST(LoadRequest, TakesEverySymbolWithoutTheBlanksAroundIt) {
    LoadRequest request = full("2005-01-01", "2006-01-01");
    for (const std::string symbol : {"BRK B", "M&M", "BTC/USDT:USDT", "$SPX", "AAPL  250117C00150000"}) {
        request.symbol = " " + symbol + "\t";
        EXPECT_EQ(check(request)->key.symbol, symbol);
    }
    for (const std::string symbol : {"", " ", "A\nB", "A\x1b[0m", "\xff"}) {
        request.symbol = symbol;
        expect_refused(request, "is not one");
    }
}

}  // namespace
}  // namespace ktrdr
