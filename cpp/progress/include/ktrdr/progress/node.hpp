#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// The numbers a worker writes. A total of 0 means unknown; it may grow.
struct ProgressCounts {
    /// How many of `metrics` a node can carry.
    static constexpr std::size_t metric_count = 6;

    std::int64_t current{0};
    std::int64_t total{0};
    std::int64_t items{0};
    std::int64_t total_items{0};
    /// Named by the step that owns the node (loss, accuracy, …); NaN when there is none yet.
    std::array<double, metric_count> metrics{};

    friend bool operator==(const ProgressCounts&, const ProgressCounts&) = default;
};

/// A worker's own place for numbers: it stores, and never knows who reads.
///
/// Thread safety: one writer at a time, any number of readers; a read is never torn (a seqlock, Boehm 2012).
/// Cost: a store is a handful of relaxed stores.
class KTRDR_EXPORT ProgressNode final {
public:
    void store(const ProgressCounts& counts) noexcept;
    [[nodiscard]] ProgressCounts load() const noexcept;
    /// Rises with every store, so that a sampler sees whether anything is new.
    [[nodiscard]] std::uint64_t version() const noexcept;

private:
    static constexpr std::size_t word_count = 4 + ProgressCounts::metric_count;
    std::atomic<std::uint64_t> sequence_{0};
    std::array<std::atomic<std::uint64_t>, word_count> words_{};
};

}  // namespace ktrdr
