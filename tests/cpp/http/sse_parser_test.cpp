#include "../../../cpp/http/src/sse_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr SseParser::Limits small{.line_bytes = 40, .event_bytes = 60};

std::vector<ServerEvent> read(std::string_view bytes, SseParser parser = SseParser(small)) {
    std::vector<ServerEvent> events;
    EXPECT_TRUE(parser.feed(bytes, events));
    return events;
}

TEST(SseParser, ReadsFieldsUpToABlankLine) {
    EXPECT_THAT(read("event: progress\ndata: {\"a\": 1}\nid: 7\n\n"),
                ElementsAre(ServerEvent{"progress", "{\"a\": 1}", "7"}));
}

TEST(SseParser, JoinsLinesOfDataAndTakesOneBlankAfterTheColon) {
    EXPECT_THAT(read("data:one\ndata:  two\ndata\n\n"), ElementsAre(ServerEvent{"message", "one\n two\n", ""}));
}

TEST(SseParser, TakesLinesThatEndWithCrOrLfOrBoth) {
    const std::vector<ServerEvent> same{{"message", "a", ""}, {"message", "b", ""}};
    EXPECT_EQ(read("data: a\n\ndata: b\n\n"), same);
    EXPECT_EQ(read("data: a\r\rdata: b\r\r"), same);
    EXPECT_EQ(read("data: a\r\n\r\ndata: b\r\n\r\n"), same);
}

TEST(SseParser, ReadsTheSameHoweverTheBytesAreCut) {
    const std::string text =
        "\xef\xbb\xbf: a comment\r\nid: 1\r\nevent: x\r\ndata: one\r\ndata: two\r\n\r\nretry: 50\r\n\r\ndata: "
        "three\r\r\n";
    const std::vector<ServerEvent> whole = read(text);
    ASSERT_THAT(whole, ElementsAre(ServerEvent{"x", "one\ntwo", "1"}, ServerEvent{"message", "three", "1"}));
    for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
            SseParser parser(small);
            std::vector<ServerEvent> events;
            ASSERT_TRUE(parser.feed(text.substr(0, first), events));
            ASSERT_TRUE(parser.feed(text.substr(first, second - first), events));
            ASSERT_TRUE(parser.feed(text.substr(second), events));
            ASSERT_EQ(events, whole) << first << ' ' << second;
            ASSERT_EQ(parser.retry(), 50ms);
        }
    }
}

TEST(SseParser, KeepsTheIdUntilAnotherComes) {
    SseParser parser(small, "before");
    std::vector<ServerEvent> events;
    ASSERT_TRUE(parser.feed("data: a\n\nid: 2\ndata: b\n\ndata: c\n\nid\ndata: d\n\n", events));
    EXPECT_THAT(events, ElementsAre(ServerEvent{"message", "a", "before"}, ServerEvent{"message", "b", "2"},
                                    ServerEvent{"message", "c", "2"}, ServerEvent{"message", "d", ""}));
    ASSERT_TRUE(parser.feed(std::string_view("id: x\0y\ndata: e\n\n", 17), events));
    EXPECT_EQ(events.back().id, "") << "an id with NUL is none";
}

TEST(SseParser, AnEventThatWasCutOffIsForgottenAndItsIdToo) {
    SseParser parser(small);
    std::vector<ServerEvent> events;
    ASSERT_TRUE(parser.feed("id: 1\ndata: a\n\nid: 2\ndata: lost", events));
    parser.restart();
    EXPECT_EQ(parser.last_event_id(), "1");
    ASSERT_TRUE(parser.feed("data: b\n\n", events));
    EXPECT_THAT(events, ElementsAre(ServerEvent{"message", "a", "1"}, ServerEvent{"message", "b", "1"}));
}

TEST(SseParser, WhatIsNoEventSaysNothing) {
    EXPECT_THAT(read(": ping\n\n\n\nevent: x\n\nunknown: y\n\nid: 3\n\n"), IsEmpty());
    EXPECT_THAT(read("data:\n\n"), ElementsAre(ServerEvent{"message", "", ""}));
}

TEST(SseParser, TakesARetryThatIsANumberAndNotForEver) {
    const auto retry = [](std::string_view bytes) {
        SseParser parser(small);
        std::vector<ServerEvent> events;
        EXPECT_TRUE(parser.feed(bytes, events));
        return parser.retry();
    };
    EXPECT_EQ(retry("retry: 0\n"), 0ms);
    EXPECT_EQ(retry("retry: 250\n"), 250ms);
    EXPECT_EQ(retry("retry: 99999999999\n"), 5min);
    for (const char* const wrong : {"retry: -1\n", "retry: 1s\n", "retry:\n", "retry: 99999999999999999999\n"}) {
        EXPECT_EQ(retry(wrong), std::nullopt) << wrong;
    }
}

TEST(SseParser, TakesAnEventAsLongAsTheLimitInOneLine) {
    constexpr SseParser::Limits even{.line_bytes = 66, .event_bytes = 60};
    SseParser parser(even);
    std::vector<ServerEvent> events;
    ASSERT_TRUE(parser.feed("data: " + std::string(60, 'x') + "\n\n", events));
    EXPECT_EQ(events.at(0).data.size(), 60U);
    EXPECT_TRUE(parser.feed("data:" + std::string(61, 'x') + "\n\n", events).has_error());
}

TEST(SseParser, HasLimits) {
    std::vector<ServerEvent> events;
    SseParser lines(small);
    const auto line = lines.feed("data: " + std::string(40, 'x'), events);
    ASSERT_TRUE(line.has_error());
    EXPECT_EQ(line.error().code, Errc::response_too_large);
    EXPECT_THAT(line.error().message, HasSubstr("line over the limit of 40 bytes"));
    SseParser event(small);
    const std::string part = "data: " + std::string(30, 'x') + "\n";
    ASSERT_TRUE(event.feed(part, events));
    const auto large = event.feed(part, events);
    ASSERT_TRUE(large.has_error());
    EXPECT_THAT(large.error().message, HasSubstr("event over the limit of 60 bytes"));
}

}  // namespace
}  // namespace ktrdr
