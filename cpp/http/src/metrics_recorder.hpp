#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>

#include <ktrdr/base/result.hpp>
#include <ktrdr/http/message.hpp>
#include <ktrdr/http/metrics.hpp>

namespace ktrdr {

/// Counts durations in buckets of logarithmic width.
///
/// Thread safety: one writer, any readers.
class DurationHistogram final {
public:
    DurationHistogram();
    ~DurationHistogram();
    DurationHistogram(const DurationHistogram&) = delete;
    DurationHistogram& operator=(const DurationHistogram&) = delete;

    void record(std::chrono::nanoseconds duration) noexcept;
    [[nodiscard]] DurationSummary summary() const;

private:
    struct Buckets;
    std::unique_ptr<Buckets> buckets_;
    std::atomic<std::int64_t> sum_{0};
    std::atomic<std::int64_t> max_{0};
};

/// Why a connection was closed.
enum class CloseReason {
    idle_timeout,
    max_lifetime,
    peer_closed,
    unasked_bytes,
    not_reusable,
    abandoned,
    dropped,
    client_closed,
};

/// Takes down what a client does.
///
/// Thread safety: written on the io thread, read from any.
/// Cost: a call that ends well takes no lock.
class MetricsRecorder final {
public:
    void waited(std::chrono::nanoseconds time) noexcept { wait_time_.record(time); }
    void answered(int status, std::chrono::nanoseconds time) noexcept;
    void failed(Errc code, std::chrono::nanoseconds time);
    void retried(const Attempt& attempt);
    void closed(CloseReason reason) noexcept;
    /// All but the pool's figures.
    [[nodiscard]] ClientMetrics snapshot() const;

private:
    static constexpr std::size_t status_classes = 6;
    static constexpr std::size_t close_reasons = 8;

    DurationHistogram request_duration_{};
    DurationHistogram wait_time_{};
    std::array<std::atomic<std::uint64_t>, status_classes> responses_{};
    std::array<std::atomic<std::uint64_t>, close_reasons> closed_{};
    /// Guards what is counted by name: seldom.
    mutable std::mutex mutex_{};
    std::map<std::string, std::uint64_t> errors_{};
    std::map<std::string, std::uint64_t> retries_{};
};

}  // namespace ktrdr
