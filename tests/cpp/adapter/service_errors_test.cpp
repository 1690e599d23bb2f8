#include <ktrdr/adapter/service_errors.hpp>

#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>

namespace ktrdr {
namespace {

using testing::HasSubstr;

const Asked asked{"quotes", "GET", "http://h/x"};

Error told(std::string body) {
    return status_error(asked, Response{.status = 422, .body = std::move(body)});
}

/// Code, message and context of the cause, or "none".
std::string cause_of(std::string body) {
    const Error error = told(std::move(body));
    const auto* const cause = error.context.if_contains("cause");
    return cause == nullptr ? "none" : boost::json::serialize(*cause);
}

TEST(StatusError, SaysWhoAnsweredWhatAndWhy) {
    const Error error = told(R"({"detail": "no such symbol"})");
    EXPECT_EQ(error.code, Errc::status);
    EXPECT_EQ(error.message, "quotes answered 422 to GET http://h/x: no such symbol");
    EXPECT_EQ(error.context.at("status"), 422);
    EXPECT_EQ(told(R"({"error": "busy"})").message, "quotes answered 422 to GET http://h/x: busy");
    EXPECT_THAT(told("").message, HasSubstr("(no body)"));
    EXPECT_THAT(told("[1]").message, HasSubstr("[1]"));
    EXPECT_THAT(told("two\nlines").message, HasSubstr("two lines"));
}

TEST(StatusError, SaysWhenToComeBackWhereTheServiceDoes) {
    const auto busy = [](Headers headers) {
        return status_error({"quotes", "GET", "http://h/x"}, Response{.status = 503, .headers = std::move(headers)});
    };
    EXPECT_EQ(busy({{"retry-after", "7"}}).context.at("retry_after"), 7.0);
    for (const char* const nothing : {"0", "soon", "Mon, 01 Jan 2001 00:00:00 GMT"}) {
        EXPECT_FALSE(busy({{"Retry-After", nothing}}).context.contains("retry_after")) << nothing;
    }
    EXPECT_FALSE(busy({}).context.contains("retry_after"));
}

TEST(StatusError, KeepsTheRecordOfAnErrorAsTheCause) {
    const std::string record = R"({"code":"c","message":"m","context":{"a":1}})";
    EXPECT_EQ(cause_of(record), record);
    EXPECT_EQ(cause_of(R"({"error":)" + record + "}"), record);
    EXPECT_EQ(cause_of(R"({"detail":)" + record + "}"), record);
    EXPECT_EQ(cause_of(R"({"message":"m","code":7,"details":{"a":1}})"),
              R"({"code":"","message":"m","context":{"a":1}})");
    EXPECT_EQ(cause_of(R"({"message":"m","context":5})"), R"({"code":"","message":"m","context":{}})")
        << "a context that is none";
    EXPECT_THAT(told(record).message, HasSubstr(": m"));
}

TEST(StatusError, HasNoCauseWhereTheBodyHoldsNoRecord) {
    for (const char* const body : {"{}", R"({"message":5})", R"({"error":{"code":"c"}})", R"("text")", "[", ""}) {
        EXPECT_EQ(cause_of(body), "none") << body;
    }
}

TEST(StatusError, ShowsTheBeginningOfALongBodyAndCutsNoCharacter) {
    const std::string letters(199, 'a');
    EXPECT_THAT(told(letters + "\u00e9 and more").message, HasSubstr(letters + "…"));
    EXPECT_EQ(told(std::string(5000, 'b')).context.at("body").get_string().size(), 4096U);
}

TEST(StatusError, ShowsBytesThatAreNoTextAsQuestionMarks) {
    EXPECT_THAT(told("caf\xe9").message, HasSubstr("caf?"));
}

TEST(NotJsonError, ShowsWhatCameInstead) {
    const Error error = not_json_error(asked, Response{.status = 200, .body = "<html>"}, "syntax error");
    EXPECT_EQ(error.code, Errc::protocol);
    EXPECT_THAT(error.message, HasSubstr("(syntax error); it begins: <html>"));
    EXPECT_THAT(not_json_error(asked, Response{.status = 200}, "incomplete").message, HasSubstr("(no body)"));
}

}  // namespace
}  // namespace ktrdr
