#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include <ktrdr/operations/registry.hpp>
#include <ktrdr/training/checkpoint_files.hpp>
#include <ktrdr/training/training_manager.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using ::testing::HasSubstr;

struct ResumedTrainingTest : test::TrainingPlace {
    std::shared_ptr<test::FakeTrainer> trainer = std::make_shared<test::FakeTrainer>();
    std::shared_ptr<TrainerSlot> slot = std::make_shared<TrainerSlot>();
    test::ThreadExecutor threads{};
    CheckpointFiles files{folder.path() / "models", clock};

    ResumedTrainingTest() {
        bars->add("AAPL", 300, 1);
        bars->add("MSFT", 250, 2);
        slot->fulfil(trainer);
    }
    static TrainingRequest request(std::string id) {
        TrainingRequest made;
        made.strategy = test::strategy_json();
        made.operation_id = std::move(id);
        made.random_walk_baseline = false;
        return made;
    }
    std::shared_ptr<TrainingManager> manager() {
        TrainingManagerParts parts;
        parts.models_dir = folder.path() / "models";
        parts.bars = bars;
        return TrainingManager::create({io, clock, threads, registry}, std::move(parts), {}).value();
    }
    std::shared_ptr<Operation> run(TrainingRequest asked) {
        auto operation = manager()->train(std::move(asked), slot, {}).value();
        io.run();
        EXPECT_TRUE(operation->wait_for(std::chrono::seconds{60}));
        threads.join();
        return operation;
    }
    /// A training that is cancelled in its second epoch.
    std::shared_ptr<Operation> cancelled(TrainingRequest asked) {
        trainer->before_batch = [this](std::int64_t epoch, std::int64_t) {
            if (epoch == 2) {
                registry.tokens().cancel_all({CancelCode::user, "enough", "test"});
            }
        };
        auto operation = run(std::move(asked));
        trainer->before_batch = {};
        EXPECT_EQ(operation->status(), OperationStatus::cancelled);
        return operation;
    }
};

using ResumedTraining_ = ResumedTrainingTest;

TEST_F(ResumedTraining_, GoesOnFromTheCheckpointThatACancelLeft) {
    cancelled(request("first"));
    ASSERT_TRUE(files.contains("first"));
    TrainingRequest again = request("second");
    again.resume_from = "first";
    const auto operation = run(again);
    EXPECT_TRUE(operation->result()) << operation->result().error().message;
    ASSERT_NE(trainer->last.resume, nullptr);
    EXPECT_EQ(trainer->last.resume->state.at("epochs"), 1);
    // A model is there, so nothing has to go on any more.
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "models/.checkpoints"));
}

TEST_F(ResumedTraining_, GoesOnWithoutAnEpochWhereACancelCameBehindTheLast) {
    const auto cancelled_at_the_end = [this](TrainingRequest asked) {
        trainer->at_end = [this] { registry.tokens().cancel_all({CancelCode::user, "enough", "test"}); };
        const auto operation = run(std::move(asked));
        trainer->at_end = {};
        EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    };
    TrainingRequest unwished = request("unwished");
    unwished.save_checkpoint = false;
    cancelled_at_the_end(unwished);
    EXPECT_FALSE(files.contains("unwished"));
    cancelled_at_the_end(request("first"));
    ASSERT_TRUE(files.contains("first"));
    TrainingRequest again = request("second");
    again.resume_from = "first";
    EXPECT_TRUE(run(again)->result());
    EXPECT_EQ(trainer->last.resume->state.at("epochs"), 3);
    EXPECT_FALSE(files.contains("first"));
}

TEST_F(ResumedTraining_, LeavesNoCheckpointWhereNoneIsWished) {
    TrainingRequest asked = request("first");
    asked.save_checkpoint = false;
    cancelled(asked);
    EXPECT_FALSE(files.contains("first"));
    TrainingRequest again = request("second");
    again.resume_from = "first";
    const auto operation = run(again);
    EXPECT_EQ(operation->result().error().code, Errc::not_found);
    EXPECT_THAT(operation->result().error().message, HasSubstr("no checkpoint of the training first"));
}

TEST_F(ResumedTraining_, RefusesTheCheckpointOfAnotherStrategyAndOfOtherBars) {
    cancelled(request("first"));
    TrainingRequest other = request("second");
    other.resume_from = "first";
    other.strategy["name"] = "large";
    const auto by_strategy = run(other)->result();
    EXPECT_EQ(by_strategy.error().code, Errc::conflict);
    EXPECT_THAT(by_strategy.error().message, HasSubstr("another strategy ('small'; this one is 'large')"));

    bars->add("MSFT", 250, 3);
    TrainingRequest same = request("third");
    same.resume_from = "first";
    const auto by_data = run(same)->result();
    EXPECT_EQ(by_data.error().code, Errc::conflict);
    EXPECT_THAT(by_data.error().message, HasSubstr("other data"));
    EXPECT_TRUE(files.contains("first"));
}

TEST_F(ResumedTraining_, KeepsNoCheckpointOfATrainingThatFailed) {
    TrainingRequest asked = request("first");
    asked.checkpoint_epochs = 1;
    asked.strategy["model"].at("training").as_object()["epochs"] = 5;
    trainer->before_batch = [this](std::int64_t epoch, std::int64_t) {
        if (epoch == 3) {
            EXPECT_TRUE(files.contains("first"));
            trainer->failure = Error{Errc::training, "the loss became nan", {}};
        }
    };
    EXPECT_EQ(run(asked)->result().error().code, Errc::training);
    EXPECT_FALSE(files.contains("first"));
}

TEST_F(ResumedTraining_, GoesOnWithAWarningWhereACheckpointCannotBeWritten) {
    std::filesystem::create_directories(folder.path() / "models");
    std::ofstream(folder.path() / "models/.checkpoints") << "in the way";
    TrainingRequest asked = request("first");
    asked.checkpoint_epochs = 1;
    const auto operation = run(asked);
    EXPECT_TRUE(operation->result());
    EXPECT_THAT(operation->record().warnings, ::testing::Contains(HasSubstr("goes on without a checkpoint")));
    EXPECT_EQ(std::ranges::count_if(operation->record().warnings,
                                    [](const std::string& one) { return one.find("checkpoint") != one.npos; }),
              1);
}

TEST_F(ResumedTraining_, TellsEveryEpochAsAMetric) {
    const auto operation = run(request("first"));
    std::vector<std::int64_t> epochs;
    for (const OperationEvent& event : operation->events({}).value()) {
        if (event.kind == OperationEventKind::metric) {
            epochs.push_back(event.data.at("epoch").as_int64());
            EXPECT_DOUBLE_EQ(event.data.at("train_loss").as_double(), 1.0 / static_cast<double>(epochs.back()));
            for (const std::string_view name : {"train_accuracy", "val_loss", "val_accuracy", "learning_rate"}) {
                EXPECT_TRUE(event.data.contains(name)) << name;
            }
        }
    }
    EXPECT_THAT(epochs, ::testing::ElementsAre(1, 2, 3));
}

TEST_F(ResumedTraining_, RefusesWhatSaysNothingAboutCheckpoints) {
    const auto refused = [&](const std::function<void(TrainingRequest&)>& change) {
        TrainingRequest asked = request("first");
        change(asked);
        const auto started = manager()->train(asked, slot, {});
        EXPECT_FALSE(started);
        EXPECT_EQ(started.error().code, Errc::invalid_argument);
        return started.error().message;
    };
    EXPECT_THAT(refused([](TrainingRequest& asked) { asked.checkpoint_seconds = -1; }),
                HasSubstr("checkpoint_seconds"));
    EXPECT_THAT(refused([](TrainingRequest& asked) { asked.checkpoint_seconds = std::nan(""); }),
                HasSubstr("checkpoint_seconds"));
    EXPECT_THAT(refused([](TrainingRequest& asked) { asked.checkpoint_epochs = -1; }), HasSubstr("checkpoint_epochs"));
    EXPECT_THAT(refused([](TrainingRequest& asked) {
                    asked.resume = true;
                    asked.resume_from = "other";
                }),
                HasSubstr("resume_from"));
}

}  // namespace
}  // namespace ktrdr
