// Answers that are read as they come: pieces in order, a reader that is slow, an end by either side.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "client_fixture.hpp"

namespace ktrdr::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Stream = std::shared_ptr<ResponseStream>;
using Pieces = std::vector<std::string>;

const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/// What may wait for a reader, and a read beyond it.
constexpr std::size_t most_gathered = 512UL * 1024 + 64UL * 1024;

std::size_t size_of(const Pieces& pieces) {
    return std::accumulate(pieces.begin(), pieces.end(), std::size_t{0},
                           [](std::size_t sum, const std::string& piece) { return sum + piece.size(); });
}

class Streams : public ClientFixture {
protected:
    /// A service that answers every request so, and a client of it.
    void answer(const std::string& bytes, Reply::Then then = Reply::Then::keep) {
        peer = serve([=](const std::string&) { return Reply{bytes, then}; });
        ClientOptions options;
        options.base_url = peer->url();
        options.retry.attempts = 1;
        client = HttpClient::create(io, options).value();
    }
    Stream open(const CancellationToken& token = {}) {
        Request request;
        request.url = "/stream";
        const Pending<Stream> pending(io, client->stream(std::move(request), token));
        run_until([&] { return pending.done(); });
        return pending.result().value();
    }
    Result<Pieces> next(const Stream& stream) {
        const Pending<Pieces> pending(io, stream->next());
        run_until([&] { return pending.done(); });
        return pending.result();
    }
    std::string rest_of(const Stream& stream) {
        std::string body;
        for (Result<Pieces> pieces = next(stream); pieces && !pieces->empty(); pieces = next(stream)) {
            body = std::accumulate(pieces->begin(), pieces->end(), std::move(body));
        }
        return body;
    }
    void TearDown() override {
        client->close();
        ClientFixture::TearDown();
        client.reset();
        settle();
    }

    std::shared_ptr<FaultServer> peer;
    std::shared_ptr<HttpClient> client;
};

TEST_F(Streams, GiveWhatHasComeAndThenUseTheConnectionAgain) {
    answer(chunked + "5\r\nfirst\r\n");
    const Stream stream = open();
    EXPECT_EQ(stream->status(), 200);
    EXPECT_THAT(next(stream).value(), ElementsAre("first"));
    peer->say(0, "7\r\n second\r\n6\r\n third\r\n0\r\n\r\n");
    EXPECT_EQ(rest_of(stream), " second third");
    EXPECT_THAT(next(stream).value(), IsEmpty()) << "the end stays the end";
    EXPECT_EQ(client->stats().idle, 1U);
}

TEST_F(Streams, GatherManySmallChunksIntoOnePiece) {
    answer(chunked + "5\r\nfirst\r\n");
    const Stream stream = open();
    ASSERT_TRUE(next(stream));
    std::string chunks;
    for (int i = 0; i < 200; ++i) {
        chunks += "a\r\n0123456789\r\n";
    }
    peer->say(0, chunks);
    settle();
    const Pieces pieces = next(stream).value();
    EXPECT_THAT(pieces, SizeIs(1));
    EXPECT_EQ(size_of(pieces), 2000U);
}

TEST_F(Streams, ASlowReaderHoldsUpTheServiceAndLosesNothing) {
    std::string body(8UL << 20U, 'x');
    std::iota(body.begin(), body.end(), '\0');
    answer(ok(body));
    const Stream stream = open();
    settle();
    const Pieces pieces = next(stream).value();
    EXPECT_LE(size_of(pieces), most_gathered);
    // Not EXPECT_EQ, which would compare what differs letter by letter.
    EXPECT_TRUE(std::accumulate(pieces.begin(), pieces.end(), std::string()) + rest_of(stream) == body);
    EXPECT_EQ(client->stats().idle, 1U);
}

TEST_F(Streams, TakeNoMemoryForALengthThatIsOnlyClaimed) {
    answer("HTTP/1.1 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\nfirst");
    const Stream stream = open();
    EXPECT_THAT(next(stream).value(), ElementsAre("first"));
}

TEST_F(Streams, WhatCameBeforeAFailureIsReadFirst) {
    answer(chunked + "5\r\nfirst\r\n", Reply::Then::close);
    const Stream stream = open();
    settle();
    EXPECT_THAT(next(stream).value(), ElementsAre("first"));
    const Result<Pieces> failed = next(stream);
    ASSERT_TRUE(failed.has_error());
    EXPECT_EQ(failed.error().code, Errc::protocol);
    EXPECT_THAT(failed.error().message, HasSubstr("ends inside its body"));
}

TEST_F(Streams, ATokenEndsAWaitAndClosesTheSocket) {
    answer(chunked + "5\r\nfirst\r\n");
    const CancellationToken token = make_token();
    const Stream stream = open(token);
    ASSERT_TRUE(next(stream));
    const Pending<Pieces> waiting(io, stream->next());
    settle();
    EXPECT_FALSE(waiting.done());
    token.cancel({CancelCode::user, "enough", "test"});
    run_until([&] { return waiting.done() && peer->closed == 1; });
    EXPECT_EQ(waiting.error().code, Errc::cancelled);
    EXPECT_EQ(client->stats().open, 0U);
}

TEST_F(Streams, ClosingOrLettingGoEndsThem) {
    answer(chunked + "5\r\nfirst\r\n");
    const Stream closed = open();
    ASSERT_TRUE(next(closed));
    const Pending<Pieces> waiting(io, closed->next());
    settle();
    closed->close();
    run_until([&] { return waiting.done() && peer->closed == 1; });
    EXPECT_EQ(waiting.error().code, Errc::client_closed);
    Stream dropped = open();
    dropped.reset();
    run_until([&] { return peer->closed == 2; });
    EXPECT_EQ(client->stats().open, 0U);
}

}  // namespace
}  // namespace ktrdr::test
