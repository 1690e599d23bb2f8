#include <gmock/gmock.h>

#include <atomic>
#include <barrier>
#include <optional>
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

    static std::vector<std::string> ids(const OperationPage& page) {
        std::vector<std::string> all;
        for (const auto& record : page.records) {
            all.push_back(record.id);
        }
        return all;
    }

    OperationWorld world_{};
    OperationRegistry registry_{world_.io, world_.timers, world_.clock, std::make_shared<MemoryStore>(3)};
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
    EXPECT_THAT(registry_.live(), IsEmpty());
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
    world_.clock.advance(1ms);
    const auto second = create();
    EXPECT_THAT(registry_.live(), ElementsAre(second, first));
    first->finish(std::any(1));
    const auto page = registry_.list({}).value();
    EXPECT_THAT(ids(page), ElementsAre(second->id(), first->id()));
    EXPECT_EQ(page.total, 2U);
    EXPECT_EQ(page.active, 1U);
}

TEST_F(Registry, ListsWhatWasAskedFor) {
    const auto parent = create("parent");
    for (int i = 0; i < 3; ++i) {
        world_.clock.advance(1ms);
        const std::string id = std::to_string(i);
        const auto child = registry_.create({"training", id, "parent", {}}).value().operation;
        if (i == 0) {
            child->finish(failed(fail(Errc::internal, "broke")));
        }
    }
    EXPECT_THAT(ids(registry_.list({.type = "training"}).value()), ElementsAre("2", "1", "0"));
    EXPECT_THAT(ids(registry_.list({.parent_id = "parent", .active_only = true}).value()), ElementsAre("2", "1"));
    EXPECT_THAT(ids(registry_.list({.statuses = {OperationStatus::failed}}).value()), ElementsAre("0"));
    const auto page = registry_.list({.limit = 2, .offset = 1}).value();
    EXPECT_THAT(ids(page), ElementsAre("1", "0"));
    EXPECT_EQ(page.total, 4U);
    EXPECT_EQ(page.active, 3U);
    EXPECT_THAT(ids(registry_.list({.limit = 5, .offset = 9}).value()), IsEmpty());
    EXPECT_EQ(registry_.list({.limit = 0}).error().context.at("field"), "limit");
    EXPECT_EQ(registry_.list({.limit = 1001}).error().code, Errc::invalid_argument);
}

TEST_F(Registry, LetsGoOfWhatHasEndedAndKeepsItsRecord) {
    const auto alive = create("alive");
    std::weak_ptr<Operation> seen;
    for (int i = 0; i < 5; ++i) {
        const auto operation = create(std::to_string(i));
        seen = operation;
        operation->finish(std::any(boost::json::object{{"number", i}}));
        EXPECT_EQ(registry_.find(std::to_string(i)), operation) << "somebody holds it";
    }
    EXPECT_TRUE(seen.expired());
    EXPECT_EQ(registry_.find("alive"), alive);
    EXPECT_EQ(registry_.find("4"), nullptr);
    EXPECT_EQ(registry_.record("1").error().code, Errc::not_found);
    const auto record = registry_.record("2").value();
    EXPECT_EQ(record.status, OperationStatus::completed);
    EXPECT_EQ(record.result->at("number"), 2);
    EXPECT_THAT(registry_.live(), SizeIs(1));
}

TEST_F(Registry, AnswersAnOldRequestFromItsRecord) {
    create("mine")->finish(std::any(boost::json::object{{"bars", 7}}));
    const auto again = registry_.create({"data_load", "mine", "", {}}).value();
    EXPECT_FALSE(again.created);
    EXPECT_EQ(again.operation->status(), OperationStatus::completed);
    EXPECT_EQ(std::any_cast<boost::json::value>(again.operation->result().value()).at("bars"), 7);
    EXPECT_EQ(registry_.create({"data_load", "mine", "", {{"symbol", "AAPL"}}}).error().code, Errc::conflict);
    create("bars")->finish(std::any(3.5));
    const auto lost = registry_.create({"data_load", "bars", "", {}}).value().operation->result();
    EXPECT_EQ(lost.error().code, Errc::conflict);
    EXPECT_THAT(lost.error().message, HasSubstr("not kept"));
}

TEST_F(Registry, PutsAChildUnderItsParent) {
    const auto parent = create("parent");
    const auto child = registry_.create({"data_load", "child", "parent", {}}).value().operation;
    child->request_cancel({});
    EXPECT_FALSE(parent->token().is_cancelled());
    const auto other = registry_.create({"data_load", "other", "parent", {}}).value().operation;
    parent->request_cancel({});
    EXPECT_EQ(other->status(), OperationStatus::cancelling);
    EXPECT_EQ(other->record().reason->code, CancelCode::parent);
    const auto orphan = registry_.create({"data_load", "", "nobody", {}});
    EXPECT_EQ(orphan.error().code, Errc::not_found);
    EXPECT_EQ(orphan.error().context.at("field"), "parent_id");
}

TEST_F(Registry, PutsAChildUnderItsParentAndUnderATokenOfItsOwn) {
    const auto parent = create("parent");
    const auto token = world_.root.child();
    const auto by_token = registry_.create({"data_load", "1", "parent", {}}, token).value().operation;
    const auto by_parent = registry_.create({"data_load", "2", "parent", {}}, world_.root).value().operation;
    token.cancel({CancelCode::user, "enough", "test"});
    EXPECT_EQ(by_token->status(), OperationStatus::cancelling);
    EXPECT_FALSE(parent->token().is_cancelled());
    EXPECT_EQ(by_parent->status(), OperationStatus::pending);
    parent->request_cancel({CancelCode::user, "all of it", "test"});
    world_.io.run();
    EXPECT_EQ(by_parent->record().reason->code, CancelCode::parent);
    EXPECT_EQ(by_parent->record().reason->text, "all of it");
    EXPECT_EQ(by_token->record().reason->text, "enough");
    EXPECT_EQ(registry_.create({"data_load", "", "nobody", {}}, world_.root).error().code, Errc::not_found);
}

TEST_F(Registry, CancelsById) {
    const auto running = create("running");
    EXPECT_TRUE(registry_.cancel("running", {}).value());
    EXPECT_FALSE(registry_.cancel("running", {}).value());
    running->finish(std::any(1));
    const auto over = registry_.cancel("running", {});
    EXPECT_EQ(over.error().code, Errc::conflict);
    EXPECT_THAT(over.error().message, HasSubstr("cancelled"));
    EXPECT_EQ(registry_.cancel("nobody", {}).error().code, Errc::not_found);
}

TEST_F(Registry, MakesARegisteredKindAgain) {
    const auto first = registry_.create({"check", "first", "", {{"folder", "a"}}}).value().operation;
    EXPECT_THAT(registry_.retry("first").error().message, HasSubstr("pending"));
    first->finish(failed(fail(Errc::internal, "broke")));
    EXPECT_THAT(registry_.retry("first").error().message, HasSubstr("register"));
    registry_.register_kind({"check", false, [this](OperationSpec spec) -> Result<std::shared_ptr<Operation>> {
                                 return registry_.create(std::move(spec)).value().operation;
                             }});
    const auto again = registry_.retry("first").value();
    EXPECT_NE(again->id(), "first");
    EXPECT_EQ(again->record().parameters, first->record().parameters);
    EXPECT_THAT(registry_.resume("first").error().message, HasSubstr("only an interrupted one"));
    EXPECT_EQ(registry_.retry("nobody").error().code, Errc::not_found);
}

TEST_F(Registry, CancelsAllThatAreAliveAndNothingLater) {
    const auto finished = create();
    finished->finish(std::any(1));
    const auto running = create();
    (void)running->start();
    const auto pending = create();
    EXPECT_EQ(registry_.tokens().cancel_all({CancelCode::shutdown, "the interpreter exits", "runtime"}), 2U);
    EXPECT_EQ(registry_.tokens().cancel_all({CancelCode::shutdown, "again", "runtime"}), 0U);
    EXPECT_EQ(running->record().reason->code, CancelCode::shutdown);
    EXPECT_EQ(pending->status(), OperationStatus::cancelling);
    EXPECT_EQ(finished->status(), OperationStatus::completed);
    EXPECT_EQ(create()->status(), OperationStatus::pending);
}

TEST_F(Registry, HasLetGoOfAnOperationOnceItsEndIsSeen) {
    for (int round = 0; round < 2000; ++round) {
        const auto operation = create("mine" + std::to_string(round));
        bool known = true;
        std::jthread reader([&] {
            while (!is_terminal(operation->status())) {
            }
            known = registry_.tokens().find(operation->id()).has_value() || !registry_.live().empty();
        });
        operation->request_cancel({});
        // The token's callback and the work's end come at once.
        std::jthread io([this] { world_.io.run(); });
        operation->finish(std::any(1));
        io.join();
        reader.join();
        ASSERT_FALSE(known) << "in round " << round;
    }
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
    EXPECT_THAT(registry_.live(), SizeIs(1));
}

/// Two who look an id up meet here, so that each finds nothing and goes on to make it.
class MeetingStore final : public MemoryStore {
public:
    [[nodiscard]] Result<std::optional<OperationRecord>> find(const std::string& id) override {
        meet_.arrive_and_wait();
        return MemoryStore::find(id);
    }

private:
    std::barrier<> meet_{2};
};

TEST_F(Registry, OfTwoThreadsThatCreateOneIdAtOnceOneMakesItAndBothHaveIt) {
    const auto store = std::make_shared<MeetingStore>();
    const OperationSpec spec{.type = "data_load", .id = "mine", .store = store};
    std::vector<OperationRegistry::Created> made(2);
    std::thread other([&] { made[0] = registry_.create(spec).value(); });
    made[1] = registry_.create(spec).value();
    other.join();
    EXPECT_NE(made[0].created, made[1].created);
    EXPECT_EQ(made[0].operation, made[1].operation);
}

TEST_F(Registry, OfTwoThreadsThatWantOneIdForDifferentThingsOneIsRefused) {
    const auto store = std::make_shared<MeetingStore>();
    const auto spec = [&](const char* type) { return OperationSpec{.type = type, .id = "mine", .store = store}; };
    std::optional<Result<OperationRegistry::Created>> first;
    std::thread other([&] { first.emplace(registry_.create(spec("training"))); });
    const auto second = registry_.create(spec("data_load"));
    other.join();
    EXPECT_NE(first->has_value(), second.has_value());
    EXPECT_EQ((second ? *first : second).error().code, Errc::conflict);
}

/// Cannot be read.
class BrokenStore final : public MemoryStore {
public:
    [[nodiscard]] Result<std::optional<OperationRecord>> find(const std::string&) override { return broken(); }
    [[nodiscard]] Result<OperationRecord> claim(const std::string&) override { return broken(); }

private:
    static Error broken() { return fail(Errc::storage, "the file cannot be read"); }
};

TEST_F(Registry, WhatAStoreCannotReadIsNeitherMadeNorResumedNorCancelled) {
    const auto store = std::make_shared<BrokenStore>();
    OperationSpec spec{.type = "data_load", .id = "mine", .store = store};
    EXPECT_EQ(registry_.create(spec).error().code, Errc::storage);
    spec.resume = true;
    EXPECT_EQ(registry_.create(spec).error().code, Errc::storage);
    EXPECT_EQ(registry_.cancel("mine", {}).error().code, Errc::storage);
    EXPECT_EQ(registry_.record("mine").error().code, Errc::storage);
    EXPECT_THAT(registry_.live(), IsEmpty());
}

}  // namespace
}  // namespace ktrdr
