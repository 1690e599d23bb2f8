// Answers that are read as they come: pieces in order, a reader that is slow, an end by either side.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

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
constexpr std::size_t most_gathered = 1024UL * 1024 + 64UL * 1024;

std::size_t size_of(const Pieces& pieces) {
    return std::accumulate(pieces.begin(), pieces.end(), std::size_t{0},
                           [](std::size_t sum, const std::string& piece) { return sum + piece.size(); });
}

/// No two parts of it are alike.
std::string some_bytes(std::size_t size) {
    std::mt19937 random(3);
    std::string bytes(size, '\0');
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<char>(random()); });
    return bytes;
}

TEST(PieceStore, GivesTheMemoryOfPiecesThatWereReadAgain) {
    const auto store = std::make_shared<PieceStore>();
    std::string piece = store->take();
    EXPECT_GE(piece.capacity(), PieceStore::piece_bytes);
    piece = std::string(PieceStore::piece_bytes, 'x');
    const char* const at = piece.data();
    std::vector<std::string> pieces;
    pieces.push_back(std::move(piece));
    {
        const BodyPieces taken(std::move(pieces), store);
        EXPECT_NE(store->take().data(), at) << "somebody reads it";
    }
    EXPECT_EQ(store->take().data(), at);
}

TEST(BodyPieces, CanBeMovedWhenSomeWereTaken) {
    BodyPieces pieces({"first", "second", "third"}, std::make_shared<PieceStore>());
    EXPECT_EQ(pieces.front(), "first");
    pieces.pop();
    BodyPieces rest = std::move(pieces);
    EXPECT_EQ(rest.size(), 2U);
    EXPECT_EQ(rest.front(), "second");
}

TEST(PieceStore, KeepsNeitherSmallOnesNorLargeOnesNorTooMany) {
    PieceStore store;
    store.give_back("small");
    store.give_back(std::string(1UL << 20U, 'x'));
    EXPECT_EQ(store.take(), "");
    for (int i = 0; i < 100; ++i) {
        store.give_back(std::string(PieceStore::piece_bytes, 'x'));
    }
    int kept = 0;
    while (!store.take().empty()) {
        ++kept;
    }
    EXPECT_EQ(kept, 32);
}

class Streams : public ClientFixture {
protected:
    /// A service that answers every request so, and a client of it.
    void answer(const std::string& bytes, Reply::Then then = Reply::Then::keep) {
        answer([=](const std::string&) { return Reply{bytes, then}; });
    }
    void answer(FaultServer::Handler handler, int attempts = 1) {
        peer = serve(std::move(handler));
        ClientOptions options;
        options.base_url = peer->url();
        options.pool.max_streams = 1;
        options.retry = {.attempts = attempts, .first_pause = std::chrono::milliseconds{1}};
        client = HttpClient::create(io, options).value();
    }
    Pending<Stream> ask(const CancellationToken& token = {}) {
        Request request;
        request.url = "/stream";
        return {io, client->stream(std::move(request), token)};
    }
    Stream open(const CancellationToken& token = {}) {
        const Pending<Stream> pending = ask(token);
        run_until([&] { return pending.done(); });
        return pending.result().value();
    }
    Result<Pieces> next(const Stream& stream) {
        Pending<BodyPieces> pending(io, stream->next());
        run_until([&] { return pending.done(); });
        Result<BodyPieces> taken = pending.take();
        if (!taken) {
            return taken.error();
        }
        Pieces pieces;
        for (; !taken->empty(); taken->pop()) {
            pieces.emplace_back(taken->front());
        }
        return pieces;
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
    const std::string body = some_bytes(8UL << 20U);
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

TEST_F(Streams, ALargeBodyIsTheSameInWhateverPartsItComes) {
    const std::string body = some_bytes(3UL << 20U);
    const std::string bytes = ok(body);
    std::mt19937 random(5);
    for (int round = 0; round < 20; ++round) {
        answer("");
        const Pending<Stream> opening = ask();
        run_until([&] { return !peer->requests.empty(); });
        std::string read;
        for (std::size_t sent = 0; sent < bytes.size();) {
            const std::size_t sizes[]{1, 300, 5000, 33'000, 70'000, 400'000};
            const std::size_t size = std::min(sizes[random() % std::size(sizes)], bytes.size() - sent);
            peer->say(0, bytes.substr(sent, size));
            sent += size;
            settle();
            const bool more = sent > bytes.size() - body.size() + read.size();
            if (more && random() % 3 == 0) {
                run_until([&] { return opening.done(); });
                const Pieces pieces = next(opening.result().value()).value();
                read = std::accumulate(pieces.begin(), pieces.end(), std::move(read));
            }
        }
        run_until([&] { return opening.done(); });
        EXPECT_TRUE(read + rest_of(opening.result().value()) == body) << "round " << round;
        run_until([&] { return client->stats().idle == 1; });
    }
}

TEST_F(Streams, NeverLetBytesBehindALargeBodyReachTheNext) {
    const std::string body = some_bytes(60'000);
    bool first = true;
    answer([&](const std::string&) {
        return std::exchange(first, false) ? Reply{"", Reply::Then::hold} : Reply{ok("right")};
    });
    const Pending<Stream> opening = ask();
    const Pending<Stream> waiting = ask();
    run_until([&] { return peer->requests.size() == 1 && client->stats().waiting == 1; });
    peer->say(0, ok(body) + ok("stray"));
    run_until([&] { return opening.done() && waiting.done(); });
    EXPECT_TRUE(rest_of(opening.result().value()) == body);
    EXPECT_EQ(rest_of(waiting.result().value()), "right");
}

TEST_F(Streams, WhatCameOfALargeBodyBeforeItBrokeOffIsReadFirst) {
    const std::string body = some_bytes(200'000);
    const std::string bytes = ok(body);
    for (const bool reset : {false, true}) {
        answer("", Reply::Then::hold);
        const Pending<Stream> opening = ask();
        run_until([&] { return peer->requests.size() == 1; });
        peer->say(0, bytes.substr(0, bytes.size() - 80'000));
        peer->hang_up(0, reset);
        run_until([&] { return opening.done(); });
        const Stream stream = opening.result().value();
        EXPECT_TRUE(rest_of(stream) == body.substr(0, body.size() - 80'000));
        const Error error = next(stream).error();
        EXPECT_EQ(error.code, reset ? Errc::service_connection : Errc::protocol);
        EXPECT_THAT(error.message,
                    HasSubstr(reset ? "the connection broke" : "ends inside its body, after 120000 bytes"));
    }
}

TEST_F(Streams, AReaderOfTheSecondAttemptSeesNothingOfTheFirst) {
    const std::string failed = "HTTP/1.1 502 No\r\nContent-Length: 400000\r\n\r\n" + std::string(400'000, 'a');
    const std::string good(400'000, 'b');
    bool first = true;
    answer([&](const std::string&) { return Reply{std::exchange(first, false) ? failed : ok(good)}; }, 2);
    EXPECT_TRUE(rest_of(open()) == good);
}

TEST_F(Streams, ATokenEndsAWaitAndClosesTheSocket) {
    answer(chunked + "5\r\nfirst\r\n");
    const CancellationToken token = make_token();
    const Stream stream = open(token);
    ASSERT_TRUE(next(stream));
    const Pending<BodyPieces> waiting(io, stream->next());
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
    const Pending<BodyPieces> waiting(io, closed->next());
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
