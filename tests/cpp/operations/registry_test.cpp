#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "recorder.hpp"

#include <ktrdr/operations/registry.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class Registry : public testing::Test {
protected:
    std::shared_ptr<Operation> create(std::string id = "") {
        return registry_.create({"data_load", std::move(id), "", {}}).value().operation;
    }

    OperationWorld world_{};
    OperationRegistry registry_{world_.io, world_.timers, world_.clock, 3};
};

TEST_F(Registry, GivesANewOperationItsId) {
    const auto operation = create();
    EXPECT_THAT(operation->id(), StartsWith("op_data_load_"));
    EXPECT_NE(create()->id(), operation->id());
    EXPECT_EQ(registry_.find(operation->id()), operation);
    EXPECT_EQ(registry_.find("other"), nullptr);
}

TEST_F(Registry, AnswersTheSameRequestWithTheSameOperation) {
    const OperationSpec spec{"data_load", "mine", "", {{"symbol", "AAPL"}}};
    const auto first = registry_.create(spec).value();
    const auto second = registry_.create(spec).value();
    EXPECT_TRUE(first.created);
    EXPECT_FALSE(second.created);
    EXPECT_EQ(first.operation, second.operation);
}

TEST_F(Registry, RefusesAnIdThatWasUsedForAnotherRequest) {
    (void)registry_.create({"data_load", "mine", "", {{"symbol", "AAPL"}}});
    const auto other = registry_.create({"data_load", "mine", "", {{"symbol", "MSFT"}}});
    EXPECT_EQ(other.error().code, Errc::conflict);
    EXPECT_THAT(other.error().message, HasSubstr("AAPL"));
    EXPECT_EQ(registry_.create({"training", "mine", "", {{"symbol", "AAPL"}}}).error().code, Errc::conflict);
}

TEST_F(Registry, RefusesABadRequest) {
    EXPECT_EQ(registry_.create({"data load", "", "", {}}).error().code, Errc::invalid_argument);
    EXPECT_EQ(registry_.create({"data_load", "a/b", "", {}}).error().code, Errc::invalid_argument);
    EXPECT_EQ(registry_.create({"data_load", "", "", {}}, {}, -1s).error().code, Errc::invalid_argument);
    EXPECT_THAT(registry_.list(), IsEmpty());
}

TEST_F(Registry, MakesATokenUnderTheParent) {
    const auto parent = world_.root.child();
    const auto operation = registry_.create({"data_load", "", "", {}}, parent).value().operation;
    operation->request_cancel({});
    EXPECT_FALSE(parent.is_cancelled());
    const auto other = registry_.create({"data_load", "", "", {}}, parent).value().operation;
    parent.cancel({});
    EXPECT_EQ(other->status(), OperationStatus::cancelling);
}

TEST_F(Registry, GivesAnOperationItsTimeout) {
    const auto free = registry_.create({"data_load", "", "", {}}, {}, 1s).value().operation;
    const auto below = registry_.create({"data_load", "", "", {}}, world_.root, 2s).value().operation;
    world_.clock.advance(1s);
    world_.timers.fire();
    EXPECT_TRUE(free->token().is_cancelled());
    EXPECT_FALSE(below->token().is_cancelled());
}

TEST_F(Registry, ListsTheNewestFirst) {
    const auto first = create();
    const auto second = create();
    EXPECT_THAT(registry_.list(), ElementsAre(second, first));
}

TEST_F(Registry, ForgetsTheOldestFinishedOnes) {
    const auto alive = create("alive");
    for (int i = 0; i < 5; ++i) {
        create(std::to_string(i))->finish(std::any(i));
    }
    (void)create("newest");
    EXPECT_EQ(registry_.find("alive"), alive);
    EXPECT_EQ(registry_.find("1"), nullptr);
    EXPECT_NE(registry_.find("2"), nullptr);
    EXPECT_THAT(registry_.list(), SizeIs(5));
}

TEST_F(Registry, CancelsAllThatAreAliveAndNothingLater) {
    const auto finished = create();
    finished->finish(std::any(1));
    const auto running = create();
    (void)running->start();
    const auto pending = create();
    EXPECT_EQ(registry_.cancel_all({CancelCode::shutdown, "the interpreter exits", "runtime"}), 2U);
    EXPECT_EQ(registry_.cancel_all({CancelCode::shutdown, "again", "runtime"}), 0U);
    EXPECT_EQ(running->record().reason->code, CancelCode::shutdown);
    EXPECT_EQ(pending->status(), OperationStatus::cancelling);
    EXPECT_EQ(finished->status(), OperationStatus::completed);
    EXPECT_EQ(create()->status(), OperationStatus::pending);
}

TEST_F(Registry, SamplesOnlyWhatSomebodyListensTo) {
    const auto operation = create();
    EXPECT_FALSE(registry_.sample());
    const auto recorder = std::make_shared<Recorder>();
    operation->add_listener(recorder);
    operation->progress().enter(0);
    EXPECT_TRUE(registry_.sample());
    EXPECT_THAT(recorder->states(), SizeIs(2));
    operation->finish(std::any(1));
    EXPECT_FALSE(registry_.sample());
}

TEST_F(Registry, MakesOneOperationForManyThreadsWithOneId) {
    std::atomic<int> created{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            const auto answer = registry_.create({"data_load", "mine", "", {}}).value();
            created += answer.created ? 1 : 0;
        });
    }
    threads.clear();
    EXPECT_EQ(created, 1);
    EXPECT_THAT(registry_.list(), SizeIs(1));
}

}  // namespace
}  // namespace ktrdr
