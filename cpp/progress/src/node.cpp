#include <ktrdr/progress/node.hpp>

#include <bit>

namespace ktrdr {

void ProgressNode::keep_metrics() {
    if (!metrics_) {
        metrics_ = std::make_unique<std::array<Word, ProgressCounts::metric_limit>>();
    }
}

// Each word is stored with release and loaded with acquire. So a reader that meets a word of a store under way also
// sees that store's odd sequence number in its second look, and starts again. On x86 both are plain moves.
void ProgressNode::store(const ProgressCounts& counts) noexcept {
    const std::uint64_t before = sequence_.load(std::memory_order_relaxed);
    sequence_.store(before + 1, std::memory_order_relaxed);
    const std::size_t metrics = metrics_ ? counts.metrics.size() : 0;
    const auto put = [this](std::size_t at, std::int64_t number) {
        words_[at].store(static_cast<std::uint64_t>(number), std::memory_order_release);
    };
    put(0, counts.current);
    put(1, counts.total);
    put(2, counts.items);
    put(3, counts.total_items);
    put(4, counts.epoch);
    put(5, counts.total_epochs);
    put(6, counts.batch);
    put(7, counts.total_batches);
    put(8, static_cast<std::int64_t>(metrics));
    for (std::size_t i = 0; i < metrics; ++i) {
        (*metrics_)[i].store(std::bit_cast<std::uint64_t>(counts.metrics[i]), std::memory_order_release);
    }
    sequence_.store(before + 2, std::memory_order_release);
}

ProgressCounts ProgressNode::load() const noexcept {
    ProgressCounts counts;
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    do {
        before = sequence_.load(std::memory_order_acquire);
        const auto word = [this](std::size_t i) {
            return static_cast<std::int64_t>(words_[i].load(std::memory_order_acquire));
        };
        counts = {word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7), {}};
        for (std::int64_t i = 0, metrics = word(8); i < metrics; ++i) {
            const Word& metric = (*metrics_)[static_cast<std::size_t>(i)];
            counts.metrics.push_back(std::bit_cast<double>(metric.load(std::memory_order_acquire)));
        }
        after = sequence_.load(std::memory_order_relaxed);
    } while (before != after || before % 2 != 0);
    return counts;
}

std::uint64_t ProgressNode::version() const noexcept {
    return sequence_.load(std::memory_order_acquire) / 2;
}

}  // namespace ktrdr
