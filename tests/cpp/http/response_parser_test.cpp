#include "../../../cpp/http/src/response_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace ktrdr {
namespace {

using testing::HasSubstr;
using Progress = ResponseParser::Progress;

constexpr ResponseParser::Limits limits{.head_bytes = 1024, .body_bytes = 1024};

/// As a connection does it, a piece at a time; how it ended, and after how many bytes.
Result<std::size_t> read(ResponseParser& parser, std::string_view bytes, std::size_t piece) {
    std::string buffer;
    for (std::size_t given = 0; given < bytes.size();) {
        const std::string_view next = bytes.substr(given, piece);
        buffer.append(next);
        given += next.size();
        std::size_t used = 0;
        const auto progress = parser.feed(boost::asio::buffer(buffer), used);
        buffer.erase(0, used);
        if (!progress) {
            return progress.error();
        }
        if (*progress == Progress::done) {
            return given;
        }
    }
    return fail(Errc::protocol, "it needs more");
}

TEST(ResponseParser, TakesAChunkedBodyHoweverItIsCut) {
    const std::string_view bytes =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n";
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        ResponseParser parser(limits, false);
        ASSERT_TRUE(read(parser, bytes, piece)) << piece;
        EXPECT_EQ(parser.take().body, "hello!");
    }
}

TEST(ResponseParser, TakesALastChunkThatIsTheFirstByteByByte) {
    ResponseParser parser(limits, false);
    const std::string_view bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    EXPECT_EQ(read(parser, bytes, 1).value(), bytes.size());
}

TEST(ResponseParser, GivesOutTheEndOfAPieceThoughItIsShort) {
    ResponseParser parser(limits, false);
    std::size_t used = 0;
    const std::string_view head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata\n";
    ASSERT_TRUE(parser.feed(boost::asio::buffer(head), used));
    EXPECT_EQ(parser.take_body(), "data\n");
    ASSERT_TRUE(parser.feed(boost::asio::buffer("\n", 1), used));
    EXPECT_EQ(parser.take_body(), "\n") << "an event's end does not wait for the next chunk";
}

TEST(ResponseParser, CountsWhatTheCallerKeeps) {
    ResponseParser parser(limits, false);
    std::size_t used = 0;
    EXPECT_EQ(parser.plain_left(), 0U) << "nothing is known yet";
    ASSERT_TRUE(parser.feed(boost::asio::buffer("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhe", 41), used));
    EXPECT_EQ(parser.plain_left(), 10U);
    EXPECT_EQ(parser.pass(boost::asio::buffer("llo, wor", 8)).value(), ResponseParser::Progress::need_more);
    EXPECT_EQ(parser.plain_left(), 2U);
    EXPECT_EQ(parser.feed(boost::asio::buffer("ld", 2), used).value(), ResponseParser::Progress::done);
    EXPECT_EQ(parser.plain_left(), 0U);
    EXPECT_EQ(parser.take_body(), "held");
}

TEST(ResponseParser, ABodyInChunksOrPackedIsNotPlain) {
    for (const std::string_view field :
         {"Transfer-Encoding: chunked", "Content-Length: 9\r\nContent-Encoding: gzip", "X: y"}) {
        ResponseParser parser({limits.head_bytes, limits.body_bytes, true}, false);
        std::size_t used = 0;
        const std::string head = "HTTP/1.1 200 OK\r\n" + std::string(field) + "\r\n\r\n";
        ASSERT_TRUE(parser.feed(boost::asio::buffer(head), used));
        EXPECT_TRUE(parser.has_head());
        EXPECT_EQ(parser.plain_left(), 0U) << field;
    }
}

/// What comes of an answer in whatever pieces it comes: its body, else what is wrong with it.
std::string body_of(std::string_view bytes) {
    std::string same;
    for (std::size_t piece = bytes.size(); piece >= 1; --piece) {
        ResponseParser parser(limits, false);
        const auto outcome = read(parser, bytes, piece);
        const std::string came = outcome ? parser.take().body : outcome.error().message;
        EXPECT_TRUE(same.empty() || came == same) << piece << ": " << came << " and " << same;
        same = came;
    }
    return same;
}

const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST(ResponseParser, TakesAStatusLineThatEndsBehindItsNumber) {
    EXPECT_EQ(body_of("HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"), "hello");
    EXPECT_EQ(body_of("HTTP/1.0 200\r\nContent-Length: 5\r\n\r\nhello"), "hello");
    EXPECT_EQ(body_of("HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"), "hello");
    ResponseParser parser(limits, false);
    ASSERT_TRUE(read(parser, "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", 100));
    EXPECT_EQ(parser.take().status, 404);
}

TEST(ResponseParser, RefusesAStatusLineThatIsNone) {
    for (const char* const line : {"HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 2x0", "HTTP/1.1  200", "HTTP/1.1200 OK",
                                   "HTTP/1.2 200 OK", "HTTP/3.0 200 OK"}) {
        ResponseParser parser(limits, false);
        const auto outcome = read(parser, std::string(line) + "\r\nContent-Length: 0\r\n\r\n", 100);
        EXPECT_THAT(outcome ? "taken" : outcome.error().message, HasSubstr("is not HTTP/1.1")) << line;
    }
}

TEST(ResponseParser, TakesBlanksAroundTheSizeOfAChunk) {
    for (const std::string_view rest :
         {"5 \r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5\t \r\nhello\r\n 0 \r\n\r\n",
          "2\r\nhe\r\n 3 \r\nllo\r\n0  \r\nX: y\r\n\r\n", " 002 \r\nhe\r\n3 \r\nllo\r\n 000\r\n\r\n",
          "2;a=b\r\nhe\r\n3 ;c\r\nllo\r\n0 \r\n\r\n", "0000000000000000000005    \r\nhello\r\n0\r\n\r\n"}) {
        EXPECT_EQ(body_of(chunked + std::string(rest)), "hello") << rest;
    }
    EXPECT_EQ(body_of(chunked + " 0 \r\n\r\n"), "");
}

TEST(ResponseParser, RefusesAChunkWhoseSizeCanBeReadInTwoWays) {
    for (const std::string_view rest :
         {" \r\nhello\r\n0\r\n\r\n", "5 5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n",
          "-5 \r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\v\r\nhello\r\n0\r\n\r\n",
          "5 x\r\nhello\r\n0\r\n\r\n", "5_0 \r\nhello\r\n0\r\n\r\n", "10000000000000005 \r\nhello\r\n0\r\n\r\n"}) {
        EXPECT_THAT(body_of(chunked + std::string(rest)), HasSubstr("is not HTTP/1.1")) << rest;
    }
}

TEST(ResponseParser, BlanksAroundSizesAreFramingAndNoMoreOfItThanIsAllowed) {
    std::string bytes = chunked;
    for (int i = 0; i < 30; ++i) {
        bytes += "1" + std::string(200, ' ') + "\r\nx\r\n";
    }
    ResponseParser parser(limits, false);
    EXPECT_EQ(read(parser, bytes + "0\r\n\r\n", 500).error().code, Errc::response_too_large);
}

TEST(ResponseParser, TakesALengthThatIsSaidMoreThanOnce) {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    for (const char* const fields : {"Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n",
                                     "Content-Length: 5,5\r\nX: y\r\ncontent-length: 05\r\n"}) {
        EXPECT_EQ(body_of(ok + fields + "\r\nhello"), "hello") << fields;
    }
    EXPECT_THAT(body_of(ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
                HasSubstr("more than one Content-Length, and they differ"));
    EXPECT_THAT(body_of(ok + "Content-Length: 5, 6\r\n\r\nhello!"), HasSubstr("and they differ"));
    for (const char* const length : {"5,", ",5", "5, x", "+5", "-5", "5 5", "0x5", "", "5;5"}) {
        EXPECT_THAT(body_of(ok + "Content-Length: " + length + "\r\n\r\nhello"), HasSubstr("is not HTTP/1.1"))
            << length;
    }
}

TEST(ResponseParser, RefusesAtOnceWhatBeginsLikeNoAnswer) {
    for (const std::string_view begin : {"!", "\r\n", " HTTP/1.1", "http/1.1", "HTTP/2", "HTTQ"}) {
        ResponseParser parser(limits, false);
        std::size_t used = 0;
        EXPECT_TRUE(parser.feed(boost::asio::buffer(begin), used).has_error()) << begin;
        EXPECT_FALSE(parser.has_status());
    }
    ResponseParser parser(limits, false);
    std::size_t used = 0;
    EXPECT_TRUE(parser.feed(boost::asio::buffer("HTTP/1.1 2", 10), used));
    EXPECT_FALSE(parser.has_status());
}

TEST(ResponseParser, RefusesAStatusThatIsNone) {
    ResponseParser parser(limits, false);
    const auto outcome = read(parser, "HTTP/1.1 002 Odd\r\nContent-Length: 0\r\n\r\n", 100);
    EXPECT_EQ(outcome.error().code, Errc::protocol);
    EXPECT_THAT(outcome.error().message, HasSubstr("has the status 002"));
}

}  // namespace
}  // namespace ktrdr
