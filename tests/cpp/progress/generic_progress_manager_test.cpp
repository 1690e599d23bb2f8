#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <tuple>
#include <utility>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/progress/generic_progress_manager.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class GenericManager : public testing::Test {
protected:
    ManualClock clock_{};
    GenericProgressManager manager_{clock_};
};

TEST_F(GenericManager, AsksForAnOperationFirst) {
    const auto updated = manager_.update_progress(1, std::nullopt, 0);
    EXPECT_EQ(updated.error().code, Errc::conflict);
    EXPECT_THAT(updated.error().message, HasSubstr("start_operation"));
    EXPECT_FALSE(manager_.state());
}

TEST_F(GenericManager, CountsTheStepsThemselves) {
    ASSERT_TRUE(manager_.start_operation("op_1", 4, {{"symbol", "AAPL"}}));
    const auto state = manager_.update_progress(1, "Reading", 10, {{"file", "a"}}).value().value();
    EXPECT_EQ(state.operation_id, "op_1");
    EXPECT_EQ(state.current_step, 1);
    EXPECT_EQ(state.total_steps, 4);
    EXPECT_DOUBLE_EQ(state.percentage, 25);
    EXPECT_EQ(state.items_processed, 10);
    EXPECT_EQ(state.message, "Reading [1/4]");
    EXPECT_EQ(state.context, (boost::json::object{{"symbol", "AAPL"}, {"file", "a"}}));
    const auto next = manager_.update_progress(2, std::nullopt, 0).value().value();
    EXPECT_EQ(next.items_processed, 10);
    EXPECT_EQ(next.message, "Reading [2/4]");
    EXPECT_GT(next.sequence, state.sequence);
    EXPECT_DOUBLE_EQ(manager_.update_progress(4, std::nullopt, 0).value()->percentage, 100);
}

TEST_F(GenericManager, GivesAStepItsShareOfTheBar) {
    ASSERT_TRUE(manager_.start_operation("op_1", 5));
    const auto begun = manager_.start_step({.name = "Second", .number = 2, .expected_items = 80}).value().value();
    EXPECT_DOUBLE_EQ(begun.step_start_percentage, 20);
    EXPECT_DOUBLE_EQ(begun.step_end_percentage, 40);
    EXPECT_DOUBLE_EQ(begun.percentage, 20);
    EXPECT_EQ(begun.total_items, 80);
    const auto half = manager_.update_step_progress(1, 2, 40, "part one").value().value();
    EXPECT_DOUBLE_EQ(half.percentage, 30);
    EXPECT_EQ(half.current_step, 2);
    EXPECT_EQ(half.step_current, 1);
    EXPECT_EQ(half.step_total, 2);
    EXPECT_EQ(half.items_processed, 40);
    EXPECT_EQ(half.message, "Second: part one [1/2]");
    EXPECT_DOUBLE_EQ(manager_.start_step({.name = "Own", .number = 3, .start_percentage = 50, .end_percentage = 90})
                         .value()
                         ->step_end_percentage,
                     90);
    EXPECT_DOUBLE_EQ(manager_.update_step_progress(1, 2, 0, "").value()->percentage, 70);
}

TEST_F(GenericManager, TellsTheTimeLeftOfStepsThatAreCounted) {
    ASSERT_TRUE(manager_.start_operation("op_1", 10));
    for (int step = 0; step <= 4; ++step) {
        ASSERT_TRUE(manager_.update_progress(step, std::nullopt, 0));
        clock_.advance(2s);
    }
    const auto state = manager_.update_progress(5, std::nullopt, 0).value().value();
    EXPECT_EQ(state.estimated_remaining, 10s);
}

TEST_F(GenericManager, StaysAtItsEnd) {
    ASSERT_TRUE(manager_.start_operation("op_1", 2));
    const auto done = manager_.complete_operation().value().value();
    EXPECT_DOUBLE_EQ(done.percentage, 100);
    EXPECT_EQ(done.estimated_remaining, 0s);
    EXPECT_FALSE(manager_.update_progress(1, "late", 0).value());
    EXPECT_FALSE(manager_.start_step({.name = "late"}).value());
    EXPECT_FALSE(manager_.complete_operation().value());
    EXPECT_EQ(manager_.state()->percentage, 100);
    EXPECT_DOUBLE_EQ(manager_.start_operation("op_2", 2).value()->percentage, 0);
}

TEST_F(GenericManager, NamesWhatIsNoNumberOfIts) {
    EXPECT_THAT(manager_.start_operation("op_1", -1).error().message, HasSubstr("total_steps"));
    ASSERT_TRUE(manager_.start_operation("op_1", 3));
    EXPECT_THAT(manager_.update_progress(-1, std::nullopt, 0).error().message, HasSubstr("step must"));
    EXPECT_THAT(manager_.update_step_progress(-1, 0, 0, "").error().message, HasSubstr("current"));
    EXPECT_THAT(manager_.update_step_progress(0, -1, 0, "").error().message, HasSubstr("total"));
    EXPECT_THAT(manager_.update_step_progress(0, 1, -1, "").error().message, HasSubstr("items_processed"));
    EXPECT_THAT(manager_.start_step({.start_percentage = std::nan("")}).error().message, HasSubstr("step_percentage"));
    EXPECT_THAT(manager_.start_step({.end_percentage = 101}).error().message, HasSubstr("step_end_percentage"));
}

TEST_F(GenericManager, WritesIntoAnOperationsTree) {
    const auto tree = std::make_shared<ProgressTree>("op_1", clock_);
    GenericProgressManager manager(tree, clock_);
    ASSERT_TRUE(manager.start_operation("", 2));
    EXPECT_DOUBLE_EQ(manager.update_progress(1, "Half", 0).value()->percentage, 50);
    EXPECT_EQ(tree->snapshot().message, "Half [1/2]");
    // The end belongs to the operation.
    EXPECT_DOUBLE_EQ(manager.complete_operation().value()->percentage, 50);
    EXPECT_THAT(tree->take_edges(), testing::SizeIs(1));
}

// Whatever the order of the calls: a percentage in 0..100 that never goes back, and a sequence that rises.
TEST_F(GenericManager, NeverGoesBackWhateverIsCalled) {
    std::mt19937 random(7);
    const auto number = [&random](std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>(0, most)(random);
    };
    for (int run = 0; run < 200; ++run) {
        double last = 0;
        std::uint64_t sequence = 0;
        ASSERT_TRUE(manager_.start_operation("op", number(5)));
        for (int call = 0; call < 50; ++call) {
            clock_.advance(std::chrono::milliseconds(number(2000)));
            const auto state = [&]() -> GenericProgressManager::Told {
                switch (number(2)) {
                    case 0: return manager_.start_step({.name = "s", .number = number(7)});
                    case 1: return manager_.update_step_progress(number(12), number(10), number(100), "");
                    default: return manager_.update_progress(number(7), std::nullopt, number(100));
                }
            }();
            ASSERT_TRUE(state && *state);
            ASSERT_GE((*state)->percentage, last);
            ASSERT_LE((*state)->percentage, 100);
            ASSERT_GT((*state)->sequence, sequence);
            last = (*state)->percentage;
            sequence = (*state)->sequence;
        }
    }
}

TEST_F(GenericManager, TakesUpdatesOfAHundredThreads) {
    constexpr int threads = 100;
    ASSERT_TRUE(manager_.start_operation("op", threads));
    std::vector<std::thread> running;
    for (int thread = 0; thread < threads; ++thread) {
        running.emplace_back([this, thread] {
            for (int i = 0; i < 50; ++i) {
                ASSERT_TRUE(manager_.update_progress(thread + 1, "at once", thread * 50 + i + 1));
            }
        });
    }
    for (auto& thread : running) {
        thread.join();
    }
    EXPECT_DOUBLE_EQ(manager_.state()->percentage, 100);
    EXPECT_DOUBLE_EQ(manager_.complete_operation().value()->percentage, 100);
}

/// What is left and the rate after step `step`, which has handled as many items.
std::pair<std::optional<std::chrono::milliseconds>, double> after(GenericProgressManager& manager, std::int64_t step) {
    const auto state = manager.update_progress(step, std::nullopt, step).value().value();
    return {state.estimated_remaining, state.rate};
}

TEST_F(GenericManager, BeginsTheFirstUnitWhenTheOperationStarts) {
    ASSERT_TRUE(manager_.start_operation("op", 10));
    for (int step = 1; step <= 9; ++step) {
        clock_.advance(1500ms);
        const auto [left, rate] = after(manager_, step);
        EXPECT_NEAR(rate, 1 / 1.5, 1e-9) << step;
        if (step >= 2) {
            EXPECT_EQ(left, (10 - step) * 1500ms) << step;
        }
    }
}

TEST_F(GenericManager, BeginsTheFirstUnitOfAStepWithTheStep) {
    ASSERT_TRUE(manager_.start_operation("op", 2));
    clock_.advance(60s);
    ASSERT_TRUE(manager_.start_step({.name = "Reading", .number = 1}));
    for (int unit = 1; unit <= 9; ++unit) {
        clock_.advance(1500ms);
        const auto state = manager_.update_step_progress(unit, 10, unit, "").value().value();
        EXPECT_NEAR(state.rate, 1 / 1.5, 1e-9) << unit;
        if (unit >= 2) {
            EXPECT_EQ(state.estimated_remaining, (10 - unit) * 1500ms) << unit;
        }
    }
}

TEST_F(GenericManager, IsNotMisledByStepsThatAnEarlierRunDid) {
    for (const auto at_once : {true, false}) {
        ASSERT_TRUE(manager_.start_operation("op", 50));
        if (at_once) {
            (void)after(manager_, 40);
        }
        clock_.advance(1500ms);
        auto [left, rate] = after(manager_, 41);
        for (int step = 42; step <= 49; ++step) {
            clock_.advance(1500ms);
            std::tie(left, rate) = after(manager_, step);
            EXPECT_EQ(left, (50 - step) * 1500ms) << step;
            EXPECT_NEAR(rate, 1 / 1.5, 1e-9) << step;
        }
    }
}

TEST_F(GenericManager, IsNotMisledByWorkThatCountsAStepAsItBegins) {
    ASSERT_TRUE(manager_.start_operation("op", 10));
    (void)after(manager_, 1);
    for (int step = 2; step <= 10; ++step) {
        clock_.advance(1500ms);
        const auto [left, rate] = after(manager_, step);
        EXPECT_EQ(left, (10 - step) * 1500ms) << step;
        if (step >= 3) {
            EXPECT_NEAR(rate, 1 / 1.5, 1e-9) << step;
        }
    }
}

TEST_F(GenericManager, CountsFromTheLastStartOfTheOperation) {
    const auto tree = std::make_shared<ProgressTree>("op", clock_);
    GenericProgressManager manager(tree, clock_);
    clock_.advance(60s);
    ASSERT_TRUE(manager.start_operation("op", 10));
    clock_.advance(1500ms);
    EXPECT_NEAR(after(manager, 1).second, 1 / 1.5, 1e-9);
    clock_.advance(1500ms);
    EXPECT_EQ(after(manager, 2).first, 12'000ms);
}

TEST_F(GenericManager, SaysNothingOfTheEndWithoutATotal) {
    ASSERT_TRUE(manager_.start_operation("op", 0));
    for (int step = 1; step <= 9; ++step) {
        clock_.advance(1500ms);
        const auto [left, rate] = after(manager_, step);
        EXPECT_EQ(left, std::nullopt);
        EXPECT_NEAR(rate, 1 / 1.5, 1e-9) << step;
    }
}

TEST_F(GenericManager, CountsTheStepsOfWorkThatNamedItsFirstOnes) {
    ASSERT_TRUE(manager_.start_operation("op", 10));
    clock_.advance(30s);
    ASSERT_TRUE(manager_.start_step({.name = "Opening", .number = 1}));
    clock_.advance(30s);
    (void)after(manager_, 4);
    for (int step = 5; step <= 9; ++step) {
        clock_.advance(1500ms);
        const auto [left, rate] = after(manager_, step);
        EXPECT_EQ(left, (10 - step) * 1500ms) << step;
        EXPECT_NEAR(rate, 1 / 1.5, 1e-9) << step;
    }
}

}  // namespace
}  // namespace ktrdr
