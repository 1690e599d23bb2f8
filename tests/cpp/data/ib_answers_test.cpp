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

Result<SourceAnswer> answer(const std::string& table) {
    return read_historical(answer_of(table), year, asked, {});
}

Result<Bars> read(const std::string& table) {
    const auto read = answer(table);
    return read ? Result<Bars>(read->bars) : Result<Bars>(read.error());
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

TEST(HistoricalAnswer, HasNothingWhereTheBarsLieInTheWiderRangeThatWasAskedFor) {
    BarsWanted wanted = year;
    wanted.segment = {at("2020-03-02T10:00"), at("2020-03-02T15:00")};
    const auto table = "{" + bar("2020-03-02T01:00") + "}";
    wanted.asked = {at("2020-03-01T15:00"), at("2020-03-02T15:00")};
    EXPECT_TRUE(read_historical(answer_of(table), wanted, asked, {})->bars.empty());
    EXPECT_EQ(read_historical(answer_of("{" + bar("2020-03-12") + "}"), wanted, asked, {}).error().code,
              Errc::protocol);
}

TEST(HistoricalAnswer, DropsABarThatIsNotClosed) {
    BarsWanted wanted = year;
    wanted.now = at("2020-06-02T12:00");
    const auto table = "{" + bar("2020-06-01") + "," + bar("2020-06-02") + "}";
    EXPECT_EQ(read_historical(answer_of(table), wanted, asked, {})->bars.size(), 1U);
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
        EXPECT_EQ(read_historical(answer_of(table), wanted, asked, {})->bars.size(), over) << hour;
    }
}

TEST(HistoricalAnswer, OfNothingHasNoBars) {
    EXPECT_TRUE(read("{}")->empty());
    EXPECT_TRUE(read("")->empty());
    EXPECT_TRUE(read_historical({{"success", true}, {"data", nullptr}}, year, asked, {})->bars.empty());
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
    expect_protocol(read_historical(answer_of("{}", 3), year, asked, {}).error(), "3 rows");
    expect_protocol(read_historical({{"success", true}, {"data", 7}}, year, asked, {}).error(), "not a string");
    expect_protocol(read_historical({{"success", "yes"}}, year, asked, {}).error(), "`success`");
    expect_protocol(read_historical({1, 2}, year, asked, {}).error(), "not a JSON object");
}

TEST(HistoricalAnswer, LosesNothingButTheRowThatHasNoPrice) {
    using Dropped = std::vector<SourceAnswer::DroppedRow>;
    const std::string good = "," + bar("2020-01-03") + "," + bar("2020-01-04") + "}";
    const auto dropped = [&](const std::string& row) {
        const auto read = answer("{\"2020-01-02\":" + row + good);
        EXPECT_TRUE(read) << read.error().message;
        EXPECT_EQ(read->bars.size(), 2U) << row;
        EXPECT_EQ(read->partial, "");
        return read->dropped;
    };
    const auto named = [](const std::string& why) { return Dropped{{at("2020-01-02"), why}}; };
    EXPECT_EQ(dropped("[1]"), named("is not an object"));
    EXPECT_EQ(dropped(R"({"open":1,"high":1,"low":1,"volume":1})"), named("has no number `close`"));
    EXPECT_EQ(dropped(R"({"open":null,"high":1,"low":1,"close":1,"volume":1})"), named("has no number `open`"));
    EXPECT_EQ(dropped(R"({"open":1,"high":"2","low":1,"close":1,"volume":1})"), named("has no number `high`"));
    EXPECT_EQ(dropped(R"({"open":1,"high":1,"low":1e999,"close":1,"volume":1})"), named("has no number `low`"));
    // One that came twice, once whole, is there.
    EXPECT_EQ(answer("{" + bar("2020-01-02") + R"(,"2020-01-02T00:00:00Z":null})")->dropped, Dropped{});
    // Outside the segment nobody misses it.
    EXPECT_EQ(answer(R"({"2019-01-02":null)" + good)->dropped, Dropped{});
}

TEST(HistoricalAnswer, HasNoVolumeWhereNoneIsGiven) {
    for (const std::string volume : {R"(,"volume":null)", "", R"(,"volume":"much")", R"(,"volume":1e999)"}) {
        const auto bars = read(R"({"2020-01-02":{"open":1,"high":1,"low":1,"close":1)" + volume + "}}");
        ASSERT_TRUE(bars) << bars.error().message;
        EXPECT_EQ(bars->volume, std::vector<double>{-1}) << volume;
    }
}

TEST(HistoricalAnswer, TellsOfAVolumeThatIsThereAndNoNumber) {
    const auto mended = [](const std::string& volume) {
        const std::string rows = R"({"2020-01-02":{"open":1,"high":1,"low":1,"close":1)" + volume + "}}";
        return read_historical({{"success", true}, {"data", rows}}, year, asked, {}).value().mended;
    };
    for (const std::string odd : {R"("much")", "1e999", "-1e999", "true", "[]", "{}"}) {
        EXPECT_EQ(mended(",\"volume\":" + odd), "1 volume is no number and counts as not given (-1)") << odd;
    }
    for (const std::string none : {"", ",\"volume\":null", ",\"volume\":-1", ",\"volume\":7"}) {
        EXPECT_EQ(mended(none), "") << none;
    }
}

TEST(HistoricalAnswer, IsPartialWhenItMayNotBeAll) {
    const std::string two = "{" + bar("2020-01-02") + "," + bar("2020-01-03") + "}";
    EXPECT_EQ(read_historical(answer_of(two, 2), year, asked, {})->partial, "");
    const auto counted = read_historical(answer_of(two, 5), year, asked, {});
    EXPECT_EQ(counted->bars.size(), 2U);
    EXPECT_THAT(counted->partial, HasSubstr("5 rows, and has 2"));
    const auto said =
        read_historical({{"success", true}, {"data", two}, {"error", "partial: 3 of 9 chunks"}}, year, asked, {});
    EXPECT_EQ(said->bars.size(), 2U);
    EXPECT_THAT(said->partial, HasSubstr("partial: 3 of 9 chunks"));
    const auto unread = answer("{\"soon\":{}," + bar("2020-01-03") + "}");
    EXPECT_EQ(unread->bars.size(), 1U);
    EXPECT_THAT(unread->partial, HasSubstr("\"soon\""));
    const std::string neither = "{\"soon\":{},\"later\":{}," + bar("2020-01-03") + "}";
    EXPECT_THAT(read_historical(answer_of(neither, 3), year, asked, {})->partial, HasSubstr("\"later\""));
    expect_protocol(read_historical({{"success", true}, {"data", "{}"}, {"error", "half"}}, year, asked, {}).error(),
                    "half");
}

TEST(HistoricalAnswer, ThatSaysThatThereIsNoDataIsEmpty) {
    const auto says = [](const std::string& words) {
        return read_historical({{"success", false}, {"data", nullptr}, {"error", words}}, year, asked, {});
    };
    for (const auto* words : {"No data", "HMDS query returned no data: AAPL@SMART Trades", "no historical data found",
                              "Error 162: Historical Market Data Service error message: no data"}) {
        const auto read = says(words);
        ASSERT_TRUE(read) << words;
        EXPECT_TRUE(read->bars.empty());
        EXPECT_EQ(read->partial, "");
    }
    for (const auto* words : {"no market data permissions for NYSE", "No data subscription", "pacing violation",
                              "no data: request timed out", ""}) {
        EXPECT_EQ(says(words).error().code, Errc::host_service) << words;
    }
}

TEST(IbAnswers, SayWhichFailureOfTheSourceItWas) {
    const auto codes_of = [](const json::value& code) {
        const json::value answer{{"success", false}, {"data", nullptr}, {"error", "slow"}, {"error_code", code}};
        return std::vector{read_historical(answer, year, asked, {}).error().code,
                           read_head_timestamp(answer, asked).error().code,
                           read_validation(answer, "AAPL", asked).error().code};
    };
    const json::value late{{"success", false}, {"error_code", "service_timeout"}, {"error_phase", "any_size"}};
    EXPECT_EQ(read_historical(late, year, asked, {}).error().context.at("phase"), "any_size");
    using testing::Each;
    for (const Errc code :
         {Errc::service_connection, Errc::service_timeout, Errc::symbol_unknown, Errc::configuration}) {
        EXPECT_THAT(codes_of(json::value(to_string(code))), Each(code));
    }
    for (const json::value& other : {json::value{"host_service"}, json::value{"cancelled"}, json::value{"storage"},
                                     json::value{""}, json::value{7}, json::value{nullptr}}) {
        EXPECT_THAT(codes_of(other), Each(Errc::host_service)) << other;
    }
}

TEST(HistoricalAnswer, OfAnotherRangeIsNoAnswer) {
    expect_protocol(read("{" + bar("2021-01-01") + "," + bar("2021-03-01") + "}").error(),
                    "from 2021-01-01T00:00:00.000Z to 2021-03-01T00:00:00.000Z");
    expect_protocol(read("{" + bar("2018-01-02") + "}").error(), "none of the range");
    expect_protocol(read("{" + bar("2018-01-02") + "," + bar("2022-01-02") + "}").error(), "none of the range");
    // Counted backwards from the end, over a range without a bar.
    EXPECT_TRUE(read("{" + bar("2019-12-30") + "}")->empty());
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

TEST(HeadTimestampAnswer, IsReadInEveryFormThatIbAndHostsWrite) {
    const UtcTime moment = at("2004-03-23T14:30:00");
    const UtcTime date = at("2004-03-23");
    const UtcTime elsewhere = moment - std::chrono::hours{14};
    const std::vector<std::pair<boost::json::value, UtcTime>> forms{
        {"2004-03-23T14:30:00Z", moment},
        {"2004-03-23T14:30:00.000Z", moment},
        {"2004-03-23T14:30:00", moment},
        {"2004-03-23 14:30:00+00:00", moment},
        {"2004-03-23T09:30:00-05:00", moment},
        {"20040323-14:30:00", moment},
        {"20040323-14:30:00 UTC", moment},
        {"20040323 14:30:00", moment},
        {"20040323  14:30:00", moment},
        {" 20040323 14:30:00 ", moment},
        {"20040323 14:30", moment},
        {"20040323T14:30:00", moment},
        {"20040323 14:30:00 UTC", moment},
        {"20040323 14:30:00 GMT", moment},
        {"20040323 09:30:00 US/Eastern", moment},
        {"20040323 09:30:00 America/New_York", moment},
        {"20040323 09:30:00 EST", moment},
        {"2004-03-23 09:30:00 US/Eastern", moment},
        {"2004-03-23T09:30:00 America/New_York", moment},
        {"20040701 10:30:00 US/Eastern", at("2004-07-01T14:30:00")},
        {"20040404 01:30:00 US/Eastern", at("2004-04-04T06:30:00")},
        {"20040404 03:30:00 US/Eastern", at("2004-04-04T07:30:00")},
        {"20040323 14:30:00 MET", elsewhere},
        {"20040323 14:30:00 Asia/Tokyo", elsewhere},
        {"20040323 14:30:00 Etc/GMT+5", elsewhere},
        {"20040323", date},
        {"2004-03-23", date},
        {"20040323 US/Eastern", at("2004-03-23T05:00:00")},
        {"2004-03-23 UTC", date},
        {"1080052200", moment},
        {"1080052200000", moment},
        {1080052200, moment},
        {1080052200000, moment},
        {20040323, date},
    };
    for (const auto& [text, time] : forms) {
        const auto read = read_head_timestamp({{"success", true}, {"timestamp", text}}, asked);
        ASSERT_TRUE(read) << serialize(text) << ": " << read.error().message;
        EXPECT_EQ(read.value(), time) << serialize(text);
    }
    for (const boost::json::value& none :
         {boost::json::value("20041323"), boost::json::value("20040323 25:00:00"), boost::json::value("2004"),
          boost::json::value("20040323 14:30:00 !"), boost::json::value("20040323-"), boost::json::value(""),
          boost::json::value("N/A"), boost::json::value("20040323 14:30:00 UTC UTC"), boost::json::value(1e300),
          boost::json::value(-5), boost::json::value(std::string(100'000, '2')), boost::json::value(true)}) {
        const auto read = read_head_timestamp({{"success", true}, {"timestamp", none}}, asked);
        ASSERT_FALSE(read) << serialize(none).substr(0, 80);
        expect_protocol(read.error(), "`timestamp`");
    }
}

TEST(HistoricalAnswer, TellsOfRowsThatCameTwiceOrInNoOrder) {
    const BarsWanted wanted{
        BarGrid(Timeframe::parse("1d").value()), {at("2024-01-01"), at("2024-02-01")}, at("2024-06-03")};
    const auto answer = [&](const char* rows) {
        return read_historical({{"success", true}, {"data", rows}}, wanted, asked, {}).value();
    };
    const SourceAnswer twice =
        answer(R"({"2024-01-02T00:00:00Z":{"open":1,"high":1,"low":1,"close":1,"volume":1},)"
               R"("2024-01-02T00:00:00.000Z":{"open":2,"high":2,"low":2,"close":2,"volume":1}})");
    EXPECT_EQ(twice.bars.open, std::vector<double>{2});
    EXPECT_THAT(twice.mended, HasSubstr("1 row has a stamp that came before"));
    const SourceAnswer turned = answer(R"({"2024-01-03T00:00:00Z":{"open":1,"high":1,"low":1,"close":1,"volume":1},)"
                                       R"("2024-01-02T00:00:00Z":{"open":2,"high":2,"low":2,"close":2,"volume":1}})");
    EXPECT_EQ(turned.bars.open, (std::vector<double>{2, 1}));
    EXPECT_THAT(turned.mended, HasSubstr("in no order"));
}

}  // namespace
}  // namespace ktrdr
