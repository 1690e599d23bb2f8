#include <ktrdr/features/split.hpp>

#include <gtest/gtest.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <random>

namespace ktrdr {
namespace {

using std::chrono::hours;

UtcTime at(std::size_t bar) {
    return UtcTime{hours{24 * static_cast<int>(bar)}};
}

struct Rows {
    std::vector<UtcTime> starts{};
    std::vector<UtcTime> ends{};
};

/// Daily rows whose labels look `lookahead` bars on.
Rows daily_rows(std::size_t count, std::size_t lookahead) {
    Rows rows;
    for (std::size_t row = 0; row < count; ++row) {
        rows.starts.push_back(at(row));
        rows.ends.push_back(at(row + lookahead + 1));
    }
    return rows;
}

TEST(SplitInTime, TakesTheOldestForTrainingAndTheNewestForTheTest) {
    const Rows rows = daily_rows(20, 0);
    const SplitRows parts = split_in_time({rows.starts, rows.ends}, {0.7, 0.15, 0.15});
    EXPECT_EQ(parts.train.size(), 14u);
    EXPECT_THAT(parts.validation, ::testing::ElementsAre(14, 15, 16));
    EXPECT_THAT(parts.test, ::testing::ElementsAre(17, 18, 19));
    EXPECT_EQ(parts.purged, 0u);
}

TEST(SplitInTime, PurgesRowsWhoseLabelLooksIntoTheNextPart) {
    const Rows rows = daily_rows(20, 2);
    const SplitRows parts = split_in_time({rows.starts, rows.ends}, {0.5, 0.25, 0.25});
    // Row 7 looks at bars up to 9, and bar 10 is the first of the validation.
    EXPECT_EQ(parts.train.back(), 7u);
    EXPECT_EQ(parts.validation.front(), 10u);
    EXPECT_EQ(parts.validation.back(), 12u);
    EXPECT_EQ(parts.test.front(), 15u);
    EXPECT_EQ(parts.test.back(), 19u);
    EXPECT_EQ(parts.purged, 4u);
}

TEST(SplitInTime, CountsSharesThatBinaryCannotHoldExactly) {
    const Rows rows = daily_rows(100, 0);
    const SplitRows parts = split_in_time({rows.starts, rows.ends}, {0.7, 0.15, 0.15});
    EXPECT_EQ(parts.train.size(), 70u);
    EXPECT_EQ(parts.validation.size(), 15u);
    EXPECT_EQ(parts.test.size(), 15u);
}

TEST(SplitInTime, NeverLetsALabelOfAnEarlierPartReachALaterOne) {
    std::mt19937 generator(7);
    for (int round = 0; round < 200; ++round) {
        const std::size_t count = std::uniform_int_distribution<std::size_t>(0, 60)(generator);
        Rows rows = daily_rows(count, 0);
        for (std::size_t row = 0; row < count; ++row) {
            rows.ends[row] = at(row + 1 + std::uniform_int_distribution<std::size_t>(0, 9)(generator));
        }
        const SplitRows parts = split_in_time({rows.starts, rows.ends}, {0.6, 0.2, 0.2});
        for (const std::size_t earlier : parts.train) {
            for (const std::size_t later : parts.validation) {
                EXPECT_LE(rows.ends[earlier], rows.starts[later]);
            }
        }
        for (const std::size_t earlier : parts.validation) {
            for (const std::size_t later : parts.test) {
                EXPECT_LE(rows.ends[earlier], rows.starts[later]);
            }
        }
        EXPECT_EQ(parts.train.size() + parts.validation.size() + parts.test.size() + parts.purged, count);
    }
}

TEST(CutTimes, AreOnePairForAllSymbols) {
    // Of one symbol a hundred days, of another the last thirty of them.
    const Rows longer = daily_rows(100, 0);
    Rows shorter = longer;
    shorter.starts.erase(shorter.starts.begin(), shorter.starts.begin() + 70);
    shorter.ends.erase(shorter.ends.begin(), shorter.ends.begin() + 70);
    std::vector<UtcTime> together = longer.starts;
    together.insert(together.end(), shorter.starts.begin(), shorter.starts.end());
    const CutTimes cuts = cut_times(together, {0.7, 0.15, 0.15});
    // 91 of 130 rows are 70 of the first 70 days and 21 of two a day.
    EXPECT_EQ(cuts, (CutTimes{at(80), at(90)}));
    const SplitRows one = split_at({longer.starts, longer.ends}, cuts);
    const SplitRows other = split_at({shorter.starts, shorter.ends}, cuts);
    EXPECT_EQ(one.train.size(), 80U);
    EXPECT_EQ(other.train.size(), 10U);
    EXPECT_EQ(longer.starts[one.test.front()], shorter.starts[other.test.front()]);
}

TEST(CutTimes, NeverPartRowsThatBeginTogether) {
    std::mt19937 generator(3);
    for (int round = 0; round < 200; ++round) {
        std::vector<UtcTime> starts;
        for (std::size_t row = 0; row < 200; ++row) {
            starts.push_back(at(generator() % 30));
        }
        const SplitRows parts = split_in_time({starts, starts}, {0.5, 0.25, 0.25});
        const auto spans = [&starts](const std::vector<std::size_t>& part) {
            const auto [least, most] = std::ranges::minmax(part, {}, [&](std::size_t row) { return starts[row]; });
            return std::pair{starts[least], starts[most]};
        };
        EXPECT_LT(spans(parts.train).second, spans(parts.validation).first);
        EXPECT_LT(spans(parts.validation).second, spans(parts.test).first);
        EXPECT_EQ(parts.purged, 0U);
    }
}

TEST(CutTimes, BeforeATestThatIsToldWhenToBeginAreCutAsTheOtherSharesAre) {
    std::vector<UtcTime> starts;
    for (int day = 0; day < 100; ++day) {
        starts.push_back(UtcTime{} + day * std::chrono::hours{24});
    }
    const CutTimes cuts = cut_times_before(starts, {0.6, 0.2, 0.2}, starts[80]);
    EXPECT_EQ(cuts.validation, starts[60]);
    EXPECT_EQ(cuts.test, starts[80]);
    // Without a row before it nothing trains.
    EXPECT_EQ(cut_times_before(starts, {0.6, 0.2, 0.2}, starts[0]), (CutTimes{starts[0], starts[0]}));
}

TEST(CutTimes, OfNothingAreTheEndOfTime) {
    EXPECT_EQ(cut_times({}, {}), CutTimes{});
    EXPECT_TRUE(split_in_time({}, {}).test.empty());
}

TEST(SplitShares, MustBeFractionsThatAddUpToOne) {
    EXPECT_TRUE(check_shares({}));
    EXPECT_EQ(check_shares({0.7, 0, 0.3}).error().message, "data_split.validation is 0; it must lie between 0 and 1");
    EXPECT_EQ(check_shares({0.7, 0.2, 0.2}).error().context.at("field"), "data_split");
}

}  // namespace
}  // namespace ktrdr
