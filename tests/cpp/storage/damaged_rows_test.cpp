// What comes from the file is input: what is damaged is shown as that, and nothing else is lost for it.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include <ktrdr/base/text.hpp>

#include "store_world.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const CancelReason by_hand{CancelCode::user, "enough", "cli"};

class Damaged : public testing::Test {
protected:
    void SetUp() override {
        world_ = std::make_unique<StoreWorld>(file());
        for (const char* const id : {"first", "odd", "last"}) {
            auto record = world_->record(id, OperationStatus::failed);
            record.reason = std::make_shared<const CancelReason>(by_hand);
            record.result = {{"bars", 7}};
            record.error = std::make_shared<const Error>(fail(Errc::no_data, "no bars", {{"symbol", "AAPL"}}));
            record.warnings = {"slow"};
            record.started = record.created;
            std::vector<OperationEvent> events;
            for (std::uint64_t seq = 1; seq <= 3; ++seq) {
                events.push_back({seq, record.created, OperationEventKind::metric, {{"loss", 0.5}}, {}});
            }
            ASSERT_TRUE(world_->write(record, events, true));
        }
    }
    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "ktrdr.db"; }
    /// What a foreign process writes; `value` is SQL.
    void exec(const std::string& sql) const {
        SQLite::Database other(file().string(), SQLite::OPEN_READWRITE);
        other.exec(sql);
    }
    void put(const std::string& column, const std::string& value, const std::string& id = "odd") const {
        exec(fmt::format("UPDATE operation SET {} = {} WHERE id = '{}'", column, value, id));
    }
    /// Without STRICT a column holds anything.
    void loosen() {
        world_.reset();
        exec(
            "PRAGMA writable_schema = ON; UPDATE sqlite_master SET "
            "sql = replace(replace(sql, 'STRICT, WITHOUT', 'WITHOUT'), 'STRICT', '') WHERE type = 'table'; "
            "PRAGMA writable_schema = RESET");
        world_ = std::make_unique<StoreWorld>(file());
    }
    [[nodiscard]] std::map<std::string, OperationRecord> all() const {
        std::map<std::string, OperationRecord> found;
        const auto page = world_->store->list({});
        EXPECT_TRUE(page) << page.error().message;
        if (page) {
            EXPECT_EQ(page->total, 3U);
            for (const auto& record : page->records) {
                found.emplace(record.id, record);
            }
        }
        return found;
    }

    test::TemporaryFolder folder_{};
    std::unique_ptr<StoreWorld> world_;
};

struct Column {
    const char* name{};
    std::vector<std::string> values{};
};

/// Of every column what cannot have been written.
const std::vector<Column> odd_columns{
    {"type", {"''", "'two words'", "'../../x'", "CAST(x'e9' AS TEXT)"}},
    {"name", {"CAST(x'436166e9' AS TEXT)"}},
    {"parent_id", {"CAST(x'ff' AS TEXT)"}},
    {"parameters",
     {"'garbage'", "''", "'[]'", "'\"x\"'", "'{\"a\":'", "'{\"a\":\"\\ud800\"}'", "CAST(x'7bff7d' AS TEXT)",
      "'{\"a\":' || replace(hex(zeroblob(200)), '00', '[') || replace(hex(zeroblob(200)), '00', ']') || '}'"}},
    {"status", {"'garbage'", "''", "'FAILED'", "'failed '", "CAST(x'ff' AS TEXT)"}},
    {"attempt", {"0", "-1", "-9223372036854775808"}},
    {"resumable", {"2", "-1"}},
    {"durable", {"7"}},
    {"owner", {"CAST(x'ff' AS TEXT)"}},
    {"reason",
     {"'garbage'", "'[]'", "'{}'", "'null'", "'{\"code\":\"nonsense\",\"text\":\"\",\"origin\":\"\"}'",
      "'{\"code\":1,\"text\":\"\",\"origin\":\"\"}'", "'{\"code\":\"user\",\"text\":[],\"origin\":\"\"}'"}},
    {"progress", {"'garbage'", "'[]'", "'7'"}},
    {"result", {"'garbage'", "''", "'{'", "CAST(x'22ff22' AS TEXT)"}},
    {"error",
     {"'garbage'", "'{}'", "'[]'", "'{\"code\":\"nonsense\",\"message\":\"\",\"context\":{}}'",
      "'{\"code\":\"storage\",\"message\":1,\"context\":{}}'",
      "'{\"code\":\"storage\",\"message\":\"\",\"context\":[]}'"}},
    {"warnings", {"'garbage'", "'{}'", "'[1]'"}},
    {"last_seq", {"-1", "-9223372036854775808"}},
};

TEST_F(Damaged, IsOneRecordAndAllOthersAreListed) {
    const OperationRecord sound = all().at("odd");
    EXPECT_THAT(sound.damage, IsEmpty());
    for (const Column& column : odd_columns) {
        for (const std::string& value : column.values) {
            exec("CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM operation WHERE id = 'odd'");
            put(column.name, value);
            const auto records = all();
            ASSERT_THAT(records, SizeIs(3)) << column.name << " = " << value;
            const OperationRecord& odd = records.at("odd");
            EXPECT_THAT(odd.damage, Contains(HasSubstr(std::string(column.name) + ": "))) << value;
            EXPECT_THAT(odd.warnings, Contains(HasSubstr("the record of operation odd in " + file().string())));
            EXPECT_THAT(records.at("first").damage, IsEmpty());
            EXPECT_EQ(records.at("last").result, sound.result);
            EXPECT_EQ(world_->store->find("odd").value()->damage, odd.damage);
            for (const std::string& text : {odd.type, odd.name, odd.parent_id, odd.owner, odd.damage.front()}) {
                EXPECT_TRUE(is_utf8(text)) << column.name;
            }
            exec(fmt::format("UPDATE operation SET {0} = (SELECT {0} FROM kept) WHERE id = 'odd'", column.name));
        }
        exec("DROP TABLE kept");
        EXPECT_THAT(all().at("odd").damage, IsEmpty()) << column.name;
    }
}

TEST_F(Damaged, HasFailedWithAnErrorThatNamesItWhereItsEndIsDamaged) {
    for (const char* const column : {"status", "result", "error"}) {
        put(column, "'garbage'");
        const OperationRecord odd = all().at("odd");
        EXPECT_EQ(odd.status, OperationStatus::failed);
        ASSERT_TRUE(odd.error);
        EXPECT_EQ(odd.error->code, Errc::storage);
        EXPECT_EQ(odd.error->context.at("operation_id"), "odd");
        EXPECT_EQ(odd.result, std::nullopt);
    }
}

TEST_F(Damaged, KeepsItsEndWhereThatIsSound) {
    const OperationRecord sound = all().at("odd");
    put("progress", "'garbage'");
    const OperationRecord odd = all().at("odd");
    EXPECT_EQ(odd.error->code, Errc::no_data);
    EXPECT_EQ(odd.result, sound.result);
}

TEST_F(Damaged, IsShownByAnIdThatCanBeShown) {
    for (const auto& [id, shown] : std::map<std::string, std::string>{{"'../../etc/passwd'", "../../etc/passwd"},
                                                                      {"'two words'", "two words"},
                                                                      {"char(27) || '[31m'", "\\x1b[31m"},
                                                                      {"CAST(x'61ff' AS TEXT)", "a\\xff"},
                                                                      {"''", ""}}) {
        exec(fmt::format("PRAGMA foreign_keys = OFF; UPDATE operation SET id = {} WHERE id NOT IN ('first', 'last')",
                         id));
        const auto records = all();
        ASSERT_THAT(records, SizeIs(3));
        ASSERT_TRUE(records.contains(shown)) << id;
        EXPECT_THAT(records.at(shown).damage, ElementsAre(HasSubstr("id: ")));
    }
}

TEST_F(Damaged, HoldsNumbersThatNobodyCounted) {
    put("progress",
        "'{\"sequence\":1e300,\"percentage\":\"x\",\"current_step\":18446744073709551615,\"total_steps\":-1.5,"
        "\"start_time_ns\":9e99,\"estimated_remaining_ms\":9223372036854775807,\"context\":7}'");
    for (const char* const column : {"created", "started", "cancel_requested", "cancel_observed", "stopped"}) {
        put(column, "-9223372036854775808");
        put(column, "9223372036854775807", "last");
    }
    put("last_seq", "9223372036854775807");
    const auto records = all();
    EXPECT_EQ(records.at("odd").progress->sequence, 0U);
    EXPECT_EQ(records.at("odd").progress->estimated_remaining, std::nullopt);
}

TEST_F(Damaged, MayHoldAnythingInAnyColumn) {
    loosen();
    const std::vector<std::string> columns{"type",     "name",   "parent_id", "parameters", "status",
                                           "attempt",  "owner",  "created",   "started",    "reason",
                                           "progress", "result", "error",     "warnings",   "last_seq"};
    for (const std::string& column : columns) {
        for (const char* const value : {"x'00ff'", "3.5", "'text'", "zeroblob(100000)"}) {
            put(column, value);
            EXPECT_THAT(world_->store->list({}).value().records, SizeIs(3)) << column << " = " << value;
        }
    }
}

TEST_F(Damaged, StopsNeitherTheDeadFromBeingMarkedNorTheList) {
    auto dying = std::make_unique<StoreWorld>(file());
    for (const char* const id : {"a", "b", "c"}) {
        ASSERT_TRUE(dying->write(dying->record(id), {}, true));
    }
    put("last_seq", "9223372036854775807", "a");
    put("progress", "'garbage'", "b");
    // An owner whose row is lost, and one that is called like a path.
    exec("DELETE FROM owner; INSERT INTO owner VALUES ('../../../../tmp/x', 1, 1), ('', 1, 1)");
    EXPECT_EQ(world_->store->recover().value(), 0U) << "it lives";
    dying.reset();
    EXPECT_EQ(world_->store->recover().value(), 3U);
    for (const char* const id : {"a", "b", "c"}) {
        EXPECT_EQ(world_->store->find(id).value()->status, OperationStatus::interrupted);
    }
}

TEST_F(Damaged, IsOneEventAndAllOthersAreRead) {
    for (const char* const damage :
         {"kind = 'noise'", "kind = ''", "data = 'garbage'", "data = '[]'", "data = CAST(x'7bff' AS TEXT)"}) {
        exec(fmt::format("UPDATE event SET {} WHERE operation = 'odd' AND seq = 2", damage));
        const auto events = world_->store->events("odd", {}).value();
        ASSERT_THAT(events, SizeIs(3)) << damage;
        EXPECT_EQ(events[1].seq, 2U);
        EXPECT_EQ(events[1].kind, OperationEventKind::warning);
        EXPECT_EQ(events[1].data.at("damaged"), true);
        EXPECT_THAT(std::string(events[1].data.at("message").as_string()),
                    HasSubstr("event 2 of operation odd in " + file().string() + " is damaged"));
        EXPECT_EQ(events[2].data, (boost::json::object{{"loss", 0.5}}));
        exec("UPDATE event SET kind = 'metric', data = '{\"loss\":0.5}' WHERE operation = 'odd' AND seq = 2");
    }
}

TEST_F(Damaged, IsNothingFromWhichWorkIsMadeAgain) {
    put("parameters", "'garbage'");
    put("status", "'interrupted'");
    put("resumable", "1");
    EXPECT_EQ(world_->store->claim("odd").error().code, Errc::storage);
    ManualExecutor io;
    ManualTimerQueue timers(world_->clock);
    OperationRegistry registry(io, timers, world_->clock, world_->store);
    EXPECT_EQ(registry.check_resume("odd").error().code, Errc::storage);
    EXPECT_EQ(registry.check_retry("odd").error().code, Errc::storage);
    EXPECT_THAT(registry.record("odd").value().damage, SizeIs(1));
    EXPECT_EQ(registry.list({}).value().records.size(), 3U);
}

TEST_F(Damaged, IsARequestThatCancelsNothing) {
    ASSERT_TRUE(world_->write(world_->record("running"), {}, true));
    ASSERT_TRUE(world_->write(world_->record("other"), {}, true));
    for (const char* const odd :
         {"'garbage'", "''", "'{}'", "'[]'", "'null'", "'{\"code\":\"nonsense\",\"text\":\"\",\"origin\":\"\"}'",
          "'{\"code\":1,\"text\":\"\",\"origin\":\"\"}'", "CAST(x'ff' AS TEXT)",
          "replace(hex(zeroblob(5000)), '00', '[')"}) {
        put("asked", odd, "running");
        EXPECT_THAT(world_->store->take_cancel_requests().value(), IsEmpty()) << odd;
    }
    put("asked", "'garbage'", "running");
    ASSERT_TRUE(world_->store->request_cancel("other", by_hand).value());
    const auto requests = world_->store->take_cancel_requests().value();
    ASSERT_THAT(requests, SizeIs(1)) << "those of others are heard";
    EXPECT_EQ(requests.front().id, "other");
    ASSERT_TRUE(world_->store->request_cancel("running", by_hand).value()) << "it can be asked for after that";
    EXPECT_THAT(world_->store->take_cancel_requests().value(), SizeIs(1));
}

TEST_F(Damaged, IsToldByAVerification) {
    const StoreCheck sound = world_->store->verify().value();
    EXPECT_EQ(sound.operations, 3U);
    EXPECT_EQ(sound.events, 9U);
    EXPECT_THAT(sound.damage, IsEmpty());
    put("status", "'garbage'");
    put("asked", "'garbage'", "last");
    exec("UPDATE event SET data = 'garbage' WHERE operation = 'first' AND seq = 3");
    exec("PRAGMA foreign_keys = OFF; INSERT INTO event VALUES ('nobody', 1, 1, 'log', '{}')");
    const StoreCheck check = world_->store->verify().value();
    std::vector<std::string> told;
    for (const StoreDamage& one : check.damage) {
        told.push_back(fmt::format("{} {} {}", one.operation_id, one.seq, one.what));
    }
    EXPECT_THAT(told,
                ElementsAre(HasSubstr("odd 0 status: \"garbage\" is not known"), HasSubstr("last 0 asked: "),
                            HasSubstr("first 3 event 3 of operation first"), HasSubstr("nobody 1 it belongs to no")));
}

TEST_F(Damaged, IsToldAThousandTimesAtMostAndWhatSqliteSeesFirst) {
    exec("PRAGMA ignore_check_constraints = ON; INSERT INTO operation_retention VALUES (2, 1, 1, 1)");
    exec(
        "PRAGMA foreign_keys = OFF; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) "
        "INSERT INTO event SELECT 'nobody', i, 1, 'log', '{}' FROM n");
    const StoreCheck check = world_->store->verify().value();
    ASSERT_THAT(check.damage, SizeIs(1000));
    EXPECT_THAT(check.damage.front().what, HasSubstr("CHECK constraint failed"));
    EXPECT_EQ(check.damage.back().operation_id, "nobody");
    EXPECT_EQ(check.events, 1209U);
}

TEST_F(Damaged, TablesThatAreGoneLeaveTheOthersTheirLook) {
    exec("DROP TABLE event");
    const StoreCheck check = world_->store->verify().value();
    EXPECT_EQ(check.operations, 3U);
    ASSERT_THAT(check.damage, SizeIs(1));
    EXPECT_THAT(check.damage.front().what, HasSubstr("the events cannot be read further"));
}

TEST_F(Damaged, ProcessesThatDiedAreMarkedWhenTheFileIsOpenedAndByThoseWhoHaveItOpen) {
    const auto status = [this](const char* id) {
        SQLite::Database raw(file().string(), SQLite::OPEN_READWRITE);
        return raw.execAndGet(fmt::format("SELECT status FROM operation WHERE id = '{}'", id)).getString();
    };
    auto dying = std::make_unique<StoreWorld>(file());
    ASSERT_TRUE(dying->write(dying->record("one"), {}, true));
    dying.reset();
    world_.reset();
    InlineExecutor executor;
    ManualClock clock;
    const auto storage = Storage::open(file(), {}, executor, clock).value();
    EXPECT_EQ(status("one"), "interrupted") << "nobody has looked";
    dying = std::make_unique<StoreWorld>(file());
    ASSERT_TRUE(dying->write(dying->record("two"), {}, true));
    ManualExecutor io;
    ManualTimerQueue timers(clock);
    OperationRegistry registry(io, timers, clock);
    EXPECT_FALSE(registry.watch_owners()) << "memory has no others";
    registry.attach(storage->operations());
    EXPECT_TRUE(registry.watch_owners());
    EXPECT_EQ(status("two"), "running");
    dying.reset();
    EXPECT_TRUE(registry.watch_owners());
    EXPECT_EQ(status("two"), "interrupted");
}

}  // namespace
}  // namespace ktrdr
