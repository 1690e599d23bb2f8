#include "../../../cpp/http/src/reconnects.hpp"

#include <gtest/gtest.h>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime connected_at{};

Error refused() {
    return fail(Errc::service_connection, "refused");
}

Error answered(int status) {
    return fail(Errc::status, "not now", {{"status", status}});
}

TEST(Reconnects, WaitAsLongAsTheServiceAsksAndALittleMore) {
    Reconnects reconnects(0ms);
    EXPECT_EQ(reconnects.pause(250ms, 0), 250ms);
    reconnects.heard();
    EXPECT_EQ(reconnects.pause(std::nullopt, 0), 1s);
    reconnects.heard();
    EXPECT_EQ(reconnects.pause(1s, 0.999), 1250ms) << "not all at the same time";
    reconnects.heard();
    EXPECT_EQ(reconnects.pause(5min, 0), 5min);
}

TEST(Reconnects, NeverSpinWhateverTheServiceAsks) {
    Reconnects reconnects(0ms);
    for (int i = 0; i < 100; ++i) {
        EXPECT_GE(reconnects.pause(0ms, 0), 100ms);
        reconnects.heard();
        EXPECT_GE(reconnects.pause(1ms, 0.5), 100ms);
    }
}

TEST(Reconnects, WaitLongerEachTimeThatAConnectionBringsNothing) {
    Reconnects reconnects(0ms);
    for (const auto longest : {125ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 10'000ms, 10'000ms}) {
        EXPECT_EQ(reconnects.pause(0ms, 1), longest);
    }
    for (int i = 0; i < 1000; ++i) {
        EXPECT_LE(reconnects.pause(0ms, 1), 10s);
    }
    EXPECT_EQ(reconnects.pause(60s, 0), 60s) << "who asks for more is given it";
    reconnects.heard();
    EXPECT_EQ(reconnects.pause(0ms, 1), 125ms) << "from the start after an event";
}

TEST(Reconnects, GoOnWhileAServiceThatWasThereStaysAwayNoLongerThanItMay) {
    Reconnects reconnects(60s);
    EXPECT_FALSE(reconnects.goes_on(refused(), connected_at)) << "it never was there";
    reconnects.connected();
    EXPECT_TRUE(reconnects.goes_on(refused(), connected_at));
    EXPECT_TRUE(reconnects.goes_on(answered(502), connected_at + 59s));
    EXPECT_FALSE(reconnects.goes_on(refused(), connected_at + 60s));
    reconnects.connected();
    EXPECT_TRUE(reconnects.goes_on(refused(), connected_at + 61s)) << "it was back, and is away anew";
    Reconnects impatient(0ms);
    impatient.connected();
    EXPECT_FALSE(impatient.goes_on(refused(), connected_at));
    Reconnects endless(Reconnects::Time::max());
    endless.connected();
    EXPECT_TRUE(endless.goes_on(refused(), connected_at));
    EXPECT_TRUE(endless.goes_on(refused(), connected_at + 24h * 365));
}

TEST(Reconnects, GoOnAfterWhatARestartLooksLikeAndAfterNothingElse) {
    Reconnects reconnects(60s);
    reconnects.connected();
    for (const int status : {408, 425, 429, 502, 503, 504}) {
        EXPECT_TRUE(reconnects.goes_on(answered(status), connected_at)) << status;
    }
    for (const int status : {301, 400, 401, 403, 404, 410, 500, 501}) {
        EXPECT_FALSE(reconnects.goes_on(answered(status), connected_at)) << status;
    }
    EXPECT_TRUE(reconnects.goes_on(fail(Errc::service_timeout, "late"), connected_at));
    EXPECT_TRUE(reconnects.goes_on(fail(Errc::protocol, "ends inside its head"), connected_at));
    EXPECT_TRUE(reconnects.goes_on(fail(Errc::pool_timeout, "", {{"last_dial_error", "refused"}}), connected_at));
    EXPECT_FALSE(reconnects.goes_on(fail(Errc::pool_timeout, "too many streams"), connected_at));
    EXPECT_FALSE(reconnects.goes_on(fail(Errc::service_connection, "", {{"tls", "expired"}}), connected_at));
    EXPECT_FALSE(reconnects.goes_on(fail(Errc::protocol, "no events", {{"answered", 200}}), connected_at));
    for (const Errc code : {Errc::cancelled, Errc::timed_out, Errc::client_closed, Errc::response_too_large}) {
        EXPECT_FALSE(reconnects.goes_on(fail(code, ""), connected_at));
    }
}

}  // namespace
}  // namespace ktrdr
