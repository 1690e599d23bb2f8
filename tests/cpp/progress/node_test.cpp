#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include <ktrdr/progress/node.hpp>

namespace ktrdr {
namespace {

/// Counts whose words all tell the same number, so that a torn read shows. How many metrics there are tells it too.
ProgressCounts same_in_every_word(std::int64_t number) {
    ProgressCounts counts{number, number, number, number, number, number, number, number, {}};
    counts.metrics.assign(static_cast<std::size_t>(number) % (ProgressCounts::metric_limit + 1),
                          static_cast<double>(number));
    return counts;
}

TEST(ProgressNode, GivesBackWhatWasStored) {
    ProgressNode node;
    EXPECT_EQ(node.load(), ProgressCounts{});
    const ProgressCounts counts{3, 5, 1200, -1, 2, 50, 17, 500, {0.5, -1.25, 1e300, 0, 0, 7}};
    node.keep_metrics();
    node.store(counts);
    EXPECT_EQ(node.load(), counts);
}

TEST(ProgressNode, KeepsSixteenMetrics) {
    ProgressNode node;
    node.keep_metrics();
    ProgressCounts counts{};
    for (int i = 0; i < 16; ++i) {
        counts.metrics.push_back(i);
    }
    node.store(counts);
    EXPECT_EQ(node.load(), counts);
    counts.metrics.resize(3);
    node.store(counts);
    EXPECT_EQ(node.load(), counts);
}

TEST(ProgressNode, DropsMetricsUnlessToldToKeepThem) {
    ProgressNode node;
    node.store({3, 5, 0, 0, 1, 2, 0, 0, {0.5}});
    EXPECT_EQ(node.load(), (ProgressCounts{3, 5, 0, 0, 1, 2, 0, 0, {}}));
}

TEST(ProgressNode, VersionRisesWithEveryStore) {
    ProgressNode node;
    EXPECT_EQ(node.version(), 0U);
    node.store({});
    node.store({});
    EXPECT_EQ(node.version(), 2U);
}

TEST(ProgressNode, IsNeverReadTorn) {
    constexpr std::int64_t stores = 100'000;
    ProgressNode node;
    node.keep_metrics();
    std::atomic<bool> torn{false};
    std::atomic<bool> went_back{false};
    std::atomic<int> ready{0};
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i) {
        readers.emplace_back([&] {
            ++ready;
            for (std::int64_t last = 0; last < stores;) {
                const ProgressCounts counts = node.load();
                torn = torn || counts != same_in_every_word(counts.current);
                went_back = went_back || counts.current < last;
                last = counts.current;
            }
        });
    }
    while (ready < 3) {
        std::this_thread::yield();
    }
    for (std::int64_t number = 1; number <= stores; ++number) {
        node.store(same_in_every_word(number));
    }
    readers.clear();
    EXPECT_FALSE(torn);
    EXPECT_FALSE(went_back);
}

}  // namespace
}  // namespace ktrdr
