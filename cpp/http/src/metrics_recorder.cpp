#include "metrics_recorder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/histogram/axis/regular.hpp>
#include <cmath>
#include <iterator>
#include <string_view>
#include <vector>

namespace ktrdr {
namespace {

namespace axis = boost::histogram::axis;
using Axis = axis::regular<double, axis::transform::log>;

constexpr double shortest_us = 1;
constexpr double longest_us = 3600e6;
constexpr double bucket_growth = 1.06;
constexpr double nanoseconds_in_us = 1000;
constexpr double nanoseconds_in_second = 1e9;

Axis make_axis() {
    const auto buckets = std::ceil(std::log(longest_us / shortest_us) / std::log(bucket_growth));
    return {static_cast<unsigned>(buckets), shortest_us, longest_us};
}

/// For one writer: no locked instruction.
void add(std::atomic<std::uint64_t>& counter) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

constexpr std::array<std::string_view, 8> reason_names{"idle_timeout", "max_lifetime", "peer_closed", "unasked_bytes",
                                                       "not_reusable", "abandoned",    "dropped",     "client_closed"};

boost::json::object to_json(const DurationSummary& summary) {
    return {{"count", summary.count}, {"sum", summary.sum}, {"p50", summary.p50},
            {"p90", summary.p90},     {"p99", summary.p99}, {"max", summary.max}};
}

boost::json::object to_json(const std::map<std::string, std::uint64_t>& counts) {
    boost::json::object object;
    for (const auto& [name, count] : counts) {
        object[name] = count;
    }
    return object;
}

}  // namespace

struct DurationHistogram::Buckets {
    Axis axis{make_axis()};
    /// One below the shortest and one above the longest beside them.
    std::vector<std::atomic<std::uint64_t>> counts =
        std::vector<std::atomic<std::uint64_t>>(static_cast<std::size_t>(axis.size()) + 2);

    /// The middle of a bucket, in seconds.
    [[nodiscard]] double middle(std::size_t index) const {
        const double at = std::clamp(static_cast<double>(index) - 0.5, 0.0, static_cast<double>(axis.size()));
        return axis.value(at) * nanoseconds_in_us / nanoseconds_in_second;
    }
};

DurationHistogram::DurationHistogram() : buckets_(std::make_unique<Buckets>()) {}

DurationHistogram::~DurationHistogram() = default;

void DurationHistogram::record(std::chrono::nanoseconds duration) noexcept {
    const std::int64_t time = std::max<std::int64_t>(duration.count(), 1);
    const double in_us = static_cast<double>(time) / nanoseconds_in_us;
    // Most waits for a connection take no time, and a logarithm does.
    const int index = in_us < shortest_us ? -1 : buckets_->axis.index(in_us);
    add(buckets_->counts[static_cast<std::size_t>(index + 1)]);
    sum_.store(sum_.load(std::memory_order_relaxed) + time, std::memory_order_relaxed);
    if (time > max_.load(std::memory_order_relaxed)) {
        max_.store(time, std::memory_order_relaxed);
    }
}

DurationSummary DurationHistogram::summary() const {
    // Copied first: the writer may go on meanwhile.
    std::vector<std::uint64_t> counts;
    std::transform(buckets_->counts.begin(), buckets_->counts.end(), std::back_inserter(counts),
                   [](const auto& count) { return count.load(std::memory_order_relaxed); });
    DurationSummary summary;
    for (const std::uint64_t count : counts) {
        summary.count += count;
    }
    summary.sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) / nanoseconds_in_second;
    summary.max = static_cast<double>(max_.load(std::memory_order_relaxed)) / nanoseconds_in_second;
    const auto percentile = [&](double share) {
        const double wanted = share * static_cast<double>(summary.count);
        std::uint64_t seen = 0;
        for (std::size_t index = 0; index < counts.size(); ++index) {
            seen += counts[index];
            if (seen > 0 && static_cast<double>(seen) >= wanted) {
                return std::min(buckets_->middle(index), summary.max);
            }
        }
        return 0.0;
    };
    summary.p50 = percentile(0.5);
    summary.p90 = percentile(0.9);
    summary.p99 = percentile(0.99);
    return summary;
}

void MetricsRecorder::answered(int status, std::chrono::nanoseconds time) noexcept {
    const auto status_class = static_cast<std::size_t>(std::clamp(status / 100, 0, 5));
    add(responses_[status_class]);
    request_duration_.record(time);
}

void MetricsRecorder::failed(Errc code, std::chrono::nanoseconds time) {
    request_duration_.record(time);
    const std::scoped_lock lock(mutex_);
    ++errors_[std::string(to_string(code))];
}

void MetricsRecorder::retried(const Attempt& attempt) {
    const std::scoped_lock lock(mutex_);
    ++retries_[attempt.status != 0 ? fmt::format("{}", attempt.status) : std::string(to_string(attempt.code))];
}

void MetricsRecorder::closed(CloseReason reason) noexcept {
    add(closed_[static_cast<std::size_t>(reason)]);
}

ClientMetrics MetricsRecorder::snapshot() const {
    ClientMetrics metrics;
    metrics.request_duration = request_duration_.summary();
    metrics.wait_time = wait_time_.summary();
    for (std::size_t index = 1; index < responses_.size(); ++index) {
        if (const auto count = responses_[index].load(std::memory_order_relaxed); count > 0) {
            metrics.responses[fmt::format("{}xx", index)] = count;
        }
    }
    for (std::size_t index = 0; index < closed_.size(); ++index) {
        if (const auto count = closed_[index].load(std::memory_order_relaxed); count > 0) {
            metrics.connections_closed[std::string(reason_names[index])] = count;
        }
    }
    const std::scoped_lock lock(mutex_);
    metrics.errors = errors_;
    metrics.retries = retries_;
    return metrics;
}

boost::json::object to_json(const ClientMetrics& metrics) {
    const PoolStats& pool = metrics.pool;
    return {{"http.client.request.duration", to_json(metrics.request_duration)},
            {"http.client.open_connections",
             boost::json::object{{"idle", pool.idle}, {"active", pool.active}, {"connecting", pool.connecting}}},
            {"http.client.responses", to_json(metrics.responses)},
            {"http.client.errors", to_json(metrics.errors)},
            {"pool.pending_requests", pool.waiting},
            {"pool.wait_time", to_json(metrics.wait_time)},
            {"pool.connections_created", pool.connections_created},
            {"pool.connections_closed", to_json(metrics.connections_closed)},
            {"pool.dials_failed", pool.dials_failed},
            {"retry.attempts", to_json(metrics.retries)}};
}

}  // namespace ktrdr
