// Requests that are sent again, and those that are not.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client_case.hpp"

namespace ktrdr::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using ClientRetry = Client;

TEST_F(ClientRetry, SendsAnIdempotentRequestAgainWhenItsKeptConnectionDies) {
    bool die = false;
    const auto peer = serve([&die](const std::string&) {
        return std::exchange(die, false) ? Reply{"", Reply::Then::close} : Reply{ok("x")};
    });
    make_client();
    EXPECT_EQ(body_of(get()), "x");
    die = true;
    EXPECT_EQ(body_of(get()), "x");
    EXPECT_EQ(peer->requests.size(), 3U);
    EXPECT_EQ(peer->accepted(), 2U);
}

TEST_F(ClientRetry, DoesNotSendAnythingElseTwice) {
    bool die = false;
    const auto peer = serve([&die](const std::string&) {
        return std::exchange(die, false) ? Reply{"", Reply::Then::close} : Reply{ok("x")};
    });
    make_client();
    EXPECT_EQ(body_of(post("1")), "x");
    die = true;
    const Error error = failure_of(post("2"));
    EXPECT_EQ(error.code, Errc::service_connection);
    EXPECT_EQ(text(error, "request_sent"), "whole");
    EXPECT_EQ(peer->requests.size(), 2U);
}

/// Remembers what it heard.
class Heard final : public RequestObserver {
public:
    void on_attempt_failed(const Attempt& attempt) override { attempts.push_back(attempt); }
    std::vector<Attempt> attempts{};
};

TEST_F(ClientRetry, AsksAgainWhenTheServiceSaysNotNow) {
    int count = 0;
    const auto peer = serve([&](const std::string&) {
        return Reply{++count < 3 ? "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" : ok("at last")};
    });
    retry = {.attempts = 3, .first_pause = 1ms, .busy_pause = 1ms};
    make_client();
    const auto heard = std::make_shared<Heard>();
    Request request;
    request.observer = heard;
    const auto pending = finished(send(std::move(request)));
    EXPECT_EQ(pending.result()->body, "at last");
    ASSERT_EQ(pending.result()->attempts.size(), 2U);
    EXPECT_EQ(pending.result()->attempts[1].status, 503);
    EXPECT_EQ(heard->attempts.size(), 2U);
    EXPECT_EQ(peer->accepted(), 1U) << "one connection served all attempts";
    EXPECT_EQ(client->stats().requests, 1U);
}

TEST_F(ClientRetry, TheLastAnswerStandsWhenThereIsNoOtherAttempt) {
    const auto peer = serve([](const std::string&) { return Reply{"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"}; });
    retry = {.attempts = 2, .first_pause = 1ms};
    make_client();
    const auto pending = finished(get());
    EXPECT_EQ(pending.result()->status, 502);
    EXPECT_EQ(pending.result()->attempts.size(), 2U);
    EXPECT_EQ(peer->requests.size(), 2U);
}

TEST_F(ClientRetry, APostIsSentOnceUnlessItsKeyMakesTwiceAsGoodAsOnce) {
    const auto peer = serve([](const std::string&) { return Reply{"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"}; });
    retry = {.attempts = 3, .first_pause = 1ms, .busy_pause = 1ms};
    make_client();
    EXPECT_EQ(finished(post("start")).result()->status, 503);
    EXPECT_EQ(peer->requests.size(), 1U);
    Request request;
    request.method = "POST";
    request.idempotency_key = "op_1";
    EXPECT_EQ(finished(send(std::move(request))).result()->status, 503);
    EXPECT_EQ(peer->requests.size(), 4U);
    for (std::size_t i = 1; i < 4; ++i) {
        EXPECT_THAT(peer->requests[i], HasSubstr("\r\nIdempotency-Key: op_1\r\n"));
    }
}

TEST_F(ClientRetry, AnErrorTellsOfEveryAttempt) {
    const DeadPort dead(io);
    retry = {.attempts = 3, .first_pause = 1ms};
    make_client(dead.url(), {.dial_backoff = 1ms, .max_dial_backoff = 1ms});
    const Error error = failure_of(post("start"));
    EXPECT_EQ(error.code, Errc::service_connection) << "nothing was sent, so it was tried again";
    ASSERT_EQ(error.context.at("attempts").as_array().size(), 3U);
    EXPECT_EQ(error.context.at("attempts").at(2).at("stopped_by"), "attempts");
    EXPECT_EQ(error.context.at("attempts").at(0).at("phase"), "connect");
    EXPECT_TRUE(error.context.at("retryable").as_bool());
}

TEST_F(ClientRetry, ACancelEndsThePauseBeforeARetry) {
    const auto peer = serve(
        [](const std::string&) { return Reply{"HTTP/1.1 503 Busy\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"}; });
    retry = {.attempts = 2};
    make_client();
    const auto token = make_token();
    const auto heard = std::make_shared<Heard>();
    Request request;
    request.observer = heard;
    const auto pending = send(std::move(request), token);
    run_until([&] { return heard->attempts.size() == 1; });
    EXPECT_EQ(heard->attempts[0].pause, 50s);
    EXPECT_EQ(client->stats().active, 0U) << "the pause holds no connection";
    token.cancel({CancelCode::user, "enough", "test"});
    const Error error = failure_of(pending);
    EXPECT_EQ(error.code, Errc::cancelled);
    EXPECT_EQ(text(error, "phase"), "retry");
    EXPECT_EQ(text(error, "request_sent"), "whole");
    EXPECT_EQ(error.context.at("attempts").as_array().size(), 1U);
    EXPECT_EQ(peer->requests.size(), 1U);
}

TEST_F(ClientRetry, ThePauseBeforeARetryDoesNotPassTheDeadline) {
    const auto peer = serve(
        [](const std::string&) { return Reply{"HTTP/1.1 429 Busy\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n"}; });
    retry = {.attempts = 3};
    make_client({}, {.total = 5s});
    const auto pending = finished(get());
    EXPECT_EQ(pending.result()->status, 429) << "at once, not after 5 s";
    EXPECT_EQ(pending.result()->attempts.at(0).stopped_by, "deadline");
}

}  // namespace
}  // namespace ktrdr::test
