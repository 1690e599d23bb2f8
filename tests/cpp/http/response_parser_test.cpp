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

TEST(ResponseParser, RefusesAStatusThatIsNone) {
    ResponseParser parser(limits, false);
    const auto outcome = read(parser, "HTTP/1.1 002 Odd\r\nContent-Length: 0\r\n\r\n", 100);
    EXPECT_EQ(outcome.error().code, Errc::protocol);
    EXPECT_THAT(outcome.error().message, HasSubstr("has the status 002"));
}

}  // namespace
}  // namespace ktrdr
