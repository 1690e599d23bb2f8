// Requests that end early: by a timeout, a full queue, a cancel.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client_case.hpp"

namespace ktrdr::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;
using ClientLimits = Client;

TEST_F(ClientLimits, GivesUpOnAnAnswerThatNeverBegins) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client({}, {.first_byte = 30ms});
    const Error error = failure_of(get());
    EXPECT_EQ(error.code, Errc::service_timeout);
    EXPECT_EQ(text(error, "phase"), "first_byte");
    EXPECT_THAT(error.message, HasSubstr("within 30 ms"));
    run_until([&] { return peer->closed == 1; });
}

TEST_F(ClientLimits, GivesUpOnAnAnswerThatStops) {
    const auto peer = serve([](const std::string&) { return Reply{"HTTP/1.1 200 OK\r\nConte", Reply::Then::hold}; });
    make_client({}, {.between_bytes = 30ms});
    const Error error = failure_of(get());
    EXPECT_EQ(error.code, Errc::service_timeout);
    EXPECT_EQ(text(error, "phase"), "between_bytes");
}

TEST_F(ClientLimits, GivesUpOnAServerThatDoesNotRead) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    peer->stop_reading();
    make_client({}, {.write = 30ms});
    const Error error = failure_of(post(std::string(64UL << 20U, 'x')));
    EXPECT_EQ(error.code, Errc::service_timeout);
    EXPECT_EQ(text(error, "phase"), "write");
    EXPECT_EQ(text(error, "request_sent"), "partly");
}

TEST_F(ClientLimits, GivesUpWhenTheWholeCallTakesTooLong) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client({}, {.total = 30ms});
    const Error error = failure_of(get());
    EXPECT_EQ(error.code, Errc::service_timeout);
    EXPECT_THAT(error.message, HasSubstr("30 ms in all"));
    run_until([&] { return peer->closed == 1; });
    EXPECT_EQ(client->stats().open, 0U);
}

TEST_F(ClientLimits, ARequestMayBringAShorterLimitOfItsOwn) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client();
    Request request;
    request.timeout = 30ms;
    EXPECT_THAT(failure_of(send(std::move(request))).message, HasSubstr("30 ms in all"));
}

TEST_F(ClientLimits, GivesUpWaitingForAConnection) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client(PoolOptions{.max_connections = 1}, {.pool = 30ms});
    const auto holder = get();
    run_until([&] { return peer->requests.size() == 1; });
    const Error error = failure_of(get());
    EXPECT_EQ(error.code, Errc::pool_timeout);
    EXPECT_EQ(text(error, "phase"), "pool");
    EXPECT_EQ(text(error, "request_sent"), "no");
    EXPECT_FALSE(holder.done());
    peer->say(0, ok("late"));
    EXPECT_EQ(body_of(holder), "late");
}

TEST_F(ClientLimits, RefusesAtOnceWhenTooManyWait) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client(PoolOptions{.max_connections = 1, .max_waiters = 1});
    const auto holder = get();
    run_until([&] { return peer->requests.size() == 1; });
    const auto waiter = get();
    EXPECT_EQ(failure_of(get()).code, Errc::pool_saturated);
    EXPECT_FALSE(waiter.done());
}

TEST_F(ClientLimits, CancelledBeforeItBeginsSendsNothing) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client();
    const auto token = make_token();
    token.cancel({});
    EXPECT_EQ(failure_of(get("/", token)).code, Errc::cancelled);
    EXPECT_EQ(peer->accepted(), 0U);
}

TEST_F(ClientLimits, CancelWhileWaitingLeavesTheQueueAtOnce) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client(PoolOptions{.max_connections = 1});
    const auto holder = get("/1");
    run_until([&] { return peer->requests.size() == 1; });
    const auto token = make_token();
    const auto waiter = get("/2", token);
    const auto last = get("/3");
    run_until([&] { return client->stats().waiting == 2; });
    token.cancel({.text = "enough"});
    const Error error = failure_of(waiter);
    EXPECT_EQ(error.code, Errc::cancelled);
    EXPECT_THAT(error.message, HasSubstr("enough"));
    EXPECT_EQ(client->stats().waiting, 1U);
    peer->say(0, ok("1"));
    EXPECT_EQ(body_of(holder), "1");
    run_until([&] { return peer->requests.size() == 2; });
    EXPECT_THAT(peer->requests.at(1), StartsWith("GET /3 "));
    peer->say(0, ok("3"));
    EXPECT_EQ(body_of(last), "3");
}

TEST_F(ClientLimits, CancelWhileDialingLeavesTheDialToThePool) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client();
    const auto token = make_token();
    const auto pending = get("/", token);
    run_until([&] { return client->stats().connecting == 1; });
    token.cancel({});
    EXPECT_EQ(failure_of(pending).code, Errc::cancelled);
    run_until([&] { return client->stats().idle == 1; });
    EXPECT_EQ(body_of(get()), "x");
    EXPECT_EQ(peer->accepted(), 1U);
}

TEST_F(ClientLimits, CancelWhileWritingClosesTheSocket) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    peer->stop_reading();
    make_client(PoolOptions{.max_connections = 1});
    const auto token = make_token();
    const auto pending = post(std::string(64UL << 20U, 'x'), token);
    run_until([&] { return peer->accepted() == 1 && client->stats().active == 1; });
    settle();
    token.cancel({});
    const Error error = failure_of(pending);
    EXPECT_EQ(error.code, Errc::cancelled);
    EXPECT_EQ(text(error, "phase"), "write");
    EXPECT_EQ(text(error, "request_sent"), "partly");
    peer->read_on();
    run_until([&] { return peer->closed == 1; });
    EXPECT_EQ(body_of(get()), "x");
}

TEST_F(ClientLimits, CancelWhileReadingClosesTheSocketAndThePoolServesOn) {
    bool hold = true;
    const auto peer = serve([&hold](const std::string&) {
        return std::exchange(hold, false) ? Reply{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Reply::Then::hold}
                                          : Reply{ok("next")};
    });
    make_client(PoolOptions{.max_connections = 1});
    const auto token = make_token();
    const auto pending = get("/", token);
    run_until([&] { return peer->requests.size() == 1; });
    const auto next = get();
    token.cancel({});
    EXPECT_EQ(failure_of(pending).code, Errc::cancelled);
    EXPECT_EQ(body_of(next), "next");
    run_until([&] { return peer->closed == 1; });
    EXPECT_EQ(peer->accepted(), 2U);
}

TEST_F(ClientLimits, ATokenWithADeadlineEndsTheCallAsTimedOut) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client();
    const auto token = make_token().child(1s);
    const auto pending = get("/", token);
    run_until([&] { return peer->requests.size() == 1; });
    clock.advance(1s);
    timers.fire();
    EXPECT_EQ(failure_of(pending).code, Errc::timed_out);
    run_until([&] { return peer->closed == 1; });
}

TEST_F(ClientLimits, CancelAfterTheEndChangesNothing) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client();
    const auto token = make_token();
    EXPECT_EQ(body_of(get("/", token)), "x");
    token.cancel({});
    settle();
    EXPECT_EQ(client->stats().idle, 1U);
}

}  // namespace
}  // namespace ktrdr::test
