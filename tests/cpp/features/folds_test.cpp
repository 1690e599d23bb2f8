#include <ktrdr/features/folds.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace ktrdr {
namespace {

using std::chrono::hours;
using ::testing::ElementsAre;

struct Rows {
    std::vector<UtcTime> starts{};
    std::vector<UtcTime> ends{};
    [[nodiscard]] RowTimes times() const { return {starts, ends}; }
};

UtcTime hour_at(std::size_t of) {
    return UtcTime{hours{static_cast<int>(of)}};
}

Rows rows_at(const std::vector<std::size_t>& starts, std::size_t lookahead) {
    Rows rows;
    for (const std::size_t start : starts) {
        rows.starts.push_back(hour_at(start));
        rows.ends.push_back(hour_at(start + lookahead + 1));
    }
    return rows;
}

Rows every_hour(std::size_t count, std::size_t lookahead) {
    std::vector<std::size_t> starts(count);
    for (std::size_t row = 0; row < count; ++row) {
        starts[row] = row;
    }
    return rows_at(starts, lookahead);
}

/// Rows of several symbols in any order, labels of any length.
Rows any_rows(std::mt19937& random) {
    Rows rows;
    const std::size_t count = 20 + random() % 200;
    for (std::size_t row = 0; row < count; ++row) {
        rows.starts.push_back(hour_at(random() % count));
        rows.ends.push_back(rows.starts.back() + hours{1 + static_cast<int>(random() % 12)});
    }
    return rows;
}

TEST(WalkForward, TestsTheNewestRowsOneAfterTheOther) {
    const Rows rows = every_hour(12, 1);
    const WalkForwardRule rule{.splits = 3};
    const Fold first = walk_forward_fold(rows.times(), rule, 0).value();
    // The label of row 2 is known with bar 3, the first of the test.
    EXPECT_THAT(first.train, ElementsAre(0, 1));
    EXPECT_THAT(first.test, ElementsAre(3, 4, 5));
    EXPECT_EQ(first.purged, 1U);
    const Fold last = walk_forward_fold(rows.times(), rule, 2).value();
    EXPECT_THAT(last.train, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
    EXPECT_THAT(last.test, ElementsAre(9, 10, 11));
}

TEST(WalkForward, TrainsOnTheNewestRowsOnlyWhereThatIsAsked) {
    const Rows rows = every_hour(12, 0);
    const Fold fold = walk_forward_fold(rows.times(), {.splits = 2, .test_rows = 2, .train_rows = 4}, 1).value();
    EXPECT_THAT(fold.train, ElementsAre(6, 7, 8, 9));
    EXPECT_THAT(fold.test, ElementsAre(10, 11));
}

TEST(PurgedFolds, LeaveOutWhatKnowsOfTheTest) {
    const Rows rows = every_hour(12, 1);
    const Fold fold = purged_fold(rows.times(), 3, 1).value();
    EXPECT_THAT(fold.test, ElementsAre(4, 5, 6, 7));
    // Row 3 is known with bar 4; the label of row 7 looks at bar 8.
    EXPECT_THAT(fold.train, ElementsAre(0, 1, 2, 9, 10, 11));
    EXPECT_EQ(fold.purged, 2U);
}

TEST(PurgedFolds, TestEveryRowOnce) {
    std::mt19937 random(5);
    for (int round = 0; round < 200; ++round) {
        const Rows rows = any_rows(random);
        const std::size_t folds = 2 + random() % 7;
        std::vector<int> tested(rows.starts.size());
        bool all = true;
        for (std::size_t index = 0; index < folds; ++index) {
            const auto fold = purged_fold(rows.times(), folds, index);
            all = all && fold.has_value();
            for (const std::size_t row : fold ? fold->test : std::vector<std::size_t>{}) {
                ++tested[row];
            }
        }
        if (all) {
            EXPECT_THAT(tested, ::testing::Each(1));
        }
        EXPECT_THAT(tested, ::testing::Each(::testing::Le(1)));
    }
}

TEST(Folds, NeverTrainOnARowThatKnowsOfTheTest) {
    std::mt19937 random(7);
    for (int round = 0; round < 300; ++round) {
        const Rows rows = any_rows(random);
        const std::size_t folds = 2 + random() % 5;
        const std::size_t index = random() % folds;
        for (const Result<Fold>& made :
             {purged_fold(rows.times(), folds, index), walk_forward_fold(rows.times(), {.splits = folds}, index)}) {
            if (!made) {
                continue;
            }
            const Fold& fold = *made;
            EXPECT_TRUE(std::ranges::is_sorted(fold.train));
            EXPECT_TRUE(std::ranges::is_sorted(fold.test));
            for (const std::size_t train : fold.train) {
                for (const std::size_t test : fold.test) {
                    ASSERT_TRUE(rows.ends[train] <= rows.starts[test] || rows.ends[test] <= rows.starts[train]);
                }
            }
        }
    }
}

TEST(Folds, AreRefusedWithoutARowOnASide) {
    // Of two times, the one or the other is parted from nothing.
    const Rows crowded = rows_at({0, 0, 0, 0, 1, 1, 1, 1}, 0);
    const Rows far = every_hour(12, 11);
    const std::vector<Result<Fold>> refused{
        purged_fold(crowded.times(), 4, 0),
        walk_forward_fold(crowded.times(), {.splits = 3, .test_rows = 2}, 0),
        purged_fold(far.times(), 3, 1),
        walk_forward_fold(far.times(), {.splits = 3}, 0),
        walk_forward_fold(every_hour(12, 3).times(), {.splits = 3, .train_rows = 1}, 2),
    };
    for (std::size_t i = 0; i < refused.size(); ++i) {
        ASSERT_FALSE(refused[i]) << i;
        EXPECT_EQ(refused[i].error().code, Errc::invalid_argument) << i;
        EXPECT_EQ(refused[i].error().context.at("field"), "n_splits") << i;
    }
    std::mt19937 random(4);
    for (int round = 0; round < 500; ++round) {
        const Rows rows = any_rows(random);
        const std::size_t folds = 2 + random() % 19;
        for (const auto& fold : {purged_fold(rows.times(), folds, random() % folds),
                                 walk_forward_fold(rows.times(), {.splits = folds}, random() % folds)}) {
            EXPECT_TRUE(!fold || (!fold->train.empty() && !fold->test.empty()));
        }
    }
}

TEST(WalkForward, NeverTrainsOnWhatIsLater) {
    std::mt19937 random(9);
    for (int round = 0; round < 200; ++round) {
        const Rows rows = any_rows(random);
        const Fold fold = walk_forward_fold(rows.times(), {.splits = 3}, random() % 3).value();
        for (const std::size_t train : fold.train) {
            for (const std::size_t test : fold.test) {
                ASSERT_LE(rows.ends[train], rows.starts[test]);
            }
        }
    }
}

TEST(Folds, RefuseMoreThanThereIs) {
    const Rows rows = every_hour(10, 0);
    const auto field = [](const auto& fold) { return std::string(fold.error().context.at("field").as_string()); };
    EXPECT_EQ(field(purged_fold(rows.times(), 1, 0)), "n_splits");
    EXPECT_EQ(field(purged_fold(rows.times(), 11, 0)), "n_splits");
    EXPECT_EQ(field(purged_fold(rows.times(), 5, 5)), "index");
    EXPECT_EQ(field(walk_forward_fold(rows.times(), {.splits = 0}, 0)), "n_splits");
    EXPECT_EQ(field(walk_forward_fold(rows.times(), {.splits = 5, .test_rows = 2}, 0)), "test_size");
    EXPECT_EQ(field(walk_forward_fold(rows.times(), {.splits = 10}, 0)), "test_size");
    EXPECT_EQ(field(walk_forward_fold(rows.times(), {.splits = 2, .train_rows = 0}, 0)), "max_train_size");
    EXPECT_EQ(field(walk_forward_fold(rows.times(), {.splits = 2}, 2)), "index");
}

}  // namespace
}  // namespace ktrdr
