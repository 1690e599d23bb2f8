#pragma once

#include <array>
#include <atomic>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// The numbers a worker writes. A total of 0 means unknown; it may grow.
struct ProgressCounts {
    /// Most of `metrics`.
    static constexpr std::size_t metric_limit = 16;

    std::int64_t current{0};
    std::int64_t total{0};
    std::int64_t items{0};
    std::int64_t total_items{0};
    /// The epoch in work, from 1, and how many of its batches are done; 0 when unknown. Beside the metrics, so that a
    /// reader never sees the batch of one moment with the loss of another.
    std::int64_t epoch{0};
    std::int64_t total_epochs{0};
    std::int64_t batch{0};
    std::int64_t total_batches{0};
    /// Named by the step that owns the node (loss, accuracy, …); NaN when there is none yet. Only those that are here
    /// are stored, so an update without metrics costs none. They stand last: between members that are left out GCC
    /// would clear the room for all of them at each update.
    boost::container::static_vector<double, metric_limit> metrics{};

    friend bool operator==(const ProgressCounts&, const ProgressCounts&) = default;
};

/// A worker's own place for numbers: it stores, and never knows who reads.
///
/// Thread safety: one writer at a time, any number of readers; a read is never torn (a seqlock, Boehm 2012).
/// Cost: a store is a handful of plain moves, one for each number.
class KTRDR_EXPORT ProgressNode final {
public:
    /// Keep metrics too; without it they are dropped, for most operations have none. Before anybody else has the node.
    void keep_metrics();
    void store(const ProgressCounts& counts) noexcept;
    [[nodiscard]] ProgressCounts load() const noexcept;
    /// Rises with every store, so that a sampler sees whether anything is new.
    [[nodiscard]] std::uint64_t version() const noexcept;

private:
    using Word = std::atomic<std::uint64_t>;

    Word sequence_{0};
    /// The whole numbers, and how many metrics there are.
    std::array<Word, 9> words_{};
    std::unique_ptr<std::array<Word, ProgressCounts::metric_limit>> metrics_{};
};

}  // namespace ktrdr
