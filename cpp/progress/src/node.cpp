#include <ktrdr/progress/node.hpp>

#include <bit>

namespace ktrdr {
namespace {

constexpr std::size_t count_words = 4;

}  // namespace

// Each word is stored with release and loaded with acquire. So a reader that meets a word of a store under way also
// sees that store's odd sequence number in its second look, and starts again. On x86 both are plain moves.
void ProgressNode::store(const ProgressCounts& counts) noexcept {
    const std::uint64_t before = sequence_.load(std::memory_order_relaxed);
    sequence_.store(before + 1, std::memory_order_relaxed);
    const std::array<std::int64_t, count_words> numbers{counts.current, counts.total, counts.items, counts.total_items};
    for (std::size_t i = 0; i < count_words; ++i) {
        words_[i].store(static_cast<std::uint64_t>(numbers[i]), std::memory_order_release);
    }
    for (std::size_t i = 0; i < ProgressCounts::metric_count; ++i) {
        words_[count_words + i].store(std::bit_cast<std::uint64_t>(counts.metrics[i]), std::memory_order_release);
    }
    sequence_.store(before + 2, std::memory_order_release);
}

ProgressCounts ProgressNode::load() const noexcept {
    std::array<std::uint64_t, word_count> copy{};
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    do {
        before = sequence_.load(std::memory_order_acquire);
        for (std::size_t i = 0; i < word_count; ++i) {
            copy[i] = words_[i].load(std::memory_order_acquire);
        }
        after = sequence_.load(std::memory_order_relaxed);
    } while (before != after || before % 2 != 0);
    ProgressCounts counts{static_cast<std::int64_t>(copy[0]),
                          static_cast<std::int64_t>(copy[1]),
                          static_cast<std::int64_t>(copy[2]),
                          static_cast<std::int64_t>(copy[3]),
                          {}};
    for (std::size_t i = 0; i < ProgressCounts::metric_count; ++i) {
        counts.metrics[i] = std::bit_cast<double>(copy[count_words + i]);
    }
    return counts;
}

std::uint64_t ProgressNode::version() const noexcept {
    return sequence_.load(std::memory_order_acquire) / 2;
}

}  // namespace ktrdr
