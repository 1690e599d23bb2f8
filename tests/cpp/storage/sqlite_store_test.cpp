#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ktrdr/base/json.hpp>
#include <ktrdr/operations/event_kind.hpp>

#include "store_world.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const CancelReason by_user{CancelCode::user, "enough", "cli"};

OperationEvent event(std::uint64_t seq, OperationEventKind kind = OperationEventKind::state) {
    OperationEvent made{seq, UtcTime{std::chrono::seconds{seq}}, kind, {{"n", seq}}, {}};
    if (kind == OperationEventKind::progress) {
        ProgressState state;
        state.percentage = static_cast<double>(seq);
        made.data = {};
        made.progress = std::make_shared<const ProgressState>(state);
    }
    return made;
}

std::vector<std::uint64_t> numbers(const Result<std::vector<OperationEvent>>& events) {
    std::vector<std::uint64_t> all;
    for (const auto& one : events.value()) {
        all.push_back(one.seq);
    }
    return all;
}

class Stored : public testing::Test {
protected:
    void SetUp() override { world_ = std::make_unique<StoreWorld>(file()); }

    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "ktrdr.db"; }
    [[nodiscard]] OperationRecord find(const std::string& id) {
        const auto found = world_->store->find(id).value();
        EXPECT_TRUE(found) << id;
        return found.value_or(OperationRecord{});
    }

    test::TemporaryFolder folder_{};
    std::unique_ptr<StoreWorld> world_;
};

TEST_F(Stored, KeepsEverythingOfARecord) {
    OperationRecord record = world_->record("op_1", OperationStatus::failed);
    record.name = "Load AAPL";
    record.parent_id = "op_0";
    record.attempt = 3;
    record.resumable = true;
    record.durable = false;
    record.owner = world_->store->owner();
    record.started = record.created + 1s;
    record.cancel_requested = record.created + 2s;
    record.cancel_observed = record.created + 3s;
    record.stopped = record.created + 4s;
    record.reason = std::make_shared<const CancelReason>(by_user);
    ProgressState progress;
    progress.operation_id = "op_1";
    progress.percentage = 40.5;
    progress.message = "Loading \"AAPL\" \xc3\xa9";
    progress.epoch = 2;
    progress.total_epochs = 50;
    progress.batch = 17;
    progress.total_batches = 500;
    progress.estimated_remaining = 1500ms;
    progress.context = {{"symbol", "AAPL"}};
    record.progress = std::make_shared<const ProgressState>(progress);
    record.result = {{"bars", 7}};
    record.error = std::make_shared<const Error>(fail(Errc::no_data, "no bars", {{"symbol", "AAPL"}}));
    record.warnings = {"one", "two"};
    record.last_seq = 9;
    ASSERT_TRUE(world_->write(record, {}, true));
    const OperationRecord found = find("op_1");
    EXPECT_EQ(found.name, record.name);
    EXPECT_EQ(found.type, record.type);
    EXPECT_EQ(found.parent_id, record.parent_id);
    EXPECT_EQ(found.parameters, record.parameters);
    EXPECT_EQ(found.status, record.status);
    EXPECT_EQ(found.attempt, 3);
    EXPECT_TRUE(found.resumable);
    EXPECT_FALSE(found.durable);
    EXPECT_EQ(found.owner, record.owner);
    EXPECT_EQ(found.created, record.created);
    EXPECT_EQ(found.started, record.started);
    EXPECT_EQ(found.cancel_requested, record.cancel_requested);
    EXPECT_EQ(found.cancel_observed, record.cancel_observed);
    EXPECT_EQ(found.stopped, record.stopped);
    EXPECT_EQ(*found.reason, *record.reason);
    EXPECT_EQ(*found.progress, *record.progress);
    EXPECT_EQ(found.result, record.result);
    EXPECT_EQ(*found.error, *record.error);
    EXPECT_EQ(found.warnings, record.warnings);
    EXPECT_EQ(found.last_seq, 9U);
    EXPECT_EQ(world_->store->find("other").value(), std::nullopt);
}

TEST_F(Stored, ReadsWhatIsAsDeepAsAValueMayBe) {
    boost::json::value deep = 1;
    for (std::size_t level = 0; level < deepest_json; ++level) {
        deep = boost::json::object{{"next", std::move(deep)}};
    }
    OperationRecord record = world_->record("op_1", OperationStatus::completed);
    record.parameters = deep.as_object();
    record.result = deep;
    ProgressState progress;
    progress.operation_id = "op_1";
    progress.context = deep.as_object();
    record.progress = std::make_shared<const ProgressState>(progress);
    record.error = std::make_shared<const Error>(fail(Errc::no_data, "no bars", deep.as_object()));
    OperationEvent told = event(1);
    told.data = deep.as_object();
    ASSERT_TRUE(world_->write(record, {told}, true));
    const OperationRecord found = find("op_1");
    EXPECT_EQ(found.parameters, record.parameters);
    EXPECT_EQ(found.result, record.result);
    EXPECT_EQ(found.progress->context, progress.context);
    EXPECT_EQ(*found.error, *record.error);
    EXPECT_EQ(world_->store->events("op_1", {}).value().at(0).data, told.data);
}

TEST_F(Stored, RefusesAnIdThatIsTaken) {
    ASSERT_TRUE(world_->write(world_->record("op_1"), {}, true));
    const auto again = world_->write(world_->record("op_1"), {}, true);
    EXPECT_EQ(again.error().code, Errc::conflict);
    StoreWorld other(file());
    const auto elsewhere = other.write(other.record("op_1"), {}, true);
    EXPECT_EQ(elsewhere.error().code, Errc::conflict);
    EXPECT_THAT(elsewhere.error().message, HasSubstr("another process"));
}

TEST_F(Stored, NeverChangesATerminalState) {
    ASSERT_TRUE(world_->write(world_->record("op_1", OperationStatus::completed), {}, true));
    EXPECT_FALSE(world_->write(world_->record("op_1", OperationStatus::running)));
    EXPECT_FALSE(world_->write(world_->record("op_1", OperationStatus::failed)));
    EXPECT_EQ(find("op_1").status, OperationStatus::completed);
}

TEST_F(Stored, LeavesTheOperationsOfOthersAlone) {
    StoreWorld other(file());
    ASSERT_TRUE(other.write(other.record("op_1"), {}, true));
    EXPECT_FALSE(world_->write(world_->record("op_1", OperationStatus::completed)));
    EXPECT_EQ(find("op_1").status, OperationStatus::running);
}

TEST_F(Stored, WritesAStepWhoseFirstWasLost) {
    ASSERT_TRUE(world_->write(world_->record("op_1", OperationStatus::completed), {event(1), event(2)}));
    EXPECT_EQ(find("op_1").status, OperationStatus::completed);
}

TEST_F(Stored, KeepsEventsAndOfProgressTheNewest) {
    using enum OperationEventKind;
    ASSERT_TRUE(world_->write(world_->record("op_1"),
                              {event(1), event(2, progress), event(3, progress), event(4, metric), event(5, progress)},
                              true));
    ASSERT_TRUE(world_->write(world_->record("op_1"), {event(6, warning)}));
    EXPECT_THAT(numbers(world_->store->events("op_1", {})), ElementsAre(1, 3, 4, 5, 6));
    EXPECT_THAT(numbers(world_->store->events("op_1", {.after = 3, .limit = 2})), ElementsAre(4, 5));
    EXPECT_THAT(numbers(world_->store->events("op_1", {.kind = metric})), ElementsAre(4));
    EXPECT_EQ(world_->store->events("op_1", {}).value()[1].data.at("percentage").as_double(), 3);
    EXPECT_EQ(world_->store->events("op_1", {.limit = 0}).error().code, Errc::invalid_argument);
}

TEST_F(Stored, GivesEveryKindOfEventBack) {
    std::vector<OperationEvent> events;
    for (const auto name : event_kind_names()) {
        events.push_back(event(events.size() + 1, event_kind_from(name).value()));
    }
    ASSERT_TRUE(world_->write(world_->record("op_1"), events, true));
    const auto read = world_->store->events("op_1", {}).value();
    ASSERT_EQ(read.size(), events.size());
    for (std::size_t i = 0; i < read.size(); ++i) {
        EXPECT_EQ(read[i].kind, events[i].kind);
    }
}

TEST_F(Stored, ListsByPageAndCondition) {
    for (int i = 0; i < 5; ++i) {
        world_->clock.advance(1s);
        auto record = world_->record(std::to_string(i), i < 3 ? OperationStatus::completed : OperationStatus::running);
        record.type = i % 2 == 0 ? "data_load" : "training";
        record.parent_id = i == 4 ? "3" : "";
        ASSERT_TRUE(world_->write(record, {}, true));
    }
    const auto ids = [this](const OperationQuery& query) {
        std::vector<std::string> all;
        for (const auto& record : world_->store->list(query).value().records) {
            all.push_back(record.id);
        }
        return all;
    };
    EXPECT_THAT(ids({}), ElementsAre("4", "3", "2", "1", "0"));
    EXPECT_THAT(ids({.limit = 2, .offset = 1}), ElementsAre("3", "2"));
    EXPECT_THAT(ids({.type = "training"}), ElementsAre("3", "1"));
    EXPECT_THAT(ids({.statuses = {OperationStatus::completed}}), ElementsAre("2", "1", "0"));
    EXPECT_THAT(ids({.statuses = {OperationStatus::running, OperationStatus::completed}}),
                ElementsAre("4", "3", "2", "1", "0"));
    EXPECT_THAT(ids({.statuses = {OperationStatus::failed, OperationStatus::timed_out}}), ElementsAre());
    EXPECT_THAT(ids({.active_only = true}), ElementsAre("4", "3"));
    EXPECT_THAT(ids({.parent_id = "3"}), ElementsAre("4"));
    const auto page = world_->store->list({.type = "training", .limit = 1}).value();
    EXPECT_EQ(page.total, 2U);
    EXPECT_EQ(page.active, 2U);
}

TEST_F(Stored, BringsACancelToTheProcessThatRunsIt) {
    ASSERT_TRUE(world_->write(world_->record("op_1"), {}, true));
    StoreWorld other(file());
    EXPECT_THAT(world_->store->take_cancel_requests().value(), IsEmpty());
    EXPECT_TRUE(other.store->request_cancel("op_1", by_user).value());
    EXPECT_FALSE(other.store->request_cancel("op_1", by_user).value()) << "asked before";
    EXPECT_FALSE(other.store->request_cancel("nobody", by_user).value());
    EXPECT_THAT(other.store->take_cancel_requests().value(), IsEmpty());
    const auto requests = world_->store->take_cancel_requests().value();
    ASSERT_THAT(requests, SizeIs(1));
    EXPECT_EQ(requests.front().id, "op_1");
    EXPECT_EQ(requests.front().reason, by_user);
    EXPECT_THAT(world_->store->take_cancel_requests().value(), IsEmpty());
    ASSERT_TRUE(world_->write(world_->record("op_1", OperationStatus::cancelled)));
    EXPECT_FALSE(other.store->request_cancel("op_1", by_user).value());
}

TEST_F(Stored, MarksOnlyWhatTheDeadWereRunning) {
    auto dying = std::make_unique<StoreWorld>(file());
    StoreWorld living(file());
    ASSERT_TRUE(dying->write(dying->record("orphan"), {event(1)}, true));
    ASSERT_TRUE(dying->write(dying->record("done", OperationStatus::completed), {event(1)}, true));
    ASSERT_TRUE(living.write(living.record("running"), {event(1)}, true));
    EXPECT_EQ(world_->store->recover().value(), 0U);
    dying.reset();
    EXPECT_EQ(find("orphan").status, OperationStatus::interrupted) << "whoever asks finds it";
    EXPECT_EQ(world_->store->recover().value(), 0U);
    EXPECT_EQ(find("done").status, OperationStatus::completed);
    EXPECT_EQ(find("running").status, OperationStatus::running);
    const auto events = world_->store->events("orphan", {}).value();
    EXPECT_EQ(events.back().seq, 2U);
    EXPECT_EQ(events.back().data.at("status"), "interrupted");
}

TEST_F(Stored, KnowsADeadProcessByItsLock) {
    const pid_t child = fork();
    if (child == 0) {
        StoreWorld mine(file());
        const auto written = mine.write(mine.record("orphan"), {event(1)}, true);
        // Killed, so that nothing is tidied up.
        kill(getpid(), written ? SIGKILL : SIGABRT);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(WTERMSIG(status), SIGKILL);
    const auto page = world_->store->list({}).value();
    ASSERT_THAT(page.records, SizeIs(1));
    EXPECT_EQ(page.records.front().status, OperationStatus::interrupted);
}

TEST_F(Stored, IsNotKeptAliveByAFork) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        StoreWorld mine(file());
        const bool written = mine.write(mine.record("orphan"), {}, true).has_value();
        // The grandchild lives on when the owner is dead. It tells of itself, so that its fork is over by then.
        if (fork() == 0) {
            const pid_t self = getpid();
            if (write(ready[1], &self, sizeof self) < 0) {
                _exit(1);
            }
            close(ready[1]);
            pause();
        }
        kill(getpid(), written ? SIGKILL : SIGABRT);
    }
    close(ready[1]);
    pid_t grandchild = 0;
    ASSERT_EQ(read(ready[0], &grandchild, sizeof grandchild), static_cast<ssize_t>(sizeof grandchild));
    close(ready[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(find("orphan").status, OperationStatus::interrupted);
    kill(grandchild, SIGKILL);
}

TEST_F(Stored, GoesOnWithWhatWasInterrupted) {
    {
        StoreWorld dying(file());
        auto record = dying.record("op_1");
        record.resumable = true;
        ASSERT_TRUE(dying.write(record, {event(1)}, true));
        ASSERT_TRUE(dying.write(dying.record("plain"), {event(1)}, true));
        ASSERT_TRUE(dying.store->request_cancel("op_1", by_user).value());
        EXPECT_EQ(world_->store->claim("op_1").error().code, Errc::conflict) << "it still runs";
    }
    ASSERT_EQ(world_->store->recover().value(), 2U);
    const auto claimed = world_->store->claim("op_1").value();
    EXPECT_EQ(claimed.status, OperationStatus::resuming);
    EXPECT_EQ(claimed.attempt, 2);
    EXPECT_EQ(claimed.owner, world_->store->owner());
    EXPECT_EQ(world_->store->claim("op_1").error().code, Errc::conflict) << "one of two";
    EXPECT_EQ(world_->store->claim("plain").error().code, Errc::conflict) << "not resumable";
    EXPECT_EQ(world_->store->claim("nobody").error().code, Errc::not_found);
    EXPECT_THAT(world_->store->take_cancel_requests().value(), IsEmpty()) << "that cancel was for the attempt before";
    auto running = claimed;
    running.status = OperationStatus::completed;
    EXPECT_TRUE(world_->write(running, {event(claimed.last_seq + 1)}));
    EXPECT_THAT(numbers(world_->store->events("op_1", {})), ElementsAre(1, 2, 3, 4));
}

TEST_F(Stored, ForgetsByCountAndAge) {
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(world_->write(world_->record(std::to_string(i), OperationStatus::completed), {event(1)}, true));
        world_->clock.advance(1h);
    }
    ASSERT_TRUE(world_->write(world_->record("running"), {event(1)}, true));
    auto other = world_->record("training", OperationStatus::completed);
    other.type = "training";
    ASSERT_TRUE(world_->write(other, {}, true));
    world_->clock.advance(1h);
    EXPECT_EQ(world_->store->forget({.max_count = 3}, "data_load").value(), 1U);
    EXPECT_EQ(world_->store->forget({.max_age = 3h}, "").value(), 1U);
    EXPECT_EQ(world_->store->find("0").value(), std::nullopt);
    EXPECT_EQ(world_->store->find("1").value(), std::nullopt);
    EXPECT_THAT(world_->store->events("1", {}).value(), IsEmpty());
    EXPECT_THAT(world_->store->list({}).value().records, SizeIs(4));
    EXPECT_EQ(world_->store->forget({.max_count = 0}, "").error().code, Errc::invalid_argument);
}

TEST_F(Stored, SaysThatTheDiskIsFullAndLosesNothing) {
    StoreWorld small(file(), {.max_page_count = 30});
    ASSERT_TRUE(small.write(small.record("first", OperationStatus::completed), {}, true));
    Result<void> written{};
    for (int i = 0; i < 1000 && written; ++i) {
        auto record = small.record(std::to_string(i));
        record.parameters["text"] = std::string(1000, 'x');
        written = small.write(record, {}, true);
    }
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::storage_full);
    EXPECT_EQ(find("first").status, OperationStatus::completed);
}

TEST_F(Stored, SaysThatTheDatabaseIsLockedAndGoesOn) {
    StoreWorld hasty(file(), {.busy_timeout = 1ms});
    SQLite::Database other(file().string(), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    const auto written = hasty.write(hasty.record("op_1"), {}, true);
    EXPECT_EQ(written.error().code, Errc::storage);
    EXPECT_THAT(written.error().message, HasSubstr("another process"));
    other.exec("ROLLBACK");
    EXPECT_TRUE(hasty.write(hasty.record("op_1", OperationStatus::completed)));
}

TEST_F(Stored, AnOperationEndsOverADatabaseThatIsLocked) {
    StoreWorld hasty(file(), {.busy_timeout = 1ms});
    SQLite::Database other(file().string(), SQLite::OPEN_READWRITE);
    ManualExecutor io;
    ManualTimerQueue timers(hasty.clock);
    OperationRegistry registry(io, timers, hasty.clock, hasty.store);
    const auto operation = registry.create({"data_load", "op_1", "", {}}).value().operation;
    operation->when_admitted([] {});
    ASSERT_TRUE(operation->start());
    other.exec("BEGIN IMMEDIATE");
    operation->finish(std::any(1));
    EXPECT_EQ(operation->status(), OperationStatus::completed);
    EXPECT_FALSE(operation->record().durable);
    EXPECT_THAT(operation->record().warnings, ElementsAre(HasSubstr("another process")));
    other.exec("ROLLBACK");
    EXPECT_EQ(find("op_1").status, OperationStatus::running) << "what was stored is still there";
}

TEST_F(Stored, ARegistryFindsWhatOtherProcessesRun) {
    ManualExecutor io;
    ManualTimerQueue timers(world_->clock);
    OperationRegistry mine(io, timers, world_->clock, world_->store);
    StoreWorld there(file());
    OperationRegistry theirs(io, timers, there.clock, there.store);
    const auto operation = theirs.create({"data_load", "op_1", "", {}}).value().operation;
    operation->when_admitted([] {});
    EXPECT_EQ(mine.find("op_1"), nullptr);
    EXPECT_EQ(mine.record("op_1").value().status, OperationStatus::pending);
    EXPECT_EQ(mine.list({}).value().active, 1U);
    const auto same = mine.create({"data_load", "op_1", "", {}});
    EXPECT_EQ(same.error().code, Errc::conflict);
    EXPECT_THAT(same.error().message, HasSubstr("another process"));
    EXPECT_TRUE(mine.cancel("op_1", by_user).value());
    EXPECT_TRUE(theirs.tend());
    EXPECT_EQ(operation->status(), OperationStatus::cancelling);
    operation->finish(std::any(1));
    EXPECT_EQ(*mine.record("op_1").value().reason, by_user);
    EXPECT_EQ(mine.cancel("op_1", by_user).error().code, Errc::conflict);
    EXPECT_FALSE(theirs.tend());
    EXPECT_EQ(mine.list({}).value().total, 1U);
    EXPECT_EQ(theirs.list({}).value().total, 1U);
}

TEST_F(Stored, ARegistryTakesUpWhatWasInterrupted) {
    ManualExecutor io;
    {
        StoreWorld dying(file());
        ManualTimerQueue timers(dying.clock);
        OperationRegistry registry(io, timers, dying.clock, dying.store);
        OperationSpec spec{"check", "op_1", "", {{"folder", "a"}}};
        spec.resumable = true;
        const auto operation = registry.create(spec).value().operation;
        operation->when_admitted([] {});
        ASSERT_TRUE(operation->start());
    }
    ManualTimerQueue timers(world_->clock);
    OperationRegistry registry(io, timers, world_->clock, world_->store);
    registry.register_kind({"check", true, [&registry](OperationSpec spec) -> Result<std::shared_ptr<Operation>> {
                                auto created = registry.create(std::move(spec));
                                return created ? Result<std::shared_ptr<Operation>>(created->operation)
                                               : Result<std::shared_ptr<Operation>>(created.error());
                            }});
    EXPECT_EQ(registry.record("op_1").value().status, OperationStatus::interrupted);
    const auto operation = registry.resume("op_1").value();
    EXPECT_EQ(operation->status(), OperationStatus::resuming);
    ASSERT_TRUE(operation->start());
    operation->finish(std::any(boost::json::object{{"files", 3}}));
    EXPECT_EQ(registry.resume("op_1").error().code, Errc::conflict);
    const auto events = registry.events("op_1", {}).value();
    std::vector<std::string> states;
    for (const auto& one : events) {
        if (one.kind == OperationEventKind::state) {
            states.emplace_back(event_data(one).at("status").as_string());
        }
    }
    EXPECT_THAT(states, ElementsAre("pending", "running", "interrupted", "resuming", "running", "completed"));
    for (std::size_t i = 1; i < events.size(); ++i) {
        EXPECT_EQ(events[i].seq, events[i - 1].seq + 1);
    }
}

TEST_F(Stored, OneFileIsOpenOnceInAProcess) {
    InlineExecutor executor;
    const auto first = Storage::open(file(), {}, executor, world_->clock).value();
    const auto second = Storage::open(folder_.path() / "." / "ktrdr.db", {}, executor, world_->clock).value();
    EXPECT_EQ(first, second);
}

TEST_F(Stored, OneFileIsOpenOnceThoughOnlyItsOperationsAreKept) {
    InlineExecutor executor;
    auto storage = Storage::open(file(), {}, executor, world_->clock).value();
    const auto operations = storage->operations();
    storage.reset();
    storage = Storage::open(file(), {}, executor, world_->clock).value();
    EXPECT_EQ(storage->operations(), operations) << "a registry would list each operation twice";
    EXPECT_EQ(storage->database(), operations->database());
}

}  // namespace
}  // namespace ktrdr
