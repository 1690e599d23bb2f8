#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>
#include <cmath>
#include <random>
#include <stdexcept>
#include <thread>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/progress/tree.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::DoubleNear;
using testing::ElementsAre;
using testing::Field;
using testing::Optional;

ProgressCounts counts(std::int64_t current, std::int64_t total, std::int64_t items = 0, std::int64_t total_items = 0) {
    return {current, total, items, total_items};
}

class Tree : public testing::Test {
protected:
    Tree() { tree_.set_steps({{"Preparing", 1, {}}, {"Training", 8, {"loss", "accuracy"}}, {"Saving", 1, {}}}); }

    ManualClock clock_{};
    ProgressTree tree_{"op_1", clock_};
};

TEST_F(Tree, BeginsAtNought) {
    const auto state = tree_.snapshot();
    EXPECT_EQ(state.operation_id, "op_1");
    EXPECT_EQ(state.percentage, 0);
    EXPECT_EQ(state.current_step, 0);
    EXPECT_EQ(state.total_steps, 3);
    EXPECT_EQ(state.start_time, clock_.utc_now());
    EXPECT_EQ(state.message, "Working");
}

TEST_F(Tree, GivesEachStepItsShare) {
    tree_.enter(1);
    const auto state = tree_.snapshot();
    EXPECT_EQ(state.current_step, 2);
    EXPECT_EQ(state.step_name, "Training");
    EXPECT_DOUBLE_EQ(state.step_start_percentage, 10);
    EXPECT_DOUBLE_EQ(state.step_end_percentage, 90);
    EXPECT_DOUBLE_EQ(state.percentage, 10);
}

TEST_F(Tree, CountsTheUnitInWorkAsAFraction) {
    tree_.enter(1);
    tree_.outer().store(counts(2, 4));
    tree_.inner().store(counts(50, 100));
    const auto state = tree_.snapshot();
    EXPECT_DOUBLE_EQ(state.percentage, 10 + 80 * 2.5 / 4);
    EXPECT_EQ(state.step_current, 2);
    EXPECT_EQ(state.step_total, 4);
    EXPECT_EQ(state.message, "Training [2/4]");
}

TEST_F(Tree, TakesAStepWithoutUnitsAsOne) {
    tree_.enter(2);
    tree_.inner().store(counts(1, 2));
    EXPECT_DOUBLE_EQ(tree_.snapshot().percentage, 95);
}

TEST_F(Tree, KnowsNothingOfAnUnknownTotal) {
    tree_.enter(1);
    tree_.outer().store(counts(7, 0));
    EXPECT_DOUBLE_EQ(tree_.snapshot().percentage, 10);
}

TEST_F(Tree, NeverGoesBackWhenATotalGrows) {
    tree_.enter(1);
    tree_.outer().store(counts(2, 4));
    EXPECT_DOUBLE_EQ(tree_.snapshot().percentage, 50);
    tree_.outer().store(counts(2, 8));
    EXPECT_DOUBLE_EQ(tree_.snapshot().percentage, 50);
    tree_.outer().store(counts(6, 8));
    EXPECT_DOUBLE_EQ(tree_.snapshot().percentage, 70);
}

TEST_F(Tree, IsFullOnlyWhenFinished) {
    tree_.enter(2);
    tree_.outer().store(counts(9, 3));
    EXPECT_LT(tree_.snapshot().percentage, 100);
    tree_.finish();
    const auto state = tree_.snapshot();
    EXPECT_EQ(state.percentage, 100);
    EXPECT_THAT(state.estimated_remaining, Optional(0ms));
}

TEST_F(Tree, IsAtItsLastStepWhenFinished) {
    EXPECT_EQ(tree_.snapshot().current_step, 0);
    tree_.enter(1);
    tree_.finish();
    EXPECT_EQ(tree_.snapshot().current_step, 3);
    EXPECT_EQ(tree_.take_edges().back().current_step, 3);

    ProgressTree counted("op_2", clock_);
    counted.set_total_steps(5);
    counted.enter(ProgressRange{});
    counted.outer().store(counts(2, 5));
    EXPECT_EQ(counted.snapshot().current_step, 2);
    counted.finish();
    EXPECT_EQ(counted.snapshot().current_step, 5);

    ProgressTree without_steps("op_3", clock_);
    without_steps.finish();
    EXPECT_EQ(without_steps.snapshot().current_step, 0);
}

TEST_F(Tree, KeepsNoTextWithoutEnd) {
    const std::string large(50'000'000, 'x');
    tree_.enter(ProgressRange{.name = large + "\xe9"});
    tree_.set_detail(large);
    for (int i = 0; i < 100; ++i) {
        tree_.set_context({{fmt::format("key {}", i), std::string(5000, 'x')}, {"large", "caf\xe9"}});
    }
    auto state = tree_.snapshot();
    EXPECT_LE(state.step_name.size(), longest_name);
    EXPECT_LE(state.detail.size(), longest_text);
    EXPECT_LE(state.message.size(), longest_text);
    EXPECT_THAT(state.message, testing::EndsWith("bytes in all)"));
    EXPECT_LE(boost::json::serialize(state.context).size(), 2 * most_facts);
    EXPECT_EQ(state.context.at("large"), R"(caf\xe9)");
    tree_.close(large);
    EXPECT_LE(tree_.snapshot().message.size(), longest_text);
}

TEST_F(Tree, StaysWhereItWasWhenClosed) {
    tree_.enter(1);
    tree_.outer().store(counts(2, 4));
    tree_.close("Cancelled at epoch 3");
    const auto state = tree_.snapshot();
    EXPECT_DOUBLE_EQ(state.percentage, 50);
    EXPECT_EQ(state.message, "Cancelled at epoch 3");
    EXPECT_EQ(state.estimated_remaining, std::nullopt);
}

TEST_F(Tree, LosesNoEdge) {
    tree_.enter(0);
    tree_.enter(1);
    tree_.enter(2);
    tree_.finish();
    tree_.finish();
    EXPECT_THAT(tree_.take_edges(),
                ElementsAre(Field(&ProgressState::step_name, "Preparing"), Field(&ProgressState::step_name, "Training"),
                            Field(&ProgressState::step_name, "Saving"), Field(&ProgressState::percentage, 100.0)));
    EXPECT_TRUE(tree_.take_edges().empty());
}

TEST_F(Tree, NumbersItsStates) {
    tree_.enter(0);
    const auto first = tree_.snapshot().sequence;
    tree_.enter(1);
    EXPECT_GT(tree_.snapshot().sequence, tree_.take_edges().back().sequence);
    EXPECT_GT(tree_.snapshot().sequence, first);
}

TEST_F(Tree, VersionChangesWithWhatAReaderSees) {
    auto last = tree_.version();
    const auto changed = [&] { return std::exchange(last, tree_.version()) != last; };
    EXPECT_FALSE(changed());
    tree_.enter(0);
    EXPECT_TRUE(changed());
    (void)tree_.snapshot();
    EXPECT_FALSE(changed());
    tree_.outer().store(counts(1, 2));
    EXPECT_TRUE(changed());
    tree_.inner().store(counts(1, 2));
    EXPECT_TRUE(changed());
    tree_.set_context({{"symbol", "AAPL"}});
    EXPECT_TRUE(changed());
    tree_.finish();
    EXPECT_TRUE(changed());
}

TEST_F(Tree, MergesContext) {
    tree_.set_context({{"symbol", "AAPL"}, {"mode", "full"}});
    tree_.set_context({{"mode", "local"}});
    EXPECT_EQ(tree_.snapshot().context, (boost::json::object{{"symbol", "AAPL"}, {"mode", "local"}}));
}

TEST_F(Tree, ShowsTheMetricsThereAre) {
    tree_.enter(1);
    EXPECT_FALSE(tree_.snapshot().context.contains("metrics"));
    ProgressCounts inner = counts(1, 2);
    inner.metrics = {0.75, std::nan("")};
    tree_.inner().store(inner);
    EXPECT_EQ(tree_.snapshot().context.at("metrics"), (boost::json::object{{"loss", 0.75}}));
    tree_.enter(2);
    EXPECT_FALSE(tree_.snapshot().context.contains("metrics"));
}

TEST_F(Tree, NamesSixteenMetrics) {
    ProgressStep step{"Training", 1, {}};
    ProgressCounts inner = counts(1, 2);
    for (int i = 0; i < 16; ++i) {
        step.metrics.push_back(fmt::format("metric {}", i));
        inner.metrics.push_back(i);
    }
    tree_.set_steps({step});
    tree_.enter(0);
    tree_.inner().store(inner);
    const auto metrics = tree_.snapshot().context.at("metrics").as_object();
    EXPECT_EQ(metrics.size(), 16U);
    EXPECT_EQ(metrics.at("metric 15"), 15.0);
}

TEST_F(Tree, ShowsEpochAndBatchOfTheStepInWork) {
    tree_.enter(1);
    EXPECT_EQ(tree_.snapshot().epoch, 0);
    tree_.inner().store({.epoch = 2, .total_epochs = 50, .batch = 17, .total_batches = 500});
    const auto state = tree_.snapshot();
    EXPECT_EQ(state.epoch, 2);
    EXPECT_EQ(state.total_epochs, 50);
    EXPECT_EQ(state.batch, 17);
    EXPECT_EQ(state.total_batches, 500);
    tree_.enter(2);
    EXPECT_EQ(tree_.snapshot().epoch, 0);
    EXPECT_EQ(tree_.snapshot().total_batches, 0);
}

TEST_F(Tree, KeepsTheItemsFromStepToStep) {
    tree_.enter(0);
    tree_.outer().store(counts(1, 1, 300, 900));
    tree_.enter(1);
    const auto state = tree_.snapshot();
    EXPECT_EQ(state.items_processed, 300);
    EXPECT_EQ(state.total_items, 900);
    EXPECT_EQ(state.step_current, 0);
}

TEST_F(Tree, MeasuresTheRateOfTheStep) {
    tree_.enter(0);
    tree_.outer().store(counts(1, 1, 300));
    clock_.advance(10s);
    tree_.enter(1);
    EXPECT_EQ(tree_.snapshot().rate, 0);
    clock_.advance(2s);
    tree_.inner().store(counts(1, 1, 500));
    EXPECT_DOUBLE_EQ(tree_.snapshot().rate, 100);
}

TEST_F(Tree, EstimatesWhatIsLeftOfTheStep) {
    tree_.enter(1);
    for (int epoch = 1; epoch <= 4; ++epoch) {
        clock_.advance(2s);
        tree_.outer().store(counts(epoch, 10));
        (void)tree_.snapshot();
    }
    EXPECT_THAT(tree_.snapshot().estimated_remaining, Optional(12'000ms));
    tree_.enter(2);
    EXPECT_EQ(tree_.snapshot().estimated_remaining, std::nullopt);
}

TEST_F(Tree, CountsUnitsWithoutAStepFromTheBeginningOfTheWork) {
    clock_.advance(60s);  // It waited for its turn.
    tree_.work_begins();
    clock_.advance(1500ms);
    tree_.enter(ProgressRange{});
    tree_.outer().store(counts(1, 10, 1));
    EXPECT_NEAR(tree_.snapshot().rate, 1 / 1.5, 1e-9);
    clock_.advance(1500ms);
    tree_.outer().store(counts(2, 10, 2));
    EXPECT_THAT(tree_.snapshot().estimated_remaining, Optional(12'000ms));
}

TEST_F(Tree, WorksWithoutDeclaredSteps) {
    ProgressTree plain("op_2", clock_);
    plain.enter(0);
    plain.outer().store(counts(1, 4));
    EXPECT_DOUBLE_EQ(plain.snapshot().percentage, 25);
    EXPECT_THROW(plain.enter(1), ErrorException);
}

TEST_F(Tree, RefusesMisuse) {
    EXPECT_THROW(tree_.enter(3), ErrorException);
    EXPECT_THROW(tree_.set_steps({{"a", 0, {}}}), ErrorException);
    EXPECT_THROW(tree_.set_steps({{"a", std::nan(""), {}}}), ErrorException);
    EXPECT_THROW(tree_.set_steps({{"a", 1, std::vector<std::string>(ProgressCounts::metric_limit + 1, "m")}}),
                 ErrorException);
}

class Shouting final : public ProgressRenderer {
public:
    std::string render_message(const ProgressState& state) const override {
        return state.step_name + "! " + std::string(state.context.at("extra").as_string());
    }
    ProgressState enhance_state(ProgressState state) const override {
        state.context["extra"] = "yes";
        return state;
    }
};

/// Throws for a state whose detail says so.
class Failing final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override {
        if (state.detail == "throw") {
            throw std::runtime_error("no words");
        }
        if (state.detail == "throw a number") {
            throw 5;
        }
        return "said " + state.detail;
    }
    [[nodiscard]] ProgressState enhance_state(ProgressState state) const override {
        if (state.detail == "no state") {
            throw std::runtime_error("no state");
        }
        state.context["seen"] = true;
        return state;
    }
};

TEST_F(Tree, KeepsTheLastSentenceOfARendererThatThrows) {
    tree_.set_renderer(std::make_shared<Failing>());
    for (const auto* const detail : {"throw", "throw a number", "no state"}) {
        tree_.enter(1);
        tree_.set_detail("one");
        EXPECT_EQ(tree_.snapshot().message, "said one");
        tree_.set_detail(detail);
        const auto state = tree_.snapshot();
        EXPECT_EQ(state.message, "said one");
        EXPECT_EQ(state.detail, detail);
        EXPECT_EQ(state.current_step, 2);
        tree_.set_detail("two");
        EXPECT_EQ(tree_.snapshot().message, "said two");
    }
    tree_.set_detail("throw");
    tree_.close("it failed");
    EXPECT_EQ(tree_.take_edges().back().message, "it failed");
}

TEST_F(Tree, LetsTheRendererSpeak) {
    tree_.set_renderer(std::make_shared<Shouting>());
    tree_.enter(0);
    EXPECT_EQ(tree_.snapshot().message, "Preparing! yes");
}

TEST_F(Tree, PercentageRisesWhateverTheWorkerStores) {
    std::mt19937 random(7);  // NOLINT: a fixed seed makes a failure repeatable.
    std::uniform_int_distribution<std::int64_t> any(-3, 12);
    for (int round = 0; round < 200; ++round) {
        ProgressTree tree("op", clock_);
        tree.set_steps({{"a", 1, {}}, {"b", 5, {}}, {"c", 2, {}}});
        double last = 0;
        for (std::size_t step = 0; step < 3; ++step) {
            tree.enter(step);
            for (int i = 0; i < 20; ++i) {
                tree.outer().store(counts(any(random), any(random)));
                tree.inner().store(counts(any(random), any(random)));
                const auto state = tree.snapshot();
                ASSERT_GE(state.percentage, last);
                ASSERT_LT(state.percentage, 100);
                ASSERT_LE(state.percentage, std::max(last, state.step_end_percentage));
                last = state.percentage;
            }
        }
    }
}

TEST_F(Tree, IsReadWhileItIsWritten) {
    std::jthread worker([this] {
        for (std::size_t step = 0; step < 3; ++step) {
            tree_.enter(step);
            for (int unit = 0; unit < 2000; ++unit) {
                tree_.inner().store(counts(0, 10));
                tree_.outer().store(counts(unit, 2000));
            }
        }
        tree_.finish();
    });
    double last = 0;
    std::uint64_t sequence = 0;
    std::size_t edges = 0;
    while (last < 100) {
        const auto state = tree_.snapshot();
        ASSERT_GE(state.percentage, last);
        ASSERT_GT(state.sequence, sequence);
        last = state.percentage;
        sequence = state.sequence;
        edges += tree_.take_edges().size();
    }
    EXPECT_EQ(edges + tree_.take_edges().size(), 4U);
}

}  // namespace
}  // namespace ktrdr
