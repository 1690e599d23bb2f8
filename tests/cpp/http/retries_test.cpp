#include "../../../cpp/http/src/retries.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "../../../cpp/http/src/retry_after.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

constexpr SteadyTime beginning{};
/// Sunday, 6 November 1994, 08:49:37 UTC: the date of RFC 9110's examples.
const UtcTime example{std::chrono::seconds{784'111'777}};

Result<Response> answer(int status, Headers headers = {}) {
    return Response{.status = status, .headers = std::move(headers)};
}

Result<Response> broken(Errc code, std::string_view phase, std::string_view sent) {
    return fail(code, "it broke", {{"phase", phase}, {"request_sent", sent}});
}

class Retry : public testing::Test {
protected:
    void begin(bool idempotent, SteadyTime deadline = beginning + 60s) {
        retries.emplace(policy, budget, idempotent, deadline);
    }
    std::optional<milliseconds> after(const Result<Response>& outcome, double chance = 1) {
        if (retries->stands(outcome)) {
            return std::nullopt;
        }
        return retries->after(outcome, 5ms, beginning, example, chance);
    }
    std::string_view stopped_by() { return retries->failed().back().stopped_by; }

    RetryPolicy policy{};
    RetryBudget budget{0.1, 10};
    std::optional<Retries> retries;
};

TEST_F(Retry, AnAnswerThatSaysSomethingStands) {
    begin(true);
    for (const int status : {200, 204, 301, 400, 401, 403, 404, 409, 422, 500, 501}) {
        EXPECT_FALSE(after(answer(status))) << status;
    }
    EXPECT_TRUE(retries->failed().empty());
}

TEST_F(Retry, AnAnswerThatSaysNotNowIsAskedForAgain) {
    for (const int status : {408, 425, 429, 502, 503, 504}) {
        begin(true);
        EXPECT_TRUE(after(answer(status))) << status;
    }
}

TEST_F(Retry, PausesAreDrawnFromARangeThatDoublesUpToALimit) {
    policy.attempts = 20;
    policy.longest_pause = 300ms;
    begin(true);
    const auto lost = broken(Errc::service_connection, "first_byte", "whole");
    EXPECT_EQ(after(lost, 0), 0ms);
    EXPECT_EQ(after(lost, 1), 100ms);
    EXPECT_EQ(after(lost, 0.5), 100ms);
    EXPECT_EQ(after(lost, 1), 300ms);
    EXPECT_EQ(after(lost, 0.5), 150ms);
    begin(true);
    EXPECT_EQ(after(answer(503), 1), 300ms) << "busy, but not longer than the longest";
    policy.longest_pause = 20s;
    begin(true);
    EXPECT_EQ(after(answer(429), 0.5), 500ms);
    EXPECT_EQ(after(answer(503), 0.5), 1000ms);
}

TEST_F(Retry, EndsAfterItsAttempts) {
    begin(true);
    const auto lost = broken(Errc::service_timeout, "first_byte", "whole");
    EXPECT_TRUE(after(lost));
    EXPECT_TRUE(after(lost));
    EXPECT_FALSE(after(lost));
    EXPECT_EQ(retries->failed().size(), 3U);
    EXPECT_EQ(stopped_by(), "attempts");
}

TEST_F(Retry, WhatMayNotBeSentTwiceIsNotUnlessNothingWasSent) {
    begin(false);
    EXPECT_FALSE(after(broken(Errc::service_connection, "first_byte", "whole")));
    EXPECT_EQ(stopped_by(), "not idempotent");
    begin(false);
    EXPECT_FALSE(after(broken(Errc::service_timeout, "write", "partly")));
    begin(false);
    EXPECT_FALSE(after(answer(503))) << "it may have been carried out all the same";
    begin(false);
    EXPECT_TRUE(after(broken(Errc::service_connection, "connect", "no")));
    EXPECT_TRUE(after(broken(Errc::service_timeout, "resolve", "no")));
}

TEST_F(Retry, WhatAnotherTimeWouldNotMendIsNotTriedAgain) {
    for (const Errc code : {Errc::protocol, Errc::response_too_large, Errc::invalid_argument, Errc::client_closed,
                            Errc::pool_timeout, Errc::pool_saturated}) {
        begin(true);
        EXPECT_FALSE(after(broken(code, "pool", "no"))) << to_string(code);
        EXPECT_EQ(stopped_by(), "not retryable");
    }
}

TEST_F(Retry, ACancelIsNoFailedAttempt) {
    for (const Errc code : {Errc::cancelled, Errc::timed_out}) {
        begin(true);
        EXPECT_FALSE(after(broken(code, "first_byte", "whole")));
        EXPECT_TRUE(retries->failed().empty());
    }
}

TEST_F(Retry, NeverPassesTheDeadline) {
    begin(true, beginning + 100ms);
    EXPECT_TRUE(after(broken(Errc::service_connection, "connect", "no"), 1));
    EXPECT_FALSE(after(broken(Errc::service_connection, "connect", "no"), 1)) << "100 ms would be at the deadline";
    EXPECT_EQ(stopped_by(), "deadline");
}

TEST_F(Retry, WaitsAsLongAsTheServiceAsksButNotForEver) {
    const auto pause = [&](const std::string& value) {
        begin(true, beginning + 24h);
        return after(answer(503, {{"retry-after", value}}), 0.25);
    };
    EXPECT_EQ(pause("7"), 7s);
    EXPECT_EQ(pause("Sun, 06 Nov 1994 08:49:47 GMT"), 10s);
    EXPECT_EQ(pause("1000000000"), 60s);
    EXPECT_EQ(pause("Sun, 06 Nov 1994 08:00:00 GMT"), 250ms) << "the past says nothing";
    EXPECT_EQ(pause("soon"), 250ms);
    EXPECT_EQ(pause(""), 250ms);
    begin(true, beginning + 5s);
    EXPECT_FALSE(after(answer(503, {{"Retry-After", "7"}})));
    EXPECT_EQ(stopped_by(), "deadline");
}

TEST_F(Retry, AnOutageIsMetWithLittleMoreThanWhatIsOffered) {
    policy.attempts = 5;
    std::size_t sent = 0;
    constexpr std::size_t calls = 10'000;
    for (std::size_t i = 0; i < calls; ++i) {
        begin(true);
        do {
            ++sent;
        } while (after(answer(503), 0));
    }
    EXPECT_LE(sent, calls + calls / 10 + 10);
    EXPECT_GE(sent, calls + calls / 10 - 10);
    EXPECT_EQ(stopped_by(), "budget");
}

TEST_F(Retry, RemembersWhatItsAttemptsCameTo) {
    begin(true);
    (void)after(broken(Errc::service_connection, "write", "partly"), 1);
    (void)after(answer(503), 0.5);
    (void)after(answer(502), 0);
    const auto history = to_json(retries->failed());
    EXPECT_EQ(history.at(0), (boost::json::object{{"attempt", 1},
                                                  {"phase", "write"},
                                                  {"request_sent", "partly"},
                                                  {"elapsed_ms", 5},
                                                  {"error", "it broke"},
                                                  {"pause_ms", 50}}));
    EXPECT_EQ(history.at(1), (boost::json::object{{"attempt", 2},
                                                  {"phase", "answer"},
                                                  {"request_sent", "whole"},
                                                  {"elapsed_ms", 5},
                                                  {"status", 503},
                                                  {"pause_ms", 1000}}));
    EXPECT_EQ(history.at(2).at("stopped_by"), "attempts");
}

TEST(RetryPolicy, IsRefusedOutOfRange) {
    const auto message = [](const RetryPolicy& policy) {
        const auto checked = check(policy);
        return checked ? std::string("accepted") : checked.error().message;
    };
    EXPECT_THAT(message({.attempts = 0}), AllOf(HasSubstr("retry.attempts is 0"), EndsWith("from 1 to 100")));
    EXPECT_THAT(message({.first_pause = -1ms}), HasSubstr("first_pause (ms) is -1"));
    EXPECT_THAT(message({.budget = -0.5}), HasSubstr("budget is -0.5"));
    EXPECT_THAT(message({.budget_reserve = std::numeric_limits<double>::infinity()}), HasSubstr("budget_reserve"));
    EXPECT_EQ(message({}), "accepted");
}

TEST(RetryAfter, ReadsSecondsAndTheThreeFormsOfADate) {
    for (const std::string_view date :
         {"Sun, 06 Nov 1994 08:49:39 GMT", "Sunday, 06-Nov-94 08:49:39 GMT", "Sun Nov  6 08:49:39 1994"}) {
        EXPECT_EQ(parse_retry_after(date, example), 2s) << date;
    }
    EXPECT_EQ(parse_retry_after("0", example), 0s);
    EXPECT_EQ(parse_retry_after(" 120\t", example), 120s);
    EXPECT_EQ(parse_retry_after("99999999999999999999", example), std::chrono::hours{24 * 365});
    EXPECT_EQ(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", example), std::chrono::hours{24 * 365});
    for (const std::string_view garbage :
         {"", " ", "-1", "+1", "1.5", "1s", "0x10", "Sun, 06 Nov 1994", "Sun, 99 Nov 1994 08:49:39 GMT",
          "Sun, 06 Nov 1994 08:49:39 GMT and more", "6. November 1994"}) {
        EXPECT_FALSE(parse_retry_after(garbage, example)) << garbage;
    }
}

}  // namespace
}  // namespace ktrdr
