#include "../../../cpp/data/src/range_sets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace ktrdr {
namespace {

TimeRange seconds_from(std::int64_t start, std::int64_t end) {
    return {UtcTime{std::chrono::seconds{start}}, UtcTime{std::chrono::seconds{end}}};
}

/// The seconds that lie in one of them.
std::set<std::int64_t> seconds_of(const std::vector<TimeRange>& ranges) {
    std::set<std::int64_t> all;
    for (const TimeRange& range : ranges) {
        for (UtcTime at = range.start; at < range.end; at += std::chrono::seconds{1}) {
            all.insert(at.time_since_epoch() / std::chrono::seconds{1});
        }
    }
    return all;
}

TEST(RangeSets, HoldWhatTheirSecondsDo) {
    std::mt19937 random{7};
    const auto some = [&random] {
        std::vector<TimeRange> ranges(std::uniform_int_distribution<std::size_t>{0, 5}(random));
        for (TimeRange& range : ranges) {
            const auto start = std::uniform_int_distribution<std::int64_t>{0, 30}(random);
            range = seconds_from(start, start + std::uniform_int_distribution<std::int64_t>{1, 8}(random));
        }
        return ranges;
    };
    for (int round = 0; round < 2000; ++round) {
        const std::vector<TimeRange> given = some();
        const std::vector<TimeRange> ranges = joined(given);
        const std::vector<TimeRange> others = joined(some());
        ASSERT_EQ(seconds_of(ranges), seconds_of(given));
        for (std::size_t i = 1; i < ranges.size(); ++i) {
            ASSERT_LT(ranges[i - 1].end, ranges[i].start) << "two that touch";
        }
        std::set<std::int64_t> expected = seconds_of(ranges);
        for (const std::int64_t second : seconds_of(others)) {
            expected.erase(second);
        }
        const std::vector<TimeRange> left = without(ranges, others);
        ASSERT_EQ(seconds_of(left), expected);
        ASSERT_TRUE(std::ranges::none_of(left, &TimeRange::empty));
    }
}

}  // namespace
}  // namespace ktrdr
