// Requests of a client and the answers to them, and what it refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client_case.hpp"

namespace ktrdr::test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST_F(Client, SendsARequestAndReadsTheAnswer) {
    const auto peer = serve([](const std::string&) { return Reply{ok("hello", "X-Kind: test\r\n")}; });
    make_client();
    Request request;
    request.method = "POST";
    request.url = "/echo?a=b";
    request.headers = {{"X-Operation-Id", "op_1"}};
    request.body = "data";
    request.decode = false;
    const auto pending = finished(send(std::move(request)));
    ASSERT_TRUE(pending.result()) << pending.error().message;
    EXPECT_EQ(pending.result()->status, 200);
    EXPECT_EQ(pending.result()->body, "hello");
    EXPECT_THAT(pending.result()->headers, testing::Contains(testing::Pair("X-Kind", "test")));
    const std::string host = server->url().substr(7);
    EXPECT_EQ(peer->requests.at(0),
              "POST /echo?a=b HTTP/1.1\r\nHost: " + host + "\r\nX-Operation-Id: op_1\r\nContent-Length: 4\r\n\r\ndata");
}

/// As RFC 1951 packs what cannot be made smaller.
std::string stored_blocks(std::size_t count) {
    std::string packed;
    for (std::size_t i = 0; i < count; ++i) {
        const char last = i + 1 == count ? '\1' : '\0';
        packed += {last, '\x00', '\x10', '\xff', '\xef'};
        packed += std::string(4096, 'x');
    }
    return packed;
}

TEST_F(Client, OthersHaveTheirTurnWhileAPackedAnswerIsUnpacked) {
    const auto peer =
        serve([](const std::string&) { return Reply{ok(stored_blocks(15), "Content-Encoding: deflate\r\n")}; });
    make_client();
    (void)body_of(get());
    const auto pending = get();
    run_until([&] { return peer->requests.size() == 2; });
    int turns = 0;
    while (!pending.done()) {
        run_until([&, turn = false]() mutable { return std::exchange(turn, true); });
        ++turns;
    }
    EXPECT_EQ(pending.result()->body.size(), 15U * 4096);
    EXPECT_GE(turns, 15) << "one for each 4 KiB that came";
}

TEST_F(Client, PutsThePrefixOfItsUrlBeforeEveryTarget) {
    const auto peer = serve([](const std::string&) { return Reply{ok("")}; });
    make_client(server->url() + "/api/v1/");
    EXPECT_EQ(client->url(), server->url() + "/api/v1");
    EXPECT_EQ(body_of(get("/bars")), "");
    EXPECT_THAT(peer->requests.at(0), StartsWith("GET /api/v1/bars HTTP/1.1\r\n"));
}

TEST_F(Client, OneClientTalksToManyServices) {
    const auto first = serve([](const std::string&) { return Reply{ok("first")}; });
    const auto second = FaultServer::start(io, [](const std::string&) { return Reply{ok("second")}; });
    make_client(first->url() + "/api", {.max_connections = 1});
    EXPECT_EQ(body_of(get("/a")), "first");
    EXPECT_EQ(body_of(get(second->url())), "second");
    EXPECT_EQ(body_of(get(second->url() + "?q=1#part")), "second");
    EXPECT_EQ(body_of(get(first->url() + "/b")), "first");
    EXPECT_THAT(first->requests.at(0), StartsWith("GET /api/a HTTP/1.1\r\n"));
    EXPECT_THAT(first->requests.at(1), StartsWith("GET /b HTTP/1.1\r\n")) << "a URL of its own has its own path";
    EXPECT_THAT(second->requests.at(0), StartsWith("GET / HTTP/1.1\r\n"));
    EXPECT_THAT(second->requests.at(1), StartsWith("GET /?q=1 HTTP/1.1\r\n"));
    EXPECT_EQ(client->stats().open, 2U) << "one connection each";
    EXPECT_EQ(client->stats().requests, 4U);
    client->close();
    EXPECT_EQ(client->stats().open, 0U);
    EXPECT_EQ(failure_of(get("http://127.0.0.1:9/other")).code, Errc::client_closed);
    second->close();
}

TEST_F(Client, WithoutABaseUrlARequestNamesItsHost) {
    client = HttpClient::create(io).value();
    const Error error = failure_of(get("/path?token=secret"));
    EXPECT_EQ(error.code, Errc::invalid_argument);
    EXPECT_THAT(error.message, AllOf(HasSubstr("/path"), HasSubstr("base URL"), testing::Not(HasSubstr("secret"))));
    for (const char* const wrong : {"ftp://host/", "http://", "http://host:0/", "http://h\u00f6st/", "http://[::1/",
                                    "http://me:secret@host/", "http://host/a b", "http://host/\r\nX: y", "\n", ""}) {
        const Error refused = failure_of(get(wrong));
        EXPECT_EQ(refused.code, Errc::invalid_argument) << wrong;
        EXPECT_THAT(refused.message, testing::Not(testing::AnyOf(HasSubstr("secret"), HasSubstr("\n"))));
    }
    const Pending<void> warm(io, client->warm_up(1));
    run_until([&] { return warm.done(); });
    EXPECT_EQ(warm.error().code, Errc::invalid_argument);
}

TEST_F(Client, ReadsAChunkedAnswer) {
    const auto peer = serve([](const std::string&) {
        return Reply{
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-T: "
            "1\r\n\r\n"};
    });
    make_client();
    EXPECT_EQ(body_of(get()), "hello world");
    EXPECT_EQ(body_of(get()), "hello world");
    EXPECT_EQ(peer->accepted(), 1U);
}

TEST_F(Client, ReadsAnAnswerThatComesInPieces) {
    const auto peer = serve([](const std::string&) { return Reply{"", Reply::Then::hold}; });
    make_client();
    const auto pending = get();
    run_until([&] { return peer->requests.size() == 1; });
    for (const char byte : ok("slow")) {
        peer->say(0, std::string(1, byte));
        settle();
    }
    EXPECT_EQ(body_of(pending), "slow");
}

TEST_F(Client, ReadsToTheEndWhereNoLengthIsGiven) {
    const auto peer =
        serve([](const std::string&) { return Reply{"HTTP/1.1 200 OK\r\n\r\nall of it", Reply::Then::close}; });
    make_client();
    EXPECT_EQ(body_of(get()), "all of it");
    EXPECT_EQ(client->stats().open, 0U);
}

TEST_F(Client, SkipsInterimAnswers) {
    const auto peer = serve([](const std::string&) {
        return Reply{"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok("final")};
    });
    make_client();
    EXPECT_EQ(body_of(get()), "final");
}

TEST_F(Client, ExpectsNoBodyAfterHeadAnd204And304) {
    const auto peer = serve([](const std::string& request) {
        if (request.starts_with("HEAD")) {
            return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"};
        }
        return Reply{request.starts_with("GET /none") ? "HTTP/1.1 204 No Content\r\n\r\n"
                                                      : "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"};
    });
    make_client();
    Request head;
    head.method = "HEAD";
    EXPECT_EQ(body_of(send(head)), "");
    EXPECT_EQ(finished(get("/none")).result()->status, 204);
    EXPECT_EQ(finished(get("/old")).result()->status, 304);
    EXPECT_EQ(peer->accepted(), 1U) << "the connection is kept after each";
}

TEST_F(Client, FindsAServerByName) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client("http://localhost:" + server->url().substr(server->url().rfind(':') + 1));
    EXPECT_EQ(body_of(get()), "x") << "listens at 127.0.0.1 only, whatever comes first for localhost";
}

struct Broken {
    const char* name;
    Reply reply;
    Errc code;
    const char* says;
};

class BrokenAnswer : public Client, public testing::WithParamInterface<Broken> {};

TEST_P(BrokenAnswer, IsOneClearErrorAndThePoolServesOn) {
    bool broken = true;
    const auto peer = serve(
        [&broken](const std::string&) { return std::exchange(broken, false) ? GetParam().reply : Reply{ok("good")}; });
    make_client(PoolOptions{.max_connections = 1, .max_head_bytes = 1024, .max_body_bytes = 100});
    const Error error = failure_of(get());
    EXPECT_EQ(error.code, GetParam().code) << error.message;
    EXPECT_THAT(error.message, HasSubstr(GetParam().says));
    EXPECT_EQ(text(error, "request_sent"), "whole");
    EXPECT_EQ(client->stats().open, 0U) << "such a connection is never kept";
    EXPECT_EQ(body_of(get()), "good");
}

const std::string head = "HTTP/1.1 200 OK\r\n";
using Then = Reply::Then;

INSTANTIATE_TEST_SUITE_P(
    Answers, BrokenAnswer,
    testing::Values(
        Broken{"ClosedBeforeTheStatusLine", {"", Then::close}, Errc::service_connection, "without a response"},
        Broken{"ResetBeforeTheStatusLine", {"", Then::reset}, Errc::service_connection, "broke"},
        Broken{"ClosedInsideTheStatusLine", {"HTTP/1.1 2", Then::close}, Errc::protocol, "ends inside its head"},
        Broken{"ClosedInsideTheHead", {head + "Content-Le", Then::close}, Errc::protocol, "ends inside its head"},
        Broken{"ClosedInsideTheBody",
               {head + "Content-Length: 10\r\n\r\nhalf", Then::close},
               Errc::protocol,
               "ends inside its body, after 4 bytes"},
        Broken{"ClosedInsideAChunk",
               {head + "Transfer-Encoding: chunked\r\n\r\n8\r\nhalf", Then::close},
               Errc::protocol,
               "ends inside its body"},
        Broken{"Garbage", {"\x16\x03\x01 this is not HTTP\r\n\r\n"}, Errc::protocol, "is not HTTP/1.1"},
        Broken{"AnotherVersion", {"HTTP/2 200 OK\r\n\r\n"}, Errc::protocol, "is not HTTP/1.1"},
        Broken{"AnotherCoding",
               {head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
               Errc::protocol,
               "Transfer-Encoding other than chunked"},
        Broken{"AnotherCodingAlone",
               {head + "Transfer-Encoding: gzip\r\n\r\nx", Then::close},
               Errc::protocol,
               "Transfer-Encoding other than chunked"},
        Broken{"LengthAndCoding",
               {head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
               Errc::protocol,
               ""},
        Broken{"CodingAndLength",
               {head + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
               Errc::protocol,
               ""},
        Broken{"TwoLengths",
               {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nab"},
               Errc::protocol,
               "more than one Content-Length"},
        Broken{"TwoLengthsInOne", {head + "Content-Length: 2, 3\r\n\r\nab"}, Errc::protocol, "Content-Length"},
        Broken{"SwitchesTheProtocol",
               {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"},
               Errc::protocol,
               "switches the protocol"},
        Broken{"BodyOverTheLimit", {ok(std::string(101, 'x'))}, Errc::response_too_large, "limit of 100 bytes"},
        Broken{"ChunksOverTheLimit",
               {head + "Transfer-Encoding: chunked\r\n\r\n40\r\n" + std::string(64, 'x') + "\r\n40\r\n" +
                std::string(64, 'x') + "\r\n0\r\n\r\n"},
               Errc::response_too_large,
               "limit of 100 bytes"},
        Broken{"HeadOverTheLimit",
               {head + "X-Long: " + std::string(2000, 'x') + "\r\n\r\n"},
               Errc::response_too_large,
               "1024 bytes"},
        Broken{"EndlessTrailers",
               {head + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + "X: " + std::string(3000, 'x') + "\r\n"},
               Errc::response_too_large,
               "1024 bytes"},
        Broken{"EndlessChunkExtension",
               {head + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(3000, 'x')},
               Errc::response_too_large,
               "1024 bytes"}),
    [](const auto& broken) { return std::string(broken.param.name); });

TEST_F(Client, TakesNoMemoryForALengthThatIsOnlyClaimed) {
    const auto peer = serve([](const std::string&) {
        return Reply{head + "Content-Length: 4611686018427387904\r\n\r\nhalf", Then::close};
    });
    make_client(PoolOptions{.max_body_bytes = 1UL << 62U});
    EXPECT_EQ(failure_of(get()).code, Errc::protocol);
}

TEST_F(Client, TooManyFieldsAreRefused) {
    std::string fields;
    for (int i = 0; i < 101; ++i) {
        fields += "X-" + std::to_string(i) + ": 1\r\n";
    }
    const auto peer = serve([&fields](const std::string&) { return Reply{ok("", fields)}; });
    make_client();
    EXPECT_EQ(failure_of(get()).code, Errc::response_too_large);
}

TEST_F(Client, LargeBodiesPassBothWays) {
    const auto peer =
        serve([](const std::string& request) { return Reply{ok(request.substr(request.find("\r\n\r\n") + 4))}; });
    make_client();
    std::string body(3UL << 20U, 'a');
    for (std::size_t i = 0; i < body.size(); ++i) {
        body[i] = static_cast<char>('a' + i % 26);
    }
    EXPECT_EQ(body_of(post(body)), body);
    EXPECT_EQ(client->stats().idle, 1U);
}

TEST_F(Client, AnnouncesTheTimeThatIsLeft) {
    const auto peer = serve([](const std::string&) { return Reply{ok("")}; });
    make_client();
    Request request;
    request.announce_deadline = true;
    request.timeout = 900ms;
    EXPECT_EQ(body_of(send(std::move(request))), "");
    const std::string& sent = peer->requests.at(0);
    const std::size_t at = sent.find("\r\nX-Deadline-Ms: ");
    ASSERT_NE(at, std::string::npos);
    const int left = std::stoi(sent.substr(at + 17));
    EXPECT_GT(left, 0);
    EXPECT_LE(left, 900);
}

TEST_F(Client, MayGoWhileTheLoopStillHoldsItsHandlers) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client();
    EXPECT_EQ(body_of(get()), "x");
    client.reset();
    run_until([&] { return peer->closed == 1; });
}

TEST_F(Client, RequestsLeftOnALoopThatIsDestroyedGoWithIt) {
    auto other = std::make_unique<asio::io_context>(1);
    auto orphan = HttpClient::create(*other, {.base_url = "http://127.0.0.1:1"}).value();
    const Pending<Response> pending(*other, orphan->send({}, {}));
    other->poll_one();
    orphan.reset();
    other.reset();
    EXPECT_FALSE(pending.done());
}

TEST_F(Client, RefusesWhatWouldNotBeOneRequest) {
    const auto peer = serve([](const std::string&) { return Reply{ok("x")}; });
    make_client();
    const std::vector<Request> bad{
        {.method = "GET / HTTP/1.1\r\nX:"},
        {.method = ""},
        {.url = "/a b"},
        {.url = "/a\r\nX: y"},
        {.url = std::string("/a\0b", 4)},
        {.url = "no-slash"},
        {.headers = {{"X: y\r\nZ", "1"}}},
        {.headers = {{"X", "1\r\nY: 2"}}},
        {.headers = {{"X", std::string("1\0", 2)}}},
        {.headers = {{"", "1"}}},
        {.headers = {{"content-length", "7"}}},
    };
    for (const Request& request : bad) {
        const Error error = failure_of(send(request));
        EXPECT_EQ(error.code, Errc::invalid_argument);
        EXPECT_THAT(error.message, HasSubstr("nothing was sent"));
    }
    EXPECT_EQ(peer->accepted(), 0U);
}

TEST_F(Client, RefusesAUrlItCannotUse) {
    for (const char* const url : {"ftp://host", "host:80", "http://", "http://:80", "http://h:0", "http://h:x",
                                  "http://h:70000", "http://h/?q", "http://[::1", "http://h h", "http://h:"}) {
        const auto made = HttpClient::create(io, {.base_url = url});
        ASSERT_TRUE(made.has_error()) << url;
        EXPECT_EQ(made.error().code, Errc::configuration);
        EXPECT_THAT(made.error().message, HasSubstr("http[s]://host[:port]"));
    }
    const auto secret = HttpClient::create(io, {.base_url = "http://me:word@host"});
    ASSERT_TRUE(secret.has_error());
    EXPECT_THAT(secret.error().message, testing::Not(HasSubstr("word")));
    EXPECT_EQ(HttpClient::create(io, {.base_url = "HTTP://[::1]:8080/a/"}).value()->url(), "http://[::1]:8080/a");
    EXPECT_EQ(HttpClient::create(io, {.base_url = "http://host"}).value()->url(), "http://host:80");
}

TEST_F(Client, RefusesOptionsOutOfRange) {
    const auto message = [this](PoolOptions options, Timeouts timeouts) {
        const auto made = HttpClient::create(io, {"http://h", options, timeouts, {}});
        return made.has_error() && made.error().code == Errc::configuration ? made.error().message : "accepted";
    };
    EXPECT_THAT(message({.max_connections = 0}, {}), AllOf(HasSubstr("max_connections"), HasSubstr("at least 1")));
    EXPECT_THAT(message({.max_waiters = 0}, {}), HasSubstr("max_waiters"));
    EXPECT_THAT(message({.idle_timeout = -1ms}, {}), HasSubstr("idle_timeout"));
    EXPECT_THAT(message({.server_idle_timeout = -1ms}, {}), HasSubstr("server_idle_timeout"));
    EXPECT_THAT(message({.idle_timeout = 5s, .server_idle_timeout = 5s}, {}),
                HasSubstr("idle_timeout (ms) is 5000, but must be below server_idle_timeout (5000 ms)"));
    EXPECT_EQ(message({.idle_timeout = 4s, .server_idle_timeout = 5s}, {}), "accepted");
    EXPECT_THAT(message({}, {.connect = 0ms}), AllOf(HasSubstr("connect"), EndsWith("must be positive")));
    EXPECT_THAT(message({.max_connections = 2, .min_idle = 3}, {}),
                AllOf(HasSubstr("min_idle is 3"), HasSubstr("(2)")));
    EXPECT_THAT(message({.min_idle = 1, .idle_timeout = 0ms}, {}), HasSubstr("min_idle"));
    EXPECT_THAT(message({.max_lifetime = 0ms}, {}), AllOf(HasSubstr("max_lifetime"), EndsWith("must be positive")));
    EXPECT_THAT(message({.dial_backoff = 0ms}, {}), HasSubstr("dial_backoff"));
    EXPECT_THAT(message({.max_dial_backoff = 1ms}, {}), HasSubstr("at least dial_backoff (100 ms)"));
    EXPECT_EQ(message({}, {}), "accepted");
}

}  // namespace
}  // namespace ktrdr::test
