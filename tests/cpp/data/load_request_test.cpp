#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/data/load_request.hpp>

#include "../../../cpp/data/src/load_parameters.hpp"
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

TEST(LoadParameters, OfARecordGiveTheRequestBack) {
    LoadRequest whole{.symbol = "AAPL", .timeframe = "1h", .start_date = "2024-01-01", .end_date = "2024-02-01"};
    whole.mode = "full";
    whole.series = {.instrument_type = "stock",
                    .what_to_show = "TRADES",
                    .session = "extended",
                    .exchange = "NYSE",
                    .currency = "USD"};
    whole.refresh = true;
    whole.checks = {.validate = true, .repair = true, .strict = true};
    whole.priority = 7;
    LoadRequest plain{.symbol = "AAPL", .timeframe = "1d"};
    plain.mode = "tail";
    for (const LoadRequest& request : {whole, plain}) {
        const boost::json::object kept = parameters_of(request);
        const LoadRequest read = request_of(kept).value();
        EXPECT_EQ(parameters_of(read), kept);
        EXPECT_EQ(read.symbol, request.symbol);
        EXPECT_EQ(read.start_date, request.start_date);
        EXPECT_EQ(read.series, request.series);
        EXPECT_EQ(read.refresh, request.refresh);
        EXPECT_EQ(read.priority, request.priority);
    }
    EXPECT_EQ(parameters_of(plain).size(), 5U) << "nothing is kept of what is as usual";
}

TEST(LoadParameters, OfAnotherOperationOrOfWrongTypesAreNoRequest) {
    const boost::json::object good{{"symbol", "AAPL"}, {"timeframe", "1d"}, {"mode", "tail"}};
    for (const char* const lacking : {"symbol", "timeframe", "mode"}) {
        boost::json::object odd = good;
        odd.erase(lacking);
        EXPECT_EQ(request_of(odd).error().code, Errc::invalid_argument) << lacking;
        odd[lacking] = 7;
        EXPECT_EQ(request_of(odd).error().code, Errc::invalid_argument) << lacking;
    }
    boost::json::object odd = good;
    odd["start_date"] = nullptr;
    odd["refresh"] = "yes";
    odd["validate"] = false;
    odd["priority"] = "high";
    const LoadRequest read = request_of(odd).value();
    EXPECT_FALSE(read.start_date);
    EXPECT_FALSE(read.refresh);
    EXPECT_FALSE(read.checks.validate);
    EXPECT_EQ(read.priority, 0);
}

}  // namespace
}  // namespace ktrdr
