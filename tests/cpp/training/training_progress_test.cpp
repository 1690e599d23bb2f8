#include <ktrdr/training/training_progress.hpp>

#include <gmock/gmock.h>

#include <ktrdr/base/manual.hpp>

namespace ktrdr {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

struct TrainingProgress : ::testing::Test {
    ManualClock clock{};
    ProgressTree tree{"op_1", clock};
    TrainingProgressBridge bridge{tree};

    TrainingProgress() {
        tree.set_steps(training_steps());
        tree.set_renderer(std::make_shared<TrainingProgressRenderer>());
        tree.set_context(
            {{"model_type", "mlp"}, {"symbols", {"AAPL", "MSFT"}}, {"timeframes", {"1d"}}, {"total_epochs", 50}});
    }
    std::string message() { return tree.snapshot().message; }
    double percentage() { return tree.snapshot().percentage; }
    void begin_training() { bridge.on_training({50, 16000, 32}); }
};

TEST_F(TrainingProgress, SaysEpochAndBatch) {
    begin_training();
    bridge.on_batch(15, 342, 500, 0.7);
    EXPECT_EQ(message(), "Training MLP model on AAPL, MSFT [1d] [epoch 15/50] (batch 342/500)");
}

TEST_F(TrainingProgress, SaysWhatIsPreparedOfWhich) {
    bridge.on_initializing();
    EXPECT_EQ(message(), "Training MLP model on AAPL, MSFT [1d] loading LibTorch");
    bridge.on_preparation("MSFT", 1, 2, "indicators", 1, 5);
    EXPECT_EQ(message(), "Training MLP model on AAPL, MSFT [1d] preparing MSFT: indicators [2/2]");
}

TEST_F(TrainingProgress, NamesEvaluationAndSaving) {
    bridge.on_evaluation();
    EXPECT_EQ(message(), "Training MLP model on AAPL, MSFT [1d] evaluating");
    bridge.on_saving();
    EXPECT_EQ(message(), "Training MLP model on AAPL, MSFT [1d] saving");
}

TEST_F(TrainingProgress, CarriesEpochBatchAndMetricsInTheContext) {
    begin_training();
    bridge.on_batch(1, 10, 500, 0.9);
    boost::json::object context = tree.snapshot().context;
    EXPECT_EQ(context.at("current_epoch"), 1);
    EXPECT_EQ(context.at("total_epochs"), 50);
    EXPECT_EQ(context.at("current_batch"), 10);
    EXPECT_EQ(context.at("total_batches"), 500);
    // What is not known yet is not there.
    EXPECT_EQ(context.at("metrics"), (boost::json::object{{"train_loss", 0.9}}));
    bridge.on_epoch({1, 0.8, 0.5, 0.85, 0.45, 0.001, true});
    bridge.on_batch(2, 1, 500, 0.7);
    context = tree.snapshot().context;
    EXPECT_EQ(context.at("metrics"),
              (boost::json::object{{"train_loss", 0.7}, {"val_loss", 0.85}, {"val_accuracy", 0.45}}));
    EXPECT_EQ(context.at("model_type"), "mlp");
}

TEST_F(TrainingProgress, HasEpochAndBatchAsFields) {
    begin_training();
    EXPECT_EQ(tree.snapshot().epoch, 0);
    EXPECT_EQ(tree.snapshot().total_epochs, 50);
    bridge.on_batch(2, 10, 500, 0.9);
    ProgressState state = tree.snapshot();
    EXPECT_EQ(state.epoch, 2);
    EXPECT_EQ(state.batch, 10);
    EXPECT_EQ(state.total_batches, 500);
    bridge.on_epoch({2, 0.8, 0.5, 0.85, 0.45, 0.001, true});
    state = tree.snapshot();
    EXPECT_EQ(state.epoch, 2);
    EXPECT_EQ(state.batch, 500);
    bridge.on_evaluation();
    EXPECT_EQ(tree.snapshot().epoch, 0);
}

TEST(TrainingProgressRenderer, BelievesTheFieldsAndReadsTheContextOnlyWhereThereAreNone) {
    const TrainingProgressRenderer renderer;
    ProgressState state;
    state.step_name = "training";
    state.context = {{"current_epoch", 15}, {"total_epochs", 50}, {"current_batch", 342}, {"total_batches", 500}};
    EXPECT_EQ(renderer.enhance_state(state).batch, 342);
    EXPECT_THAT(renderer.render_message(state), HasSubstr("[epoch 15/50] (batch 342/500)"));
    state.epoch = 16;
    state.batch = 1;
    EXPECT_EQ(renderer.enhance_state(state).context.at("current_epoch"), 16);
    EXPECT_THAT(renderer.render_message(state), HasSubstr("[epoch 16/50] (batch 1/500)"));
    state.context["total_batches"] = "many";
    EXPECT_THAT(renderer.render_message(state), EndsWith("[epoch 16/50]"));
}

TEST_F(TrainingProgress, SpreadsTheStepsOverTheBar) {
    bridge.on_initializing();
    EXPECT_EQ(percentage(), 0);
    bridge.on_preparation("AAPL", 0, 2, "loading", 0, 5);
    EXPECT_NEAR(percentage(), 1, 1e-9);
    bridge.on_preparation("MSFT", 1, 2, "loading", 0, 5);
    EXPECT_NEAR(percentage(), 5.5, 1e-9);
    begin_training();
    EXPECT_NEAR(percentage(), 10, 1e-9);
    bridge.on_batch(25, 250, 500, 1);
    EXPECT_NEAR(percentage(), 10 + 85 * 24.5 / 50, 1e-9);
    bridge.on_evaluation();
    EXPECT_NEAR(percentage(), 95, 1e-9);
    bridge.on_saving();
    EXPECT_NEAR(percentage(), 97, 1e-9);
    tree.finish();
    EXPECT_EQ(percentage(), 100);
}

TEST_F(TrainingProgress, CountsSamplesToTheLastShortBatch) {
    bridge.on_training({2, 100, 32});
    bridge.on_batch(1, 4, 4, 1);
    EXPECT_EQ(tree.snapshot().items_processed, 100);
    EXPECT_EQ(tree.snapshot().total_items, 200);
    bridge.on_batch(2, 1, 4, 1);
    EXPECT_EQ(tree.snapshot().items_processed, 132);
}

TEST(TrainingProgressRenderer, SurvivesAStateWithoutContext) {
    ProgressState state;
    EXPECT_FALSE(TrainingProgressRenderer().render_message(state).empty());
    state.step_name = "training";
    state.context = {{"symbols", 3}, {"metrics", nullptr}};
    EXPECT_FALSE(TrainingProgressRenderer().render_message(state).empty());
}

}  // namespace
}  // namespace ktrdr
