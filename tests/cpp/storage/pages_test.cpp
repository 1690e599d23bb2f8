#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "store_world.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> ids_of(const OperationPage& page) {
    std::vector<std::string> all;
    for (const auto& record : page.records) {
        all.push_back(record.id);
    }
    return all;
}

class Pages : public testing::Test {
protected:
    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "ktrdr.db"; }

    void add(const std::string& id, OperationStatus status = OperationStatus::completed, std::string type = "load",
             std::string parent = "") {
        auto record = world_.record(id, status);
        record.type = std::move(type);
        record.parent_id = std::move(parent);
        ASSERT_TRUE(world_.write(record, {}, true));
    }

    /// Every id that matches, read page by page; `between` runs before each page but the first.
    std::vector<std::string> walk(OperationQuery query, const std::function<void()>& between = [] {}) {
        std::vector<std::string> all;
        for (bool more = true; more;) {
            const auto page = world_.store->list(query).value();
            EXPECT_LE(page.records.size(), query.limit);
            for (auto& id : ids_of(page)) {
                all.push_back(std::move(id));
            }
            more = page.next.has_value();
            // As a client sends it back.
            query.cursor = more ? std::optional(cursor_from(to_string(*page.next)).value()) : std::nullopt;
            between();
        }
        return all;
    }

    test::TemporaryFolder folder_{};
    StoreWorld world_{file()};
};

TEST_F(Pages, HoldEveryOperationOnceWhateverIsStartedMeanwhile) {
    std::vector<std::string> expected;
    for (int i = 0; i < 23; ++i) {
        add(fmt::format("op_{:02}", i), i % 3 == 0 ? OperationStatus::failed : OperationStatus::completed,
            i % 2 == 0 ? "load" : "training", i % 4 == 0 ? "above" : "");
        expected.insert(expected.begin(), fmt::format("op_{:02}", i));
        // Several of one moment: the id tells them apart.
        world_.clock.advance(i % 5 == 0 ? 1s : 0s);
    }
    int later = 0;
    const auto start_another = [&] {
        world_.clock.advance(1s);
        add(fmt::format("later_{}", later++), OperationStatus::running);
    };
    for (const std::size_t limit : {1U, 4U, 23U, 1000U}) {
        EXPECT_EQ(walk({.limit = limit}), expected);
    }
    EXPECT_EQ(walk({.limit = 4}, start_another), expected);
    using enum OperationStatus;
    const std::vector<OperationQuery> queries{{.type = "load", .limit = 2},
                                              {.statuses = {failed}, .limit = 2},
                                              {.statuses = {failed, completed}, .type = "training", .limit = 3},
                                              {.parent_id = "above", .limit = 2},
                                              {.statuses = {failed}, .parent_id = "above", .limit = 1}};
    for (const auto& query : queries) {
        OperationQuery whole = query;
        whole.limit = 1000;
        const auto all = world_.store->list(whole).value();
        EXPECT_THAT(all.records, SizeIs(testing::Ge(2U)));
        EXPECT_EQ(all.total, all.records.size());
        EXPECT_EQ(walk(query), ids_of(all));
        OperationQuery second = query;
        second.offset = query.limit;
        EXPECT_EQ(ids_of(world_.store->list(second).value()).front(), ids_of(all)[query.limit]);
    }
}

TEST_F(Pages, HaveACursorOnlyWhereAnotherFollows) {
    add("a");
    add("b");
    EXPECT_FALSE(world_.store->list({.limit = 2}).value().next);
    const auto first = world_.store->list({.limit = 1}).value();
    ASSERT_TRUE(first.next);
    EXPECT_EQ(first.next->id, "b");
    EXPECT_THAT(ids_of(world_.store->list({.limit = 1, .cursor = first.next}).value()), ElementsAre("a"));
    EXPECT_THAT(ids_of(world_.store->list({.cursor = OperationCursor{}}).value()), IsEmpty());
}

TEST_F(Pages, RefuseAnOffsetThatWouldReadEverything) {
    EXPECT_TRUE(world_.store->list({.offset = 10'000}));
    const auto refused = world_.store->list({.offset = 10'001});
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    EXPECT_EQ(refused.error().context.at("field"), "offset");
    EXPECT_THAT(refused.error().message, HasSubstr("cursor"));
}

TEST(Cursor, IsReadBackFromItsTextAndNothingElseIs) {
    const OperationCursor cursor{UtcTime{1234ns}, "op.1:a-b"};
    EXPECT_EQ(cursor_from(to_string(cursor)).value(), cursor);
    for (const std::string text : {"", ".", "op_1", "12", "x.op_1", "12x.op_1", "99999999999999999999.op_1", " 1.a"}) {
        const auto refused = cursor_from(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    }
}

TEST_F(Pages, AreMergedOfWhatRunsAndWhatIsStored) {
    ManualExecutor io;
    ManualTimerQueue timers(world_.clock);
    OperationRegistry registry(io, timers, world_.clock, world_.store);
    const auto in_memory = std::make_shared<MemoryStore>();
    registry.attach(in_memory);
    std::vector<std::shared_ptr<Operation>> running;
    std::vector<std::string> expected;
    for (int i = 0; i < 12; ++i) {
        world_.clock.advance(1s);
        OperationSpec spec{"load", fmt::format("op_{:02}", i), "", {}};
        spec.store = i % 3 == 0 ? std::static_pointer_cast<OperationStore>(in_memory) : world_.store;
        auto operation = registry.create(spec).value().operation;
        operation->when_admitted([] {});
        if (i % 4 == 0) {
            running.push_back(operation);
        } else {
            operation->finish(std::any(1));
        }
        expected.insert(expected.begin(), operation->id());
    }
    for (const std::size_t limit : {1U, 5U, 12U}) {
        std::vector<std::string> all;
        OperationQuery query{.limit = limit};
        do {
            const auto page = registry.list(query).value();
            EXPECT_EQ(page.total, 12U);
            EXPECT_EQ(page.active, 3U);
            for (const auto& id : ids_of(page)) {
                all.push_back(id);
            }
            query.cursor = page.next;
        } while (query.cursor);
        EXPECT_EQ(all, expected);
    }
    EXPECT_THAT(ids_of(registry.list({.limit = 2, .offset = 3}).value()), ElementsAre("op_08", "op_07"));
}

TEST_F(Pages, CountWhoeverWrites) {
    using enum OperationStatus;
    add("a", running);
    add("b", running, "training", "a");
    add("c");
    ASSERT_TRUE(world_.write(world_.store->find("a").value().value(), {}));
    auto done = world_.store->find("b").value().value();
    done.status = failed;
    ASSERT_TRUE(world_.write(done));
    EXPECT_EQ(world_.store->list({}).value().total, 3U);
    EXPECT_EQ(world_.store->list({}).value().active, 1U);
    EXPECT_EQ(world_.store->list({.statuses = {failed}}).value().total, 1U);
    EXPECT_EQ(world_.store->list({.parent_id = "a", .active_only = true}).value().total, 0U);
    SQLite::Database(file().string(), SQLite::OPEN_READWRITE).exec("DELETE FROM operation WHERE type = 'load'");
    EXPECT_EQ(world_.store->list({}).value().total, 1U);
    EXPECT_EQ(world_.store->list({}).value().active, 0U);
}

TEST(OldFile, IsCountedWhenItIsOpened) {
    const test::TemporaryFolder folder;
    const auto file = folder.path() / "ktrdr.db";
    Schema first = SqliteStore::schema();
    first.migrations = first.migrations.first(1);
    ASSERT_TRUE(Database::open(file, {first}));
    {
        SQLite::Database old(file.string(), SQLite::OPEN_READWRITE);
        for (int i = 0; i < 7; ++i) {
            old.exec(
                fmt::format("INSERT INTO operation VALUES ('op_{0}', '{1}', '', 'above', '{{}}', '{2}', 1, 0, 1, "
                            "'somebody', {0}, NULL, NULL, NULL, NULL, NULL, '{{}}', NULL, NULL, '[]', 1, NULL)",
                            i, i < 3 ? "load" : "training", i % 2 == 0 ? "completed" : "failed"));
        }
        old.exec("INSERT INTO event VALUES ('op_1', 1, 5, 'state', '{}')");
        old.exec("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM");
    }
    StoreWorld world(file);
    EXPECT_EQ(world.store->list({}).value().total, 7U);
    EXPECT_EQ(world.store->list({.type = "training"}).value().total, 4U);
    EXPECT_EQ(world.store->list({.statuses = {OperationStatus::completed}}).value().total, 4U);
    EXPECT_EQ(world.store->list({.parent_id = "above", .limit = 2}).value().total, 7U);
    EXPECT_THAT(world.store->events("op_1", {}).value(), SizeIs(1));
    EXPECT_EQ(world.store->forget({.max_age = 1h}, "load").value(), 3U);
    EXPECT_THAT(ids_of(world.store->list({}).value()), ElementsAre("op_6", "op_5", "op_4", "op_3"));
    SQLite::Database check(file.string(), SQLite::OPEN_READONLY);
    EXPECT_EQ(check.execAndGet("PRAGMA integrity_check").getString(), "ok");
    EXPECT_EQ(check.execAndGet("PRAGMA auto_vacuum").getInt(), 2) << "a small file was written anew";
}

}  // namespace
}  // namespace ktrdr
