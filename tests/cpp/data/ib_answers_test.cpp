#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/data/ib_answers.hpp>

#include "times.hpp"

namespace ktrdr {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

const std::string asked = "POST http://localhost:5001/data/x";

const BarsWanted year{BarGrid(Timeframe::parse("1d").value()), {at("2020-01-01"), at("2021-01-01")}, at("2024-01-01")};

json::value answer_of(const std::string& table, std::int64_t rows = 0) {
    return {{"success", true}, {"data", table}, {"rows", rows}, {"error", nullptr}};
}

std::string bar(const std::string& stamp, double close = 2) {
    return json::serialize(json::value(stamp)) + R"(:{"open":1,"high":3,"low":0.5,"close":)" + std::to_string(close) +
           R"(,"volume":100})";
}

Result<Bars> read(const std::string& table) {
    return read_historical(answer_of(table), year, asked, {});
}

void expect_protocol(const Error& error, const std::string& words) {
    EXPECT_EQ(error.code, Errc::protocol) << error.message;
    EXPECT_THAT(error.message, HasSubstr(words));
    EXPECT_THAT(error.message, HasSubstr("http://localhost:5001"));
}

TEST(HistoricalAnswer, IsReadIntoColumns) {
    const Bars bars =
        read("{" + bar("2020-01-02T00:00:00.000Z") + "," + bar("2020-01-03T00:00:00.000Z", 2.5) + "}").value();
    ASSERT_EQ(bars.size(), 2U);
    EXPECT_EQ(bars.time[0], at("2020-01-02").time_since_epoch().count());
    EXPECT_EQ(bars.open[0], 1);
    EXPECT_EQ(bars.high[0], 3);
    EXPECT_EQ(bars.low[0], 0.5);
    EXPECT_EQ(bars.close[1], 2.5);
    EXPECT_EQ(bars.volume[1], 100);
}

TEST(HistoricalAnswer, IsSortedAndOfTwoBarsOfOneStampTheLaterIsTaken) {
    const Bars bars =
        read("{" + bar("2020-01-03", 7) + "," + bar("2020-01-02", 5) + "," + bar("2020-01-03T01:00+01:00", 9) + "}")
            .value();
    EXPECT_TRUE(bars.check());
    EXPECT_EQ(bars.close, (std::vector<double>{5, 9}));
}

TEST(HistoricalAnswer, IsTrimmedToTheSegment) {
    const Bars bars = read("{" + bar("2019-12-31") + "," + bar("2020-01-01") + "," + bar("2020-12-31") + "," +
                           bar("2021-01-01") + "}")
                          .value();
    ASSERT_EQ(bars.size(), 2U);
    EXPECT_EQ(format_date(UtcTime{std::chrono::nanoseconds{bars.time[1]}}), "2020-12-31");
}

TEST(HistoricalAnswer, DropsABarThatIsNotClosed) {
    BarsWanted wanted = year;
    wanted.now = at("2020-06-02T12:00");
    const auto table = "{" + bar("2020-06-01") + "," + bar("2020-06-02") + "}";
    EXPECT_EQ(read_historical(answer_of(table), wanted, asked, {})->size(), 1U);
}

TEST(HistoricalAnswer, DropsADayThatIsNotOverWhateverTheHourItBeganAt) {
    for (int hour = 0; hour < 24; ++hour) {
        BarsWanted wanted = year;
        wanted.now = at("2020-06-02T01:28");
        std::string table = "{";
        std::size_t over = 0;
        for (int day = 28; day < 32; ++day) {
            const std::string stamp = fmt::format("2020-05-{:02}T{:02}:00:00Z", day, hour);
            table += (day > 28 ? "," : "") + bar(stamp);
            over += at(stamp) + std::chrono::hours{24} <= wanted.now ? 1 : 0;
        }
        table += "," + bar(fmt::format("2020-06-01T{:02}:00:00Z", hour)) + "}";
        over += hour <= 1 ? 1 : 0;
        EXPECT_EQ(read_historical(answer_of(table), wanted, asked, {})->size(), over) << hour;
    }
}

TEST(HistoricalAnswer, OfNothingHasNoBars) {
    EXPECT_TRUE(read("{}")->empty());
    EXPECT_TRUE(read("")->empty());
    EXPECT_TRUE(read_historical({{"success", true}, {"data", nullptr}}, year, asked, {})->empty());
}

TEST(HistoricalAnswer, PassesOnWhatTheServiceSays) {
    const auto bars = read_historical({{"success", false}, {"error", "gateway asleep"}}, year, asked, {});
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::host_service);
    EXPECT_THAT(bars.error().message, HasSubstr("gateway asleep"));
}

TEST(HistoricalAnswer, ThatBreaksTheContractIsNamed) {
    expect_protocol(read("{\"2020-01-02\":").error(), "not JSON");
    expect_protocol(read("[1]").error(), "not JSON of stamps");
    expect_protocol(read("{\"soon\":{}}").error(), "no time");
    expect_protocol(read("{\"2020-01-02\":[1]}").error(), "not an object");
    expect_protocol(read(R"({"2020-01-02":{"open":1,"high":1,"low":1,"volume":1}})").error(), "`close`");
    expect_protocol(read(R"({"2020-01-02":{"open":null,"high":1,"low":1,"close":1,"volume":1}})").error(), "`open`");
    expect_protocol(read(R"({"2020-01-02":{"open":1e999,"high":1,"low":1,"close":1,"volume":1}})").error(),
                    "not finite");
    expect_protocol(read_historical(answer_of("{}", 3), year, asked, {}).error(), "3 rows");
    expect_protocol(read_historical({{"success", true}, {"data", 7}}, year, asked, {}).error(), "not a string");
    expect_protocol(read_historical({{"success", "yes"}}, year, asked, {}).error(), "`success`");
    expect_protocol(read_historical({1, 2}, year, asked, {}).error(), "not a JSON object");
}

TEST(HistoricalAnswer, IsLeftWhenTheTokenIsCancelled) {
    ManualClock clock;
    ManualExecutor executor;
    ManualTimerQueue timers(clock);
    const auto token = CancellationToken::create(executor, timers, clock);
    token.cancel({.text = "enough"});
    const auto bars = read_historical(answer_of("{" + bar("2020-01-02") + "}"), year, asked, token);
    ASSERT_FALSE(bars);
    EXPECT_EQ(bars.error().code, Errc::cancelled);
}

TEST(ValidationAnswer, SaysWhetherTheSymbolIsKnown) {
    EXPECT_TRUE(read_validation({{"success", true}, {"is_valid", true}}, "AAPL", asked));
    const auto unknown =
        read_validation({{"success", true}, {"is_valid", false}, {"error_message", "no contract"}}, "AAPLE", asked);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Errc::symbol_unknown);
    EXPECT_THAT(unknown.error().message, HasSubstr("AAPLE"));
    EXPECT_THAT(unknown.error().message, HasSubstr("no contract"));
}

TEST(ValidationAnswer, ThatFailedWithAReasonIsAHostError) {
    const auto failed =
        read_validation({{"success", false}, {"is_valid", false}, {"error", "no gateway"}}, "AAPL", asked);
    EXPECT_EQ(failed.error().code, Errc::host_service);
    const auto refused = read_validation(
        {{"success", false}, {"is_valid", false}, {"error_message", "unknown"}, {"error", nullptr}}, "AAPL", asked);
    EXPECT_EQ(refused.error().code, Errc::symbol_unknown);
    expect_protocol(read_validation({{"success", true}, {"is_valid", "perhaps"}}, "AAPL", asked).error(), "is_valid");
}

TEST(HeadTimestampAnswer, MayBeUnknown) {
    EXPECT_EQ(read_head_timestamp({{"success", true}, {"timestamp", "1980-12-12T00:00:00Z"}}, asked).value(),
              at("1980-12-12"));
    EXPECT_FALSE(read_head_timestamp({{"success", true}, {"timestamp", nullptr}}, asked).value());
    EXPECT_EQ(read_head_timestamp({{"success", false}, {"error", "x"}}, asked).error().code, Errc::host_service);
    expect_protocol(read_head_timestamp({{"success", true}, {"timestamp", "then"}}, asked).error(), "`timestamp`");
    expect_protocol(read_head_timestamp({{"success", true}, {"timestamp", 7}}, asked).error(), "`timestamp`");
}

}  // namespace
}  // namespace ktrdr
