#include "../../../cpp/http/src/request_writer.hpp"

#include <gmock/gmock.h>

#include <functional>

namespace ktrdr {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

/// The message of the refusal, or "sent".
std::string refused(const std::function<void(Request&)>& change, std::string_view target = "/x?y=1") {
    Request request;
    change(request);
    const auto checked = check(request, target);
    return checked ? "sent" : checked.error().message;
}

std::string head_of(const Request& request) {
    std::string head;
    write_head(head, request, "/x", parse_url("http://host:81/x")->origin, 1500ms);
    return head;
}

TEST(RequestCheck, LetsThroughWhatIsOneRequest) {
    EXPECT_EQ(refused([](Request& it) {
                  it.method = "M-SEARCH9a";
                  it.max_redirects = most_redirects;
                  it.idempotency_key = "key";
                  it.headers = {{"X-Any", "a\tb"}};
              }),
              "sent");
}

TEST(RequestCheck, NamesWhatWouldNotBeOneRequest) {
    EXPECT_THAT(refused([](Request& it) { it.max_redirects = most_redirects + 1; }), HasSubstr("max_redirects"));
    for (const char* const method : {"", "GET X", "G\r\nET"}) {
        EXPECT_THAT(refused([method](Request& it) { it.method = method; }), HasSubstr("method"));
    }
    for (const char* const target : {"x", "", "/a b", "/a\x7f", "/a\r"}) {
        EXPECT_THAT(refused([](Request&) {}, target), HasSubstr("url")) << target;
    }
    for (const std::string& text : {std::string("a\rb"), std::string("a\nb"), std::string("a\0b", 3)}) {
        EXPECT_THAT(refused([&](Request& it) { it.idempotency_key = text; }), HasSubstr("idempotency_key"));
        EXPECT_THAT(refused([&](Request& it) { it.headers = {{"X-Any", text}}; }), HasSubstr("header X-Any"));
    }
    EXPECT_THAT(refused([](Request& it) { it.headers = {{"X Any", "a"}}; }), HasSubstr("header name"));
    EXPECT_THAT(refused([](Request& it) { it.headers = {{"hOST", "a"}}; }), HasSubstr("by the client itself"));
}

TEST(RequestHead, GivesWayToTheCallersOwnFieldsHoweverTheyAreWritten) {
    Request request;
    request.idempotency_key = "ours";
    request.announce_deadline = true;
    request.defaults = {{"Accept", "ours"}, {"Content-Type", "ours"}};
    request.headers = {
        {"ACCEPT", "own"}, {"idempotency-key", "own"}, {"x-deadline-ms", "5"}, {"accept-encoding", "own"}};
    EXPECT_EQ(head_of(request),
              "GET /x HTTP/1.1\r\nHost: host:81\r\nACCEPT: own\r\nidempotency-key: own\r\nx-deadline-ms: 5\r\n"
              "accept-encoding: own\r\nContent-Type: ours\r\n\r\n");
    EXPECT_THAT(refused([](Request& it) { it.defaults = {{"X-Any", "a\nb"}}; }), HasSubstr("header X-Any"));
}

TEST(RequestHead, HasWhatTheRequestAsksFor) {
    Request request;
    request.decode = true;
    request.idempotency_key = "key";
    request.announce_deadline = true;
    EXPECT_EQ(head_of(request),
              "GET /x HTTP/1.1\r\nHost: host:81\r\nAccept-Encoding: gzip, deflate\r\nIdempotency-Key: key\r\n"
              "X-Deadline-Ms: 1500\r\n\r\n");
    request.headers = {{"accept-encoding", "br"}};
    EXPECT_THAT(head_of(request), Not(HasSubstr("gzip")));
}

TEST(RequestHead, SaysTheLengthOfABodyAndAlwaysWhereOneIsExpected) {
    for (const char* const method : {"POST", "PUT", "PATCH"}) {
        EXPECT_THAT(head_of({.method = method}), HasSubstr("Content-Length: 0\r\n")) << method;
    }
    EXPECT_THAT(head_of({.method = "DELETE"}), Not(HasSubstr("Content-Length")));
    EXPECT_THAT(head_of({.method = "DELETE", .body = "abc"}), HasSubstr("Content-Length: 3\r\n"));
}

TEST(RequestDeadline, IsTheEarliestOfAllLimits) {
    const SteadyTime started{1h};
    const Timeouts limits{.total = 30s};
    EXPECT_EQ(deadline_of({}, limits, started), started + 30s);
    EXPECT_EQ(deadline_of({.timeout = 5s}, limits, started), started + 5s);
    EXPECT_EQ(deadline_of({.timeout = 5s, .deadline = started + 1s}, limits, started), started + 1s);
}

TEST(RequestIdempotence, ComesOfTheMethodOrTheCallersWord) {
    EXPECT_TRUE(is_idempotent({.method = "PUT"}));
    EXPECT_FALSE(is_idempotent({.method = "POST"}));
    EXPECT_TRUE(is_idempotent({.method = "POST", .idempotency_key = "key"}));
    EXPECT_TRUE(is_idempotent({.method = "POST", .idempotent = true}));
}

}  // namespace
}  // namespace ktrdr
