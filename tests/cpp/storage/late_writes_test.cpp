#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

#include "store_world.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

OperationEvent line(std::uint64_t seq, OperationEventKind kind = OperationEventKind::state) {
    return {seq, UtcTime{std::chrono::seconds{seq}}, kind, {{"n", seq}}, {}};
}

std::vector<std::uint64_t> seqs(const Result<std::vector<OperationEvent>>& events) {
    std::vector<std::uint64_t> all;
    for (const auto& one : events.value()) {
        all.push_back(one.seq);
    }
    return all;
}

/// Another program holds the file's lock as long as this lives.
class Lock final {
public:
    explicit Lock(const std::filesystem::path& file) : connection_(file.string(), SQLite::OPEN_READWRITE) {
        connection_.exec("BEGIN IMMEDIATE");
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { connection_.exec("ROLLBACK"); }

private:
    SQLite::Database connection_;
};

class LateWrites : public testing::Test {
protected:
    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "ktrdr.db"; }
    [[nodiscard]] std::optional<OperationRecord> stored(const std::string& id) {
        return elsewhere_.store->find(id).value();
    }

    test::TemporaryFolder folder_{};
    /// As another process sees the file.
    StoreWorld elsewhere_{file()};
    StoreWorld world_{file(), {.busy_timeout = 1ms}};
};

TEST_F(LateWrites, AreKeptAndShownAndWrittenWhenTheLockIsFree) {
    {
        const Lock lock(file());
        const auto first = world_.write(world_.record("op_1"), {line(1)}, true);
        EXPECT_EQ(first.error().code, Errc::storage);
        EXPECT_THAT(first.error().message, HasSubstr("another process"));
        EXPECT_THAT(first.error().message, HasSubstr("kept in memory"));
        EXPECT_FALSE(world_.write(world_.record("op_1", OperationStatus::completed), {line(2), line(3)}));
        EXPECT_FALSE(world_.write(world_.record("op_2"), {line(1)}, true));
        EXPECT_TRUE(world_.store->lacks("op_1"));
        EXPECT_TRUE(world_.store->write_kept(1ms));
        const OperationRecord shown = world_.store->find("op_1").value().value();
        EXPECT_EQ(shown.status, OperationStatus::completed);
        EXPECT_FALSE(shown.durable);
        EXPECT_THAT(seqs(world_.store->events("op_1", {})), ElementsAre(1, 2, 3));
        EXPECT_THAT(seqs(world_.store->events("op_1", {.after = 1, .limit = 1})), ElementsAre(2));
        const OperationPage page = world_.store->list({}).value();
        EXPECT_THAT(page.records, SizeIs(2));
        EXPECT_EQ(page.total, 2U);
        EXPECT_EQ(page.active, 1U);
        EXPECT_FALSE(stored("op_1"));
    }
    EXPECT_FALSE(world_.store->write_kept(1ms));
    EXPECT_FALSE(world_.store->lacks("op_1"));
    EXPECT_EQ(stored("op_1")->status, OperationStatus::completed);
    EXPECT_TRUE(stored("op_1")->durable);
    EXPECT_THAT(seqs(elsewhere_.store->events("op_1", {})), ElementsAre(1, 2, 3));
    EXPECT_EQ(stored("op_2")->status, OperationStatus::running);
}

TEST_F(LateWrites, GoOutWithTheNextWriteToo) {
    {
        const Lock lock(file());
        EXPECT_FALSE(world_.write(world_.record("op_1"), {line(1)}, true));
    }
    EXPECT_TRUE(world_.write(world_.record("op_2"), {line(1)}, true));
    EXPECT_EQ(stored("op_1")->status, OperationStatus::running);
}

TEST_F(LateWrites, LetAnOperationRunAndEndAndCatchUp) {
    ManualExecutor io;
    ManualTimerQueue timers(world_.clock);
    OperationRegistry registry(io, timers, world_.clock, world_.store);
    std::shared_ptr<Operation> operation;
    bool begun = false;
    {
        const Lock lock(file());
        operation = registry.create({"data_load", "op_1", "", {}}).value().operation;
        operation->when_admitted([&begun] { begun = true; });
        EXPECT_TRUE(begun);
        ASSERT_TRUE(operation->start());
        operation->add_metric({{"loss", 0.5}});
        EXPECT_TRUE(operation->request_cancel({}));
        operation->finish(std::any(1));
        EXPECT_EQ(operation->status(), OperationStatus::cancelled);
        EXPECT_FALSE(operation->record().durable);
        EXPECT_THAT(operation->record().warnings, ElementsAre(HasSubstr("goes on before its state is in the store")));
        EXPECT_TRUE(registry.tend()) << "something is kept";
        EXPECT_EQ(registry.list({}).value().total, 1U);
    }
    EXPECT_FALSE(registry.tend());
    EXPECT_TRUE(operation->record().durable);
    EXPECT_EQ(stored("op_1")->status, OperationStatus::cancelled);
    EXPECT_TRUE(stored("op_1")->durable);
    const auto events = elsewhere_.store->events("op_1", {}).value();
    EXPECT_EQ(events.back().seq, operation->record().last_seq);
    for (std::size_t i = 0; i < events.size(); ++i) {
        EXPECT_EQ(events[i].seq, i + 1);
    }
}

TEST_F(LateWrites, AreWarnedOfOnceHoweverOftenTheyAreTried) {
    ManualExecutor executor;
    const auto store = SqliteStore::create(world_.database, executor, world_.clock);
    ManualExecutor io;
    ManualTimerQueue timers(world_.clock);
    OperationRegistry registry(io, timers, world_.clock, store);
    const auto operation = registry.create({"data_load", "op_1", "", {}}).value().operation;
    operation->when_admitted([] {});
    const Lock lock(file());
    executor.run();
    for (int i = 0; i < 3; ++i) {
        operation->add_metric({{"loss", i}});
        EXPECT_TRUE(operation->save_progress());
        EXPECT_FALSE(operation->record().durable) << "a try is under way";
        executor.run();
    }
    EXPECT_THAT(operation->record().warnings, SizeIs(1));
}

TEST_F(LateWrites, OutliveWhoOpenedTheStore) {
    ManualExecutor io;
    ManualTimerQueue timers(world_.clock);
    OperationRegistry registry(io, timers, world_.clock);
    registry.attach(world_.store);
    {
        const Lock lock(file());
        EXPECT_FALSE(world_.write(world_.record("op_1", OperationStatus::completed), {line(1)}, true));
        EXPECT_TRUE(registry.tend());
        world_.store.reset();
        EXPECT_TRUE(registry.tend());
        EXPECT_EQ(registry.record("op_1").value().status, OperationStatus::completed);
    }
    EXPECT_FALSE(registry.tend());
    EXPECT_EQ(stored("op_1")->status, OperationStatus::completed);
}

TEST_F(LateWrites, AreAnsweredThoughTheDiskDoesNot) {
    ManualExecutor stuck;
    const auto store = SqliteStore::create(world_.database, stuck, world_.clock);
    ManualExecutor io;
    ManualTimerQueue timers(world_.clock);
    OperationRegistry registry(io, timers, world_.clock, store);
    const auto operation = registry.create({"data_load", "op_1", "", {}}).value().operation;
    bool begun = false;
    operation->when_admitted([&begun] { begun = true; });
    registry.answer_late();
    EXPECT_FALSE(begun) << "it has not waited long";
    world_.clock.advance(SqliteStore::longest_wait);
    registry.answer_late();
    EXPECT_TRUE(begun);
    ASSERT_TRUE(operation->start());
    operation->finish(std::any(1));
    EXPECT_EQ(operation->status(), OperationStatus::completed) << "the next ones do not wait at all";
    EXPECT_THAT(operation->record().warnings, ElementsAre(HasSubstr("has not answered for 1000 ms")));
    EXPECT_FALSE(operation->record().durable);
    stuck.run();
    EXPECT_TRUE(operation->record().durable);
    EXPECT_EQ(stored("op_1")->status, OperationStatus::completed);
    EXPECT_EQ(elsewhere_.store->events("op_1", {}).value().size(), operation->record().last_seq);
}

TEST_F(LateWrites, OfAFullDiskAreWrittenWhenThereIsRoom) {
    StoreWorld small(file(), {.max_page_count = 100});
    Result<void> written{};
    int count = 0;
    const auto large = [&small](const std::string& id) {
        auto record = small.record(id, OperationStatus::completed);
        record.parameters["text"] = std::string(5000, 'x');
        return record;
    };
    for (; written && count < 1000; ++count) {
        written = small.write(large(std::to_string(count)), {}, true);
    }
    ASSERT_EQ(written.error().code, Errc::storage_full);
    EXPECT_TRUE(small.store->write_kept(0ms));
    EXPECT_EQ(elsewhere_.store->forget({.max_count = 1}, "").value(), static_cast<std::size_t>(count - 2));
    EXPECT_FALSE(small.store->write_kept(0ms));
    EXPECT_TRUE(stored(std::to_string(count - 1)));
}

TEST_F(LateWrites, AreBoundedAndSayWhatTheyLack) {
    std::vector<OperationEvent> many{line(1)};
    for (std::uint64_t seq = 2; seq <= 20'000; ++seq) {
        many.push_back(line(seq, OperationEventKind::metric));
    }
    many.push_back(line(20'001));
    {
        const Lock lock(file());
        EXPECT_FALSE(world_.write(world_.record("op_1", OperationStatus::completed), many, true));
        EXPECT_LE(world_.store->events("op_1", {.limit = 10'000}).value().size(), 2000U);
    }
    EXPECT_FALSE(world_.store->write_kept(1ms));
    EXPECT_TRUE(world_.store->lacks("op_1")) << "for good";
    EXPECT_FALSE(stored("op_1")->durable);
    const auto kept = seqs(elsewhere_.store->events("op_1", {.limit = 10'000}));
    EXPECT_EQ(kept.front(), 1U) << "states are the last to go";
    EXPECT_EQ(kept.back(), 20'001U);
}

TEST_F(LateWrites, KeepOnePictureOfProgressNotAll) {
    std::vector<OperationEvent> pictures;
    for (std::uint64_t seq = 2; seq <= 5000; ++seq) {
        pictures.push_back(line(seq, OperationEventKind::progress));
        pictures.back().progress = std::make_shared<const ProgressState>();
    }
    {
        const Lock lock(file());
        EXPECT_FALSE(world_.write(world_.record("op_1"), {line(1)}, true));
        EXPECT_FALSE(world_.write(world_.record("op_1"), pictures));
    }
    EXPECT_FALSE(world_.store->write_kept(1ms));
    EXPECT_FALSE(world_.store->lacks("op_1"));
    EXPECT_THAT(seqs(elsewhere_.store->events("op_1", {})), ElementsAre(1, 5000));
}

TEST_F(LateWrites, WhoseIdWasTakenMeanwhileLeaveTheOtherAlone) {
    {
        const Lock lock(file());
        EXPECT_FALSE(world_.write(world_.record("op_1", OperationStatus::completed), {line(1)}, true));
    }
    ASSERT_TRUE(elsewhere_.write(elsewhere_.record("op_1"), {line(1)}, true));
    EXPECT_FALSE(world_.store->write_kept(1ms));
    EXPECT_TRUE(world_.store->lacks("op_1"));
    EXPECT_EQ(stored("op_1")->owner, elsewhere_.store->owner());
}

TEST_F(LateWrites, OfOneThatSqliteRefusesDoNotHoldTheOthersUp) {
    SQLite::Database(file().string(), SQLite::OPEN_READWRITE)
        .exec(
            "CREATE TRIGGER refuse BEFORE INSERT ON event WHEN new.operation = 'bad' "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END");
    ManualExecutor executor;
    const auto store = SqliteStore::create(world_.database, executor, world_.clock);
    std::vector<std::string> answers;
    for (const char* const id : {"good", "bad", "better"}) {
        auto record = world_.record(id);
        record.owner = store->owner();
        store->write({record, {line(1)}, true}, [&answers](const Result<void>& result) {
            answers.push_back(result ? "written" : result.error().message);
        });
    }
    executor.run();
    EXPECT_THAT(answers, ElementsAre("written", HasSubstr("not this one"), "written"));
    EXPECT_TRUE(stored("good"));
    EXPECT_FALSE(stored("bad")) << "not a part of it";
    EXPECT_TRUE(stored("better"));
}

TEST_F(LateWrites, AreTheCancelsThatAreAskedForOfOthersToo) {
    ASSERT_TRUE(elsewhere_.write(elsewhere_.record("op_1"), {line(1)}, true));
    ASSERT_TRUE(elsewhere_.write(elsewhere_.record("done", OperationStatus::completed), {line(1)}, true));
    const CancelReason enough{CancelCode::user, "enough", "test"};
    {
        const Lock lock(file());
        EXPECT_TRUE(world_.store->request_cancel("op_1", enough).value());
        EXPECT_FALSE(world_.store->request_cancel("op_1", enough).value()) << "asked before";
        EXPECT_FALSE(world_.store->request_cancel("done", enough).value()) << "nothing is there to cancel";
        EXPECT_FALSE(world_.store->request_cancel("nobody", enough).value());
        EXPECT_TRUE(world_.store->write_kept(1ms));
        EXPECT_THAT(elsewhere_.store->take_cancel_requests().value(), SizeIs(0));
    }
    EXPECT_FALSE(world_.store->request_cancel("op_1", {CancelCode::user, "again", "test"}).value()) << "asked before";
    EXPECT_FALSE(world_.store->write_kept(1ms));
    const auto asked = elsewhere_.store->take_cancel_requests().value();
    ASSERT_THAT(asked, SizeIs(1));
    EXPECT_EQ(asked[0].id, "op_1");
    EXPECT_EQ(asked[0].reason, enough);
}

TEST_F(LateWrites, AreARetentionTooAndTheNewestHolds) {
    for (int i = 0; i < 9; ++i) {
        ASSERT_TRUE(world_.write(world_.record(std::to_string(i), OperationStatus::completed), {line(1)}, true));
    }
    {
        const Lock lock(file());
        EXPECT_TRUE(world_.store->set_retention({.max_count = 4}));
        EXPECT_TRUE(world_.store->set_retention({.max_count = 2}));
        EXPECT_EQ(world_.store->set_retention({.max_count = 0}).error().code, Errc::invalid_argument);
        EXPECT_TRUE(world_.store->write_kept(1ms));
        EXPECT_EQ(world_.store->list({}).value().total, 9U);
    }
    EXPECT_FALSE(world_.store->write_kept(1ms));
    EXPECT_EQ(world_.store->list({}).value().total, 2U);
}

TEST_F(LateWrites, AreNotWhoGoesOnWithAnOperationWhichOneOfTwoMust) {
    auto dying = std::make_unique<StoreWorld>(file());
    auto record = dying->record("orphan", OperationStatus::interrupted);
    record.resumable = true;
    ASSERT_TRUE(dying->write(record, {line(1)}, true));
    dying.reset();
    {
        const Lock lock(file());
        const Error error = world_.store->claim("orphan").error();
        EXPECT_EQ(error.code, Errc::storage);
        EXPECT_THAT(error.message, HasSubstr("resume operation orphan"));
        EXPECT_THAT(error.message, HasSubstr("another process keeps it locked; try again"));
        EXPECT_FALSE(world_.store->write_kept(1ms)) << "nothing is kept of it";
    }
    EXPECT_EQ(world_.store->claim("orphan").value().status, OperationStatus::resuming);
}

TEST_F(LateWrites, DoNotKeepALookWaiting) {
    auto dying = std::make_unique<StoreWorld>(file());
    ASSERT_TRUE(dying->write(dying->record("orphan"), {line(1)}, true));
    dying.reset();
    {
        const Lock lock(file());
        EXPECT_EQ(world_.store->list({}).value().total, 1U);
        EXPECT_TRUE(world_.store->find("orphan").value());
    }
    EXPECT_EQ(world_.store->find("orphan").value()->status, OperationStatus::interrupted);
}

}  // namespace
}  // namespace ktrdr
