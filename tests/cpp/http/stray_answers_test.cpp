// A service that says what it was not asked for: none of it is taken for the answer to another request.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client_case.hpp"

namespace ktrdr::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::SizeIs;

/// What one read brings at most; what is behind it stays in the kernel.
constexpr std::size_t one_read = 4096;

class Strays : public Client {
protected:
    /// Answers as told, by the number of the request from 0; "right" from then on.
    void answers(std::vector<std::string> replies) {
        peer = serve([replies = std::move(replies), number = std::size_t{0}](const std::string&) mutable {
            const std::size_t at = number++;
            return Reply{at < replies.size() ? replies[at] : ok("right")};
        });
    }
    std::size_t closed_for(const std::string& reason) {
        const auto reasons = client->metrics().connections_closed;
        const auto found = reasons.find(reason);
        return found == reasons.end() ? 0 : found->second;
    }

    std::shared_ptr<FaultServer> peer;
};

TEST_F(Strays, ABusyConnectionIsLookedAtBeforeTheNextWaiterGetsIt) {
    const std::string head = ok("");
    const std::string first = ok(std::string(one_read - head.size() - 3, 'x'));
    ASSERT_THAT(first, SizeIs(one_read));
    answers({first + ok("stray")});
    make_client(PoolOptions{.max_connections = 1});
    const auto holder = get();
    std::vector<Pending<Response>> waiters;
    for (int i = 0; i < 5; ++i) {
        waiters.push_back(get());
    }
    EXPECT_THAT(body_of(holder), SizeIs(one_read - head.size() - 3));
    for (const auto& waiter : waiters) {
        EXPECT_EQ(body_of(waiter), "right");
    }
    EXPECT_EQ(closed_for("unasked_bytes"), 1U);
    EXPECT_LE(peer->most_open, 1U);
}

TEST_F(Strays, AnIdleConnectionIsLookedAtThoughNobodyHasHeardOfAnything) {
    for (const std::string& stray : {ok("stray"), std::string("!"), std::string("\r\n")}) {
        answers({});
        make_client();
        EXPECT_EQ(body_of(get()), "right");
        const auto next = get();
        peer->say(0, stray);
        EXPECT_EQ(body_of(next), "right");
        EXPECT_EQ(peer->accepted(), 2U);
        EXPECT_EQ(closed_for("unasked_bytes"), 1U);
    }
}

TEST_F(Strays, AnIdleConnectionThatWasClosedCostsNobodyAnAttempt) {
    answers({});
    make_client();
    EXPECT_EQ(body_of(post("1")), "right");
    const auto next = post("2");
    peer->hang_up(0);
    EXPECT_EQ(body_of(next), "right") << "nothing was sent on the one that was closed";
    EXPECT_EQ(closed_for("peer_closed"), 1U);
}

TEST_F(Strays, AfterOneNoConnectionOfThePoolIsUsedTwice) {
    answers({});
    make_client(PoolOptions{.max_connections = 3});
    std::vector<Pending<Response>> calls{get(), get(), get()};
    for (const auto& call : calls) {
        EXPECT_EQ(body_of(call), "right");
    }
    EXPECT_EQ(client->stats().idle, 3U);
    peer->say(1, ok("stray"));
    run_until([&] { return client->stats().open == 0; });
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(body_of(get()), "right");
    }
    EXPECT_EQ(peer->accepted(), 7U);
    EXPECT_EQ(closed_for("dropped"), 2U);
}

TEST_F(Strays, AGoodbyeOnAnIdleConnectionIsNoReasonForDistrust) {
    answers({});
    make_client();
    EXPECT_EQ(body_of(get()), "right");
    peer->say(0, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    run_until([&] { return client->stats().open == 0; });
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(body_of(get()), "right");
    }
    EXPECT_EQ(peer->accepted(), 2U);
    EXPECT_EQ(closed_for("unasked_bytes"), 0U);
}

TEST_F(Strays, WhatBeginsLikeNoAnswerIsAskedForAgainElsewhere) {
    for (const char* const begin :
         {"!", "\r\nHTTP/1.1 200 OK\r\n\r\n", "stray", "HTTP/2 200\r\n\r\n", "http/1.1 200 OK\r\n\r\n"}) {
        answers({ok("first"), begin});
        make_client();
        EXPECT_EQ(body_of(get()), "first");
        EXPECT_EQ(body_of(get()), "right") << begin;
        EXPECT_THAT(peer->requests, SizeIs(3));
        EXPECT_EQ(peer->accepted(), 2U);
    }
}

TEST_F(Strays, WhatBeginsLikeNoAnswerToAPostIsAnError) {
    answers({ok("first"), "stray"});
    make_client();
    EXPECT_EQ(body_of(post("1")), "first");
    const Error error = failure_of(post("2"));
    EXPECT_EQ(error.code, Errc::protocol);
    EXPECT_THAT(error.message, HasSubstr("is not HTTP/1.1"));
    EXPECT_EQ(text(error, "request_sent"), "whole");
    EXPECT_THAT(peer->requests, SizeIs(2));
}

TEST_F(Strays, OnANewConnectionItIsAnErrorForNobodyElseCouldBeMeant) {
    answers({"SSH-2.0-OpenSSH_9.2\r\n"});
    make_client();
    EXPECT_EQ(failure_of(get()).code, Errc::protocol);
    EXPECT_THAT(peer->requests, SizeIs(1));
}

TEST_F(Strays, OfTwoAnswersOnAKeptConnectionNoneIsBelieved) {
    answers({ok("first"), ok("stray") + ok("right")});
    make_client();
    EXPECT_EQ(body_of(get()), "first");
    EXPECT_EQ(body_of(get()), "right");
    EXPECT_THAT(peer->requests, SizeIs(3));
    answers({ok("first"), ok("stray") + ok("right")});
    make_client();
    EXPECT_EQ(body_of(post("1")), "first");
    const Error error = failure_of(post("2"));
    EXPECT_EQ(error.code, Errc::protocol);
    EXPECT_THAT(error.message, AllOf(HasSubstr("has another behind it"), HasSubstr("cannot be told")));
}

TEST_F(Strays, WhatCannotBeAnAnswerBehindOneIsNoReasonToDoubtIt) {
    answers({ok("first"), ok("right") + "\r\n"});
    make_client();
    EXPECT_EQ(body_of(post("1")), "first");
    EXPECT_EQ(body_of(post("2")), "right");
    EXPECT_THAT(peer->requests, SizeIs(2));
}

TEST_F(Strays, OfTwoAnswersOnANewConnectionTheFirstIsMeant) {
    answers({ok("right") + ok("stray"), ok("right") + ok("stray")});
    make_client();
    EXPECT_EQ(body_of(post("1")), "right");
    EXPECT_EQ(body_of(post("2")), "right");
    EXPECT_EQ(peer->accepted(), 2U);
}

}  // namespace
}  // namespace ktrdr::test
