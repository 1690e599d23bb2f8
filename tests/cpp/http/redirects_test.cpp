#include "../../../cpp/http/src/redirects.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ktrdr {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

Response answer(int status, std::string location) {
    return {.status = status, .headers = {{"location", std::move(location)}}};
}

Request post() {
    Request request;
    request.method = "POST";
    request.url = "/old";
    request.body = "{}";
    request.headers = {{"Authorization", "secret"},
                       {"X-Api-Key", "secret"},
                       {"Content-Type", "application/json"},
                       {"Accept", "text/plain"}};
    request.idempotency_key = "key";
    return request;
}

constexpr std::string_view here = "http://host:81/a/old?x=1";

/// The request that follows; a test of one that does not asks for the error.
Request follows(const Request& asked, const Response& response) {
    return redirected(asked, here, response).value().value();
}

std::string leads_to(std::string location, std::string_view from = here) {
    const auto next = redirected(post(), from, answer(307, std::move(location)));
    return next ? (*next)->url : next.error().message;
}

TEST(Redirect, LeadsWhereTheLocationSays) {
    EXPECT_EQ(leads_to("/new?y=2"), "http://host:81/new?y=2");
    EXPECT_EQ(leads_to("new"), "http://host:81/a/new");
    EXPECT_EQ(leads_to("../new"), "http://host:81/new");
    EXPECT_EQ(leads_to("//other/new"), "http://other/new");
    EXPECT_EQ(leads_to("https://other/new"), "https://other/new");
}

TEST(Redirect, LeadsWhereBrowsersGo) {
    const std::string root = "http://host:81/";
    EXPECT_EQ(leads_to("/a b"), root + "a%20b");
    EXPECT_EQ(leads_to("/a?x=y z"), root + "a?x=y%20z");
    EXPECT_EQ(leads_to("  /new\t"), root + "new") << "what is around it is not meant";
    EXPECT_EQ(leads_to("/a|b[1]\\c"), root + "a|b[1]/c");
    EXPECT_EQ(leads_to("/\"a\"<b>`{c}^"), root + "%22a%22%3Cb%3E%60%7Bc%7D%5E");
    EXPECT_EQ(leads_to("/?q=\"a\"&r='b'&s={c}|[d]"), root + "?q=%22a%22&r=%27b%27&s={c}|[d]");
    EXPECT_EQ(leads_to("/caf\xc3\xa9"), root + "caf%C3%A9") << "UTF-8";
    EXPECT_EQ(leads_to("/caf\xe9?\xe9"), root + "caf%E9?%E9") << "Latin-1";
    EXPECT_EQ(leads_to("/caf%C3%A9%"), root + "caf%C3%A9%") << "what is encoded already";
    EXPECT_EQ(leads_to("/a\tb\x7f\x01"), root + "ab%7F");
    EXPECT_EQ(leads_to("/new#part ?x"), root + "new");
    EXPECT_EQ(leads_to("HTTP://Host:81/New"), "HTTP://Host:81/New");
}

TEST(Redirect, LeadsWhereAReferenceIsResolvedTo) {
    const std::string root = "http://host:81/";
    EXPECT_EQ(leads_to(""), root + "a/old?x=1");
    EXPECT_EQ(leads_to("?y"), root + "a/old?y");
    EXPECT_EQ(leads_to("#part"), root + "a/old?x=1");
    EXPECT_EQ(leads_to("."), root + "a/");
    EXPECT_EQ(leads_to(".."), root);
    EXPECT_EQ(leads_to("../../../up"), root + "up");
    EXPECT_EQ(leads_to("./b/../c/%2e%2E/d/."), root + "a/d/");
    EXPECT_EQ(leads_to("/a//b"), root + "a//b");
}

TEST(Redirect, LeadsToTheHostThatBrowsersGoTo) {
    EXPECT_EQ(leads_to("///other/new"), "http://other/new");
    EXPECT_EQ(leads_to("\\\\other\\new"), "http://other/new");
    EXPECT_EQ(leads_to("/\\other"), "http://other/");
    EXPECT_EQ(leads_to("https:other/new"), "https://other/new");
    EXPECT_EQ(leads_to("https:///other"), "https://other/");
    EXPECT_EQ(leads_to("http:new"), "http://host:81/a/new") << "the same scheme says nothing";
    EXPECT_EQ(leads_to("http:/new"), "http://host:81/new");
    EXPECT_EQ(leads_to("//other?x"), "http://other/?x");
    EXPECT_EQ(leads_to("/new", "http://[fe80::1%eth0]:81/a"), "http://[fe80::1%eth0]:81/new");
    EXPECT_EQ(leads_to("x", "http://host?y"), "http://host/x");
}

TEST(Redirect, IsAnErrorWhereItMustNotOrCannotBeFollowed) {
    EXPECT_THAT(leads_to("ftp://host/new"), HasSubstr("'ftp://host/new' cannot be asked for: it does not begin with"));
    EXPECT_THAT(leads_to("mailto:me"), HasSubstr("cannot be asked for"));
    EXPECT_THAT(leads_to("http://me:secret@host/new"), AllOf(HasSubstr("user name"), Not(HasSubstr("secret"))));
    EXPECT_THAT(leads_to("http://ho st/"), HasSubstr("cannot be asked for"));
    EXPECT_THAT(leads_to("http://caf\xc3\xa9.test/"), HasSubstr("outside ASCII"));
    EXPECT_THAT(leads_to("http://host:99999/"), HasSubstr("port"));
    EXPECT_THAT(leads_to("//"), HasSubstr("names no host"));
    EXPECT_THAT(leads_to("http://host/?secret=1", "https://host/"),
                AllOf(HasSubstr("leads from https to http"), Not(HasSubstr("secret"))));
    const auto none = redirected(post(), here, Response{.status = 302});
    EXPECT_EQ(none.error().code, Errc::protocol);
    EXPECT_THAT(none.error().message, HasSubstr("no Location"));
    const Headers two{{"Location", "/a"}, {"Location", "/b"}};
    EXPECT_THAT(redirected(post(), here, Response{.status = 302, .headers = two}).error().message,
                HasSubstr("two places"));
    const Headers same{{"Location", "/a"}, {"Location", "/a"}};
    EXPECT_EQ(follows(post(), Response{.status = 302, .headers = same}).url, "http://host:81/a");
}

TEST(Redirect, IsNoneWhereTheStatusAsksForNone) {
    for (const int status : {200, 201, 300, 304, 305, 306, 404}) {
        EXPECT_FALSE(redirected(post(), here, answer(status, "/new")).value());
    }
}

TEST(Redirect, KeepsMethodAndBodyOrBecomesAGet) {
    for (const int status : {307, 308}) {
        const Request next = follows(post(), answer(status, "/new"));
        EXPECT_EQ(next.method, "POST");
        EXPECT_EQ(next.body, "{}");
        EXPECT_EQ(next.headers.size(), 4U);
    }
    for (const int status : {301, 302, 303}) {
        const Request next = follows(post(), answer(status, "/new"));
        EXPECT_EQ(next.method, "GET");
        EXPECT_EQ(next.body, "");
        EXPECT_EQ(next.headers.size(), 3U) << "the body's own go with it";
    }
    Request head = post();
    head.method = "HEAD";
    EXPECT_EQ(follows(head, answer(303, "/new")).method, "HEAD");
    head.method = "PUT";
    EXPECT_EQ(follows(head, answer(302, "/new")).method, "PUT");
}

TEST(Redirect, TakesNoSecretToAnotherOrigin) {
    for (const char* const location : {"http://other:81/", "http://host:82/", "https://host:81/"}) {
        const Request next = follows(post(), answer(307, location));
        const Headers left{{"Content-Type", "application/json"}, {"Accept", "text/plain"}};
        EXPECT_EQ(next.headers, left) << location;
        EXPECT_EQ(next.idempotency_key, "");
    }
    EXPECT_EQ(follows(post(), answer(307, "http://HOST:81/x")).headers.size(), 4U) << "the same origin";
}

TEST(Redirect, LeavesWhatWasPutInForTheCallerBehindAsItDoesTheirOwn) {
    Request asked = post();
    asked.headers.clear();
    asked.defaults = {{"Content-Type", "application/json"}, {"X-Operation-Id", "op_1"}};
    EXPECT_EQ(follows(asked, answer(303, "/new")).defaults, (Headers{{"X-Operation-Id", "op_1"}}));
    EXPECT_EQ(follows(asked, answer(307, "http://other/")).defaults, (Headers{{"Content-Type", "application/json"}}));
}

TEST(Redirects, GoOnUnderOneDeadlineUntilAnAnswerStands) {
    Request asked = post();
    asked.max_redirects = 2;
    Redirects redirects(asked, "http://host:81", Timeouts{});
    EXPECT_EQ(asked.max_redirects, 0U);
    EXPECT_LT(asked.deadline, SteadyTime::max());
    Response direct{.status = 200, .url = "http://host:81/old"};
    redirects.tell(direct);
    EXPECT_TRUE(direct.redirects.empty()) << "no one has led anywhere";

    const auto further = redirects.next(asked, answer(307, "/new"));
    ASSERT_TRUE(*further);
    EXPECT_EQ((*further)->url, "http://host:81/new");
    Response stands{.status = 200};
    EXPECT_FALSE(*redirects.next(**further, stands));
    redirects.tell(stands);
    EXPECT_EQ(stands.url, "http://host:81/new");
    EXPECT_EQ(stands.redirects, std::vector<std::string>{"http://host:81/old"});
}

TEST(Redirects, AreNoMoreThanAsked) {
    Request asked = post();
    asked.url = "http://host:81/old?secret=1";
    asked.max_redirects = 1;
    Redirects redirects(asked, "", Timeouts{});
    const auto first = redirects.next(asked, answer(307, "/a?secret=1"));
    ASSERT_TRUE(*first);
    const auto second = redirects.next(**first, answer(307, "/b"));
    EXPECT_EQ(second.error().code, Errc::protocol);
    EXPECT_EQ(second.error().message, "POST http://host:81/a was redirected more than 1 times");
}

TEST(Redirects, ThatLeadNowhereSayWhoSentThemWhere) {
    Request asked = post();
    asked.url = "/old?secret=1";
    asked.max_redirects = 1;
    Redirects redirects(asked, "http://host:81", Timeouts{});
    const auto astray = redirects.next(asked, answer(302, "ftp://other/?secret=2"));
    ASSERT_TRUE(astray.has_error());
    const Error& error = astray.error();
    EXPECT_EQ(error.code, Errc::protocol);
    EXPECT_THAT(error.message,
                HasSubstr("POST http://host:81/old answered 302, but its Location 'ftp://other/' cannot"));
    EXPECT_EQ(error.context.at("status"), 302);
    EXPECT_EQ(error.context.at("location"), "ftp://other/");
    EXPECT_EQ(error.context.at("url"), "http://host:81/old");
    EXPECT_FALSE(error.context.at("retryable").as_bool());
}

}  // namespace
}  // namespace ktrdr
