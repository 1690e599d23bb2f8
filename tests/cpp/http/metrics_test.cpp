#include "../../../cpp/http/src/metrics_recorder.hpp"

#include <gtest/gtest.h>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

TEST(Durations, PercentilesAreThoseOfTheTimesGivenWithinABucket) {
    DurationHistogram histogram;
    for (int ms = 1; ms <= 1000; ++ms) {
        histogram.record(std::chrono::milliseconds(ms));
    }
    const DurationSummary summary = histogram.summary();
    EXPECT_EQ(summary.count, 1000U);
    EXPECT_NEAR(summary.sum, 500.5, 1e-6);
    EXPECT_DOUBLE_EQ(summary.max, 1.0);
    EXPECT_NEAR(summary.p50, 0.5, 0.5 * 0.06);
    EXPECT_NEAR(summary.p90, 0.9, 0.9 * 0.06);
    EXPECT_NEAR(summary.p99, 0.99, 0.99 * 0.06);
}

TEST(Durations, TimesBeyondTheLimitsCountAsTheLimits) {
    DurationHistogram histogram;
    histogram.record(0ns);
    histogram.record(-5ns);
    EXPECT_LE(histogram.summary().p50, 1e-6);
    for (int i = 0; i < 10; ++i) {
        histogram.record(48h);
    }
    EXPECT_NEAR(histogram.summary().p99, 3600, 3600 * 0.06);
    EXPECT_DOUBLE_EQ(histogram.summary().max, 48 * 3600);
}

TEST(Durations, NothingIsZeroAllOver) {
    const DurationSummary summary = DurationHistogram().summary();
    EXPECT_EQ(summary.count, 0U);
    EXPECT_EQ(summary.p50, 0);
    EXPECT_EQ(summary.p99, 0);
}

TEST(Metrics, CountByClassReasonAndCode) {
    MetricsRecorder recorder;
    recorder.answered(200, 1ms);
    recorder.answered(204, 1ms);
    recorder.answered(503, 1ms);
    recorder.failed(Errc::service_timeout, 1ms);
    recorder.retried({.status = 503});
    recorder.retried({.code = Errc::service_connection});
    recorder.closed(CloseReason::peer_closed);
    recorder.closed(CloseReason::client_closed);
    const auto shown = to_json(recorder.snapshot());
    EXPECT_EQ(shown.at("http.client.responses"), (boost::json::object{{"2xx", 2}, {"5xx", 1}}));
    EXPECT_EQ(shown.at("http.client.errors"), (boost::json::object{{"service_timeout", 1}}));
    EXPECT_EQ(shown.at("retry.attempts"), (boost::json::object{{"503", 1}, {"service_connection", 1}}));
    EXPECT_EQ(shown.at("pool.connections_closed"), (boost::json::object{{"client_closed", 1}, {"peer_closed", 1}}));
    EXPECT_EQ(shown.at("http.client.request.duration").at("count"), 4);
}

}  // namespace
}  // namespace ktrdr
