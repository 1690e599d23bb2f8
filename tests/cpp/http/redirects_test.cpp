#include "../../../cpp/http/src/redirects.hpp"

#include <gtest/gtest.h>

namespace ktrdr {
namespace {

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

std::string leads_to(std::string location, std::string_view from = here) {
    const auto next = redirected(post(), from, answer(307, std::move(location)));
    return next ? next->url : "nowhere";
}

TEST(Redirect, LeadsWhereTheLocationSays) {
    EXPECT_EQ(leads_to("/new?y=2"), "http://host:81/new?y=2");
    EXPECT_EQ(leads_to("new"), "http://host:81/a/new");
    EXPECT_EQ(leads_to("../new"), "http://host:81/new");
    EXPECT_EQ(leads_to("//other/new"), "http://other/new");
    EXPECT_EQ(leads_to("https://other/new"), "https://other/new");
}

TEST(Redirect, LeadsNowhereWhereItMustNotOrCannot) {
    EXPECT_EQ(leads_to("ftp://host/new"), "nowhere");
    EXPECT_EQ(leads_to("http://me:secret@host/new"), "nowhere");
    EXPECT_EQ(leads_to("http://ho st/"), "nowhere");
    EXPECT_EQ(leads_to("/a\r\nX: y"), "nowhere");
    EXPECT_EQ(leads_to("http://host/", "https://host/"), "nowhere") << "a secret would go out in the clear";
    EXPECT_FALSE(redirected(post(), here, answer(304, "/new")));
    EXPECT_FALSE(redirected(post(), here, answer(200, "/new")));
    EXPECT_FALSE(redirected(post(), here, Response{.status = 302}));
    EXPECT_FALSE(
        redirected(post(), here, Response{.status = 302, .headers = {{"Location", "/a"}, {"Location", "/b"}}}));
}

TEST(Redirect, KeepsMethodAndBodyOrBecomesAGet) {
    for (const int status : {307, 308}) {
        const auto next = redirected(post(), here, answer(status, "/new"));
        EXPECT_EQ(next->method, "POST");
        EXPECT_EQ(next->body, "{}");
        EXPECT_EQ(next->headers.size(), 4U);
    }
    for (const int status : {301, 302, 303}) {
        const auto next = redirected(post(), here, answer(status, "/new"));
        EXPECT_EQ(next->method, "GET");
        EXPECT_EQ(next->body, "");
        EXPECT_EQ(next->headers.size(), 3U) << "the body's own go with it";
    }
    Request head = post();
    head.method = "HEAD";
    EXPECT_EQ(redirected(head, here, answer(303, "/new"))->method, "HEAD");
    head.method = "PUT";
    EXPECT_EQ(redirected(head, here, answer(302, "/new"))->method, "PUT");
}

TEST(Redirect, TakesNoSecretToAnotherOrigin) {
    for (const char* const location : {"http://other:81/", "http://host:82/", "https://host:81/"}) {
        const auto next = redirected(post(), here, answer(307, location));
        const Headers left{{"Content-Type", "application/json"}, {"Accept", "text/plain"}};
        EXPECT_EQ(next->headers, left) << location;
        EXPECT_EQ(next->idempotency_key, "");
    }
    EXPECT_EQ(redirected(post(), here, answer(307, "http://HOST:81/x"))->headers.size(), 4U) << "the same origin";
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

}  // namespace
}  // namespace ktrdr
