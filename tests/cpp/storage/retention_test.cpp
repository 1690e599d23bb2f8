#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store_world.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class Forgetting : public testing::Test {
protected:
    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "ktrdr.db"; }
    [[nodiscard]] std::filesystem::path log() const { return folder_.path() / "ktrdr.db-wal"; }

    /// An operation that has ended, of about so many bytes.
    OperationRecord ended(const std::string& id, std::size_t bytes = 0) {
        auto record = world_.record(id, OperationStatus::completed);
        record.parameters["text"] = std::string(bytes, 'x');
        world_.clock.advance(1s);
        return record;
    }
    void add(const std::string& id, std::size_t bytes = 0, std::size_t events = 0) {
        std::vector<OperationEvent> lines;
        for (std::uint64_t seq = 1; seq <= events; ++seq) {
            lines.push_back({seq, world_.clock.utc_now(), OperationEventKind::metric, {{"loss", 0.5}}, {}});
        }
        ASSERT_TRUE(world_.write(ended(id, bytes), std::move(lines), true));
    }
    [[nodiscard]] std::int64_t ask(const std::string& sql) const {
        SQLite::Database connection(file().string(), SQLite::OPEN_READONLY);
        return connection.execAndGet(sql).getInt64();
    }
    [[nodiscard]] std::vector<std::string> left() const {
        std::vector<std::string> ids;
        const auto page = world_.store->list({.limit = 1000}).value();
        for (const auto& record : page.records) {
            ids.push_back(record.id);
        }
        return ids;
    }

    test::TemporaryFolder folder_{};
    StoreWorld world_{file()};
};

TEST_F(Forgetting, GivesTheSpaceBack) {
    for (int i = 0; i < 200; ++i) {
        add(std::to_string(i), 20'000, 10);
    }
    const auto before = std::filesystem::file_size(file()) + std::filesystem::file_size(log());
    EXPECT_GT(before, 4'000'000U);
    EXPECT_EQ(world_.store->forget({.max_count = 3}, "").value(), 197U);
    EXPECT_LT(std::filesystem::file_size(file()), 400'000U);
    EXPECT_EQ(std::filesystem::file_size(log()), 0U);
    EXPECT_EQ(ask("PRAGMA freelist_count"), 0);
    EXPECT_EQ(ask("SELECT count(*) FROM event"), 30);
    EXPECT_THAT(left(), ElementsAre("199", "198", "197"));
}

TEST_F(Forgetting, TakesAnOperationOfManyEventsInParts) {
    add("long", 0, 20'000);
    add("short");
    EXPECT_EQ(world_.store->forget({.max_count = 1}, "").value(), 1U);
    EXPECT_THAT(left(), ElementsAre("short"));
    EXPECT_EQ(ask("SELECT count(*) FROM event"), 0);
}

TEST_F(Forgetting, KeepsAllWithinASizeAndTheNewestTenInAnyCase) {
    for (int i = 0; i < 30; ++i) {
        add(fmt::format("{:02}", i), 100'000);
    }
    EXPECT_EQ(world_.store->forget({.max_bytes = 1 << 20}, "").value(), 20U);
    EXPECT_THAT(left(), SizeIs(10));
    EXPECT_LE(ask("SELECT bytes FROM operation_size"), 1 << 20);
    for (int i = 0; i < 9; ++i) {
        add(fmt::format("large {}", i), 2'000'000);
    }
    ASSERT_TRUE(world_.store->forget({.max_bytes = 1 << 20}, ""));
    EXPECT_THAT(left(), SizeIs(10));
    EXPECT_EQ(world_.store->forget({.max_bytes = 1000}, "").error().context.at("field"), "max_bytes");
}

TEST_F(Forgetting, KnowsTheSizeOfWhatIsThere) {
    add("a", 1000, 20);
    auto record = world_.record("b");
    ASSERT_TRUE(world_.write(record, {}, true));
    record.status = OperationStatus::completed;
    record.result = boost::json::string(5000, 'x');
    ASSERT_TRUE(world_.write(record));
    EXPECT_GT(ask("SELECT bytes FROM operation_size"), 6000);
    world_.clock.advance(24h);
    add("c");
    EXPECT_EQ(world_.store->forget({.max_age = 1h}, "").value(), 2U);
    EXPECT_EQ(world_.store->forget({.max_count = 1}, "").value(), 0U);
    EXPECT_LT(ask("SELECT bytes FROM operation_size"), 2000);
    SQLite::Database(file().string(), SQLite::OPEN_READWRITE).exec("DELETE FROM event; DELETE FROM operation");
    EXPECT_EQ(ask("SELECT bytes FROM operation_size"), 0);
    EXPECT_EQ(ask("SELECT count(*) FROM operation_count"), 0);
}

TEST_F(Forgetting, LeavesWhatRunsWhateverItsAge) {
    ASSERT_TRUE(world_.write(world_.record("running"), {}, true));
    world_.clock.advance(24h * 1000);
    add("new");
    EXPECT_EQ(world_.store->forget({.max_age = 1h}, "").value(), 0U);
    EXPECT_THAT(left(), ElementsAre("new", "running"));
}

TEST_F(Forgetting, HappensByItselfWhenAStoreIsOpenedAndUsed) {
    add("old");
    world_.clock.advance(24h * 100);
    world_.store->keep_house();
    EXPECT_THAT(left(), IsEmpty()) << "as Retention{} says";
    ASSERT_TRUE(world_.store->set_retention({.max_count = 5}));
    for (int i = 0; i < 520; ++i) {
        add(std::to_string(i));
    }
    EXPECT_LT(left().size(), 30U) << "nobody asked for it";
    StoreWorld(file()).store->keep_house();
    EXPECT_THAT(left(), SizeIs(5)) << "whoever opens it";
    EXPECT_FALSE(world_.store->set_retention({.max_count = 0}));
}

TEST_F(Forgetting, WaitsForALockAndLosesNothing) {
    add("a");
    add("b");
    StoreWorld hasty(file(), {.busy_timeout = 1ms});
    SQLite::Database other(file().string(), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    EXPECT_EQ(hasty.store->forget({.max_count = 1}, "").error().code, Errc::storage);
    hasty.store->keep_house();
    other.exec("ROLLBACK");
    EXPECT_EQ(hasty.store->forget({.max_count = 1}, "").value(), 1U);
}

}  // namespace
}  // namespace ktrdr
