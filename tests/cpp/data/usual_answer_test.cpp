#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include <boost/json/serialize.hpp>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/market/time_text.hpp>

#include "answer_fixture.hpp"
#include "soak.hpp"

namespace ktrdr {
namespace {

namespace json = boost::json;

const std::string asked = "POST http://localhost:5001/data/x";
const std::string one =
    R"({"2020-01-02T09:30:00.000Z": {"open": 1.5, "high": 2, "low": 1, "close": 1.25, "volume": 100.0}})";

std::string quoted(const std::string& text) {
    return json::serialize(json::value(text));
}

std::string body_of(const std::string& table, const std::string& behind = R"(, "rows": 1, "error": null)") {
    return R"({"success": true, "data": )" + quoted(table) + behind + "}";
}

Result<SourceAnswer> read_by_value(std::string_view body, const BarsWanted& wanted = minutes_of_2020()) {
    boost::system::error_code error;
    const json::value answer = parse_json(without_mark(body), error);
    return read_historical(answer, wanted, asked, {});
}

std::optional<Result<SourceAnswer>> read_usual(std::string_view body, const BarsWanted& wanted = minutes_of_2020()) {
    // In memory of just its size, so that a sanitizer sees who reads behind it.
    const std::vector<char> exact(body.begin(), body.end());
    return read_usual_historical({exact.data(), exact.size()}, wanted, asked, {});
}

/// It is read where it stands, and as it would be otherwise.
void expect_usual(const std::string& body, const BarsWanted& wanted = minutes_of_2020()) {
    const auto read = read_usual(body, wanted);
    ASSERT_TRUE(read) << body;
    expect_same(*read, read_by_value(body, wanted), body);
}

void expect_other(const std::string& body) {
    EXPECT_FALSE(read_usual(body)) << body;
}

TEST(UsualAnswer, IsReadAsAnyOther) {
    expect_usual(body_of(one));
    expect_usual("\xEF\xBB\xBF" + body_of(one));
    expect_usual("{\n  \"rows\": 1,\n  \"data\" : " + quoted(one) + ",\n  \"success\": true\n}\n");
    expect_usual(body_of(one, R"(, "rows": 9, "error": null)"));
    expect_usual(body_of(one, R"(, "rows": 1, "error": "partial: 3 of 9 parts")"));
    expect_usual(body_of(R"({"2020-01-02T09:30:00Z":{"open":1,"high":2,"low":1,"close":1,"volume":null}})"));
    expect_usual(
        body_of(R"({"2020-01-02 09:30:00+01:00":{"open":1e-08,"high":2E3,"low":-1,"close":-0.0,"volume":-1}})"));
    expect_usual(body_of(R"({"2019-01-02T09:30:00Z":{"open":1,"high":2,"low":1,"close":1,"volume":1}})"));
}

TEST(UsualAnswer, IsCutToTheSegmentAndToClosedBars) {
    std::string table;
    for (int minute = 0; minute < 60; ++minute) {
        table += fmt::format(
            R"({}"2020-01-02T09:{:02}:00.000Z": {{"open": 1, "high": 2, "low": 1, "close": 1, "volume": 1}})",
            minute == 0 ? "{" : ", ", minute);
    }
    table += "}";
    BarsWanted wanted = minutes_of_2020();
    for (const auto* start : {"2020-01-01", "2020-01-02T09:00", "2020-01-02T09:07", "2020-01-02T09:59"}) {
        for (const auto* end : {"2020-01-02T09:59:30", "2020-01-02T10:00", "2020-01-02T09:20:01"}) {
            for (const auto* now : {"2020-01-02T09:15:30", "2020-01-02T09:16", "2024-01-01"}) {
                wanted.segment = {at(start), at(end)};
                wanted.now = at(now);
                expect_usual(body_of(table), wanted);
            }
        }
    }
}

TEST(UsualAnswer, IsNoneWithWarningsBesideItsBars) {
    // Whoever reads the whole tells them.
    expect_other(body_of(one, R"(, "rows": 1, "error": null, "warnings": ["the vendor lets everybody wait"])"));
}

TEST(UsualAnswer, IsNoneThatIsWrittenOtherwise) {
    for (
        const auto* table : {
            "{}",
            "",
            "[]",
            "{",
            R"({"soon":{"open":1,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":null,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":"1","high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"high":2,"open":1,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":1,"high":2,"low":1,"close":1}})",
            R"({"2020-01-02":{"open":1,"high":2,"low":1,"close":1,"volume":1,"count":3}})",
            R"({"2020-01-02":{"open":01,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":1.,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":.5,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":+1,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":1e,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":1e999,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":NaN,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-03":{"open":1,"high":2,"low":1,"close":1,"volume":1},"2020-01-02":{"open":1,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":1,"high":2,"low":1,"close":1,"volume":1},"2020-01-02":{"open":1,"high":2,"low":1,"close":1,"volume":1}})",
            R"({"2020-01-02":{"open":1,"high":2,"low":1,"close":1,"volume":1},})",
            R"({"2020-01-02":{"open":1,"high":2,"low":1,"close":1,"volume":1}}x)",
        }) {
        expect_other(body_of(table));
    }
    const std::string data = "\"data\": " + quoted(one);
    for (const auto& body :
         {std::string(), std::string("null"), std::string("\"data\":"), "[" + data + "]", "{" + data, data,
          "{\"success\": false, " + data + "}", "{\"success\": true, " + data + ", \"data\": \"\"}",
          "{\"success\": true, \"a\": {" + data + "}}", "{\"success\": true, \"a\": {" + data + "}, \"data\": \"\"}",
          "{\"success\": true, \"a\\\"data\": " + quoted(one) + ", \"data\": \"\"}",
          "{\"success\": true, " + data + "} {}", "{\"success\": true, " + data + ", \"rows\": }",
          "{\"success\": true, \"rows\": [1], " + data + "}"}) {
        expect_other(body);
    }
}

TEST(UsualAnswer, CutAnywhereIsNone) {
    const std::string body = body_of(one);
    for (std::size_t size = 0; size < body.size(); ++size) {
        expect_other(body.substr(0, size));
    }
}

TEST(UsualAnswer, IsLeftWhenTheTokenIsCancelled) {
    ManualClock clock;
    ManualExecutor executor;
    ManualTimerQueue timers(clock);
    const auto token = CancellationToken::create(executor, timers, clock);
    token.cancel({.text = "enough"});
    const auto read = read_usual_historical(body_of(one), minutes_of_2020(), asked, token);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->error().code, Errc::cancelled);
}

/// A number as some service may write it.
std::string any_number(std::mt19937_64& random) {
    const auto bits = static_cast<std::int64_t>(random() >> (random() % 64));
    switch (random() % 8) {
        case 0: return fmt::format("{}", bits);
        case 1: return fmt::format("{:.2f}", static_cast<double>(bits % 10'000'000) / 100);
        case 2: return fmt::format("{}", static_cast<double>(bits) / 1e9);
        case 3: return fmt::format("{:.17g}", static_cast<double>(bits) * 1e-12);
        case 4: return fmt::format("{}.{:019}", random() % 1000, random() % 1'000'000'000'000ULL);
        case 5: return fmt::format("-{}.{}", random() % 1000, random() % 1000);
        case 6: return fmt::format("{}e{}", random() % 1000, static_cast<int>(random() % 40) - 20);
        default: return fmt::format("{}{}", random() % 2 == 0 ? "-" : "", random() % 2 == 0 ? "0" : "0.000");
    }
}

TEST(UsualAnswer, OfAnyNumbersHasTheSameBitsAsReadByValue) {
    const int cases = soak_count(200, 20'000);
    std::mt19937_64 random(11);
    for (int i = 0; i < cases; ++i) {
        const bool blanks = random() % 2 == 0;
        const std::string colon = blanks ? ": " : ":";
        const std::string comma = blanks ? ", " : ",";
        std::string table = "{";
        UtcTime time = at("2020-01-02T09:30");
        const std::size_t bars = 1 + random() % 20;
        for (std::size_t bar = 0; bar < bars; ++bar, time += std::chrono::minutes{1 + random() % 3000}) {
            table += fmt::format("{}\"{}\"{}{{", bar == 0 ? "" : comma, format_time(time), colon);
            for (const auto* name : {"open", "high", "low", "close", "volume"}) {
                table += fmt::format("{}\"{}\"{}{}", std::string_view(name) == "open" ? "" : comma, name, colon,
                                     any_number(random));
            }
            table += "}";
        }
        expect_usual(body_of(table + "}", fmt::format(R"(, "rows": {}, "error": null)", bars)));
        if (testing::Test::HasFailure()) {
            return;
        }
    }
}

TEST(UsualAnswer, WithAnyByteChangedIsReadAsByValueOrNotAtAll) {
    std::mt19937_64 random(5);
    const std::string body =
        body_of(R"({"2020-01-02T09:30:00.000Z": {"open": 1.5, "high": 2, "low": 1, "close": 1.25, "volume": 100.0}, )"
                R"("2020-01-02T09:31:00.000Z": {"open": 1.5, "high": 2e1, "low": -1, "close": 1.25, "volume": null}})",
                R"(, "rows": 2, "error": "partial: x")");
    constexpr std::string_view likely = "\"\\{}[]:, 0123456789.eE+-nultrefas\n\x80";
    for (std::size_t at_byte = 0; at_byte < body.size(); ++at_byte) {
        for (const char c : likely) {
            std::string changed = body;
            if (random() % 2 == 0) {
                changed[at_byte] = c;
            } else {
                changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(at_byte), c);
            }
            if (const auto read = read_usual(changed)) {
                expect_same(*read, read_by_value(changed), changed);
            }
        }
    }
}

}  // namespace
}  // namespace ktrdr
