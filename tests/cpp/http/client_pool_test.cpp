// Connections of a client: kept, dropped, waited for, opened ahead, closed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client_case.hpp"

namespace ktrdr::test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using ClientPool = Client;

TEST_F(ClientPool, KeepsAndReusesItsConnection) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(body_of(get()), "x");
    }
    const PoolStats stats = client->stats();
    EXPECT_EQ(peer->accepted(), 1U);
    EXPECT_EQ(stats.connections_created, 1U);
    EXPECT_EQ(stats.requests, 5U);
    EXPECT_EQ(stats.idle, 1U);
    EXPECT_EQ(stats.open, 1U);
}

TEST_F(ClientPool, DoesNotReuseAConnectionTheServerWantsClosed) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x", "Connection: close\r\n")}; });
    make_client();
    EXPECT_EQ(body_of(get()), "x");
    EXPECT_EQ(client->stats().open, 0U);
    EXPECT_EQ(body_of(get()), "x");
    EXPECT_EQ(peer->accepted(), 2U);
}

TEST_F(ClientPool, NeverLetsBytesBehindAnAnswerReachTheNextRequest) {
    const auto peer = serve([](const std::string&) { return Reply{ok("right") + ok("stray")}; });
    make_client();
    EXPECT_EQ(body_of(get()), "right");
    EXPECT_EQ(body_of(get()), "right");
    EXPECT_EQ(peer->accepted(), 2U);
}

TEST_F(ClientPool, DropsAnIdleConnectionTheServerSpeaksOn) {
    const auto peer = serve([](const std::string&) { return Reply{ok("right")}; });
    make_client();
    EXPECT_EQ(body_of(get()), "right");
    peer->say(0, ok("stray"));
    run_until([&] { return client->stats().open == 0; });
    EXPECT_EQ(body_of(get()), "right");
    EXPECT_EQ(peer->accepted(), 2U);
}

TEST_F(ClientPool, DoesNotDialAgainAndAgainWhereTheReadyOnesEndAsSoonAsTheyAreThere) {
    for (const bool speaks : {true, false}) {
        const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
        make_client({.max_connections = 4, .min_idle = 2, .dial_backoff = 1h, .max_dial_backoff = 1h});
        EXPECT_EQ(body_of(get()), "x");
        run_until([&] { return client->stats().idle == 3; });
        for (std::size_t i = 1; i < 3; ++i) {
            speaks ? peer->say(i, "busy") : peer->hang_up(i);
        }
        run_until([&] { return client->stats().idle == (speaks ? 0U : 1U); });
        settle();
        EXPECT_EQ(peer->accepted(), 3U);
        EXPECT_EQ(client->stats().connecting, 0U);
        EXPECT_EQ(body_of(get()), "x") << "a request does not wait for that";
        EXPECT_LE(peer->accepted(), 4U);
        peer->close();
    }
}

TEST_F(ClientPool, DropsAnIdleConnectionTheServerCloses) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client();
    EXPECT_EQ(body_of(get()), "x");
    peer->hang_up(0);
    run_until([&] { return client->stats().idle == 0; });
    EXPECT_EQ(client->stats().open, 0U);
    EXPECT_EQ(body_of(get()), "x");
}

TEST_F(ClientPool, ClosesAnIdleConnectionWhenItsTimeIsOver) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client(PoolOptions{.idle_timeout = 20ms});
    EXPECT_EQ(body_of(get()), "x");
    EXPECT_EQ(client->stats().idle, 1U);
    run_until([&] { return peer->closed == 1; });
    EXPECT_EQ(client->stats().open, 0U);
}

TEST_F(ClientPool, RefusedSaysWhereAndWhy) {
    const DeadPort nobody(io);
    make_client(nobody.url());
    const Error error = failure_of(get("/bars?key=secret"));
    EXPECT_EQ(error.code, Errc::service_connection);
    EXPECT_THAT(error.message, AllOf(HasSubstr("GET " + nobody.url() + "/bars"), HasSubstr("refused")));
    EXPECT_THAT(error.message, testing::Not(HasSubstr("secret")));
    EXPECT_EQ(text(error, "url"), nobody.url() + "/bars");
    EXPECT_EQ(text(error, "method"), "GET");
    EXPECT_EQ(text(error, "phase"), "connect");
    EXPECT_EQ(text(error, "request_sent"), "no");
    EXPECT_GE(error.context.at("elapsed_ms").as_double(), 0.0);
}

TEST_F(ClientPool, EveryWaiterHearsThatNobodyListens) {
    const DeadPort nobody(io);
    make_client(nobody.url(), {.max_connections = 2});
    std::vector<Pending<Response>> calls;
    for (int i = 0; i < 8; ++i) {
        calls.push_back(get());
    }
    for (const auto& call : calls) {
        EXPECT_EQ(failure_of(call).code, Errc::service_connection);
    }
    EXPECT_EQ(client->stats().open, 0U);
}

TEST_F(ClientPool, AHostThatDoesNotExistIsNamed) {
    make_client("http://no-such-host.invalid:80");
    const Error error = failure_of(get());
    EXPECT_EQ(error.code, Errc::service_connection);
    EXPECT_EQ(text(error, "phase"), "resolve");
    EXPECT_THAT(error.message, HasSubstr("no-such-host.invalid"));
}

TEST_F(ClientPool, TenRequestsOverThreeConnectionsNeverOpenAFourth) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client(PoolOptions{.max_connections = 3});
    std::vector<Pending<Response>> calls;
    for (int i = 0; i < 10; ++i) {
        calls.push_back(get());
    }
    for (const auto& call : calls) {
        EXPECT_EQ(body_of(call), "x");
    }
    EXPECT_EQ(peer->accepted(), 3U);
    EXPECT_EQ(peer->most_open, 3U);
    EXPECT_EQ(client->stats().open, 3U);
}

TEST_F(ClientPool, ServesWaitersInTheOrderTheyCame) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client(PoolOptions{.max_connections = 1});
    std::vector<Pending<Response>> calls;
    for (int i = 0; i < 6; ++i) {
        calls.push_back(get("/" + std::to_string(i)));
    }
    run_until([&] { return calls.back().done(); });
    for (std::size_t i = 0; i < 6; ++i) {
        EXPECT_THAT(peer->requests.at(i), StartsWith("GET /" + std::to_string(i) + " "));
    }
}

TEST_F(ClientPool, CloseFailsThoseWaitingAndLetsTheOthersEnd) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client(PoolOptions{.max_connections = 1});
    const auto holder = get();
    run_until([&] { return peer->requests.size() == 1; });
    const auto waiter = get();
    run_until([&] { return client->stats().waiting == 1; });
    client->close();
    EXPECT_EQ(failure_of(waiter).code, Errc::client_closed);
    EXPECT_EQ(failure_of(get()).code, Errc::client_closed);
    peer->say(0, ok("last"));
    EXPECT_EQ(body_of(holder), "last");
    run_until([&] { return peer->closed == 1; });
    EXPECT_EQ(client->stats().open, 0U);
}

TEST_F(ClientPool, CloseWaitsForRequestsInFlightAsLongAsItIsAllowed) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client();
    const auto first = get();
    const auto second = get();
    run_until([&] { return peer->requests.size() == 2; });
    bool closed = false;
    asio::co_spawn(io, client->close(100ms), [&](const std::exception_ptr&) { closed = true; });
    settle();
    EXPECT_FALSE(closed);
    peer->say(0, ok("in time"));
    EXPECT_EQ(body_of(first), "in time");
    run_until([&] { return closed; });
    EXPECT_EQ(failure_of(second).code, Errc::client_closed);
    EXPECT_EQ(text(failure_of(second), "request_sent"), "whole");
    EXPECT_EQ(client->stats().open, 0U);
    EXPECT_EQ(failure_of(get()).code, Errc::client_closed);
}

TEST_F(ClientPool, WarmsUpSoThatTheFirstRequestsNeedNotDial) {
    const auto peer = serve([](const std::string&) { return Reply{ok("")}; });
    make_client({.max_connections = 3});
    const Pending<void> warm(io, client->warm_up(5));
    run_until([&] { return warm.done(); });
    EXPECT_TRUE(warm.result());
    EXPECT_EQ(client->stats().idle, 3U);
    EXPECT_EQ(body_of(get()), "");
    EXPECT_EQ(peer->accepted(), 3U);
}

TEST_F(ClientPool, AWarmUpOfNobodySaysHowFarItCame) {
    const DeadPort dead(io);
    make_client(dead.url());
    const Pending<void> warm(io, client->warm_up(2));
    run_until([&] { return warm.done(); });
    EXPECT_EQ(warm.error().code, Errc::service_connection);
    EXPECT_THAT(warm.error().message, HasSubstr("0 of 2 connections"));
}

TEST_F(ClientPool, AnUrgentRequestPassesAPoolThatIsFull) {
    const auto peer = serve([](const std::string& request) {
        return request.starts_with("GET /stop") ? Reply{ok("stopped")} : Reply{"", Reply::Then::hold};
    });
    make_client({.max_connections = 1});
    const auto busy = get("/long");
    const auto waiting = get("/next");
    run_until([&] { return peer->requests.size() == 1; });
    Request request;
    request.url = "/stop";
    request.urgent = true;
    EXPECT_EQ(body_of(send(std::move(request))), "stopped");
    EXPECT_FALSE(busy.done());
    EXPECT_FALSE(waiting.done());
    EXPECT_EQ(client->stats().open, 1U) << "the reserve is given back";
    peer->say(0, ok("done"));
    EXPECT_EQ(body_of(busy), "done");
}

TEST_F(ClientPool, AfterAFailedDialTheNextWaitsAWhile) {
    const DeadPort dead(io);
    make_client(dead.url(), {.dial_backoff = 50ms, .max_dial_backoff = 50ms});
    EXPECT_EQ(failure_of(get()).code, Errc::service_connection);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(failure_of(get()).code, Errc::service_connection);
    EXPECT_GE(std::chrono::steady_clock::now() - began, 39ms) << "50 ms less 20 %";
    EXPECT_EQ(client->stats().dials_failed, 2U);
}

}  // namespace
}  // namespace ktrdr::test
