#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <future>
#include <latch>

#include <ktrdr/storage/database.hpp>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

constexpr std::array<std::string_view, 1> first_schema{"CREATE TABLE note(text TEXT NOT NULL)"};
constexpr std::array<std::string_view, 2> second_schema{first_schema[0], "ALTER TABLE note ADD COLUMN stars INTEGER"};

class DatabaseTest : public testing::Test {
protected:
    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "ktrdr.db"; }
    [[nodiscard]] std::shared_ptr<Database> open() const {
        return Database::open(file(), {{"notes", first_schema}}).value();
    }

    test::TemporaryFolder folder_{};
};

Result<void> add_note(Database& database, const std::string& text) {
    return database.write("add a note", [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement insert(connection, "INSERT INTO note(text) VALUES (?)");
        insert.bind(1, text);
        insert.exec();
        return {};
    });
}

std::int64_t ask(Database& database, const std::string& sql) {
    std::int64_t answer = -1;
    const auto read = database.read("count", [&](SQLite::Database& connection) -> Result<void> {
        answer = connection.execAndGet(sql).getInt64();
        return {};
    });
    EXPECT_TRUE(read) << read.error().message;
    return answer;
}

std::int64_t notes(Database& database) {
    return ask(database, "SELECT count(*) FROM note");
}

TEST_F(DatabaseTest, MakesFolderFileAndSchema) {
    const auto database = Database::open(folder_.path() / "a" / "b" / "ktrdr.db", {{"notes", first_schema}}).value();
    EXPECT_EQ(notes(*database), 0);
    EXPECT_EQ(ask(*database, "PRAGMA application_id"), Database::application_id);
    EXPECT_EQ(ask(*database, "SELECT version FROM schema_version WHERE component = 'notes'"), 1);
}

TEST_F(DatabaseTest, KeepsWhatWasWritten) {
    ASSERT_TRUE(add_note(*open(), "first"));
    EXPECT_EQ(notes(*open()), 1);
}

TEST_F(DatabaseTest, BringsAnOlderSchemaUpToDate) {
    ASSERT_TRUE(add_note(*open(), "first"));
    const auto database = Database::open(file(), {{"notes", second_schema}}).value();
    EXPECT_EQ(ask(*database, "SELECT count(*) FROM note WHERE stars IS NULL"), 1);
    EXPECT_EQ(ask(*database, "SELECT version FROM schema_version"), 2);
}

TEST_F(DatabaseTest, RefusesANewerSchemaNamingItsVersion) {
    ASSERT_TRUE(Database::open(file(), {{"notes", second_schema}}));
    const auto older = Database::open(file(), {{"notes", first_schema}});
    ASSERT_FALSE(older);
    EXPECT_EQ(older.error().code, Errc::storage_schema);
    EXPECT_THAT(older.error().message, HasSubstr("notes has version 2"));
}

TEST_F(DatabaseTest, KeepsTheVersionsOfRoomsApart) {
    constexpr std::array<std::string_view, 1> other{"CREATE TABLE star(n INTEGER)"};
    ASSERT_TRUE(Database::open(file(), {{"notes", second_schema}}));
    const auto database = Database::open(file(), {{"stars", other}}).value();
    EXPECT_EQ(ask(*database, "SELECT sum(version) FROM schema_version"), 3);
    EXPECT_EQ(notes(*database), 0);
}

TEST_F(DatabaseTest, TakesOverAFileOfTheFirstLayout) {
    {
        SQLite::Database old(file().string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        old.exec("CREATE TABLE bar(x); INSERT INTO bar VALUES (7)");
        old.exec(fmt::format("PRAGMA application_id = {}", Database::application_id));
        old.exec("PRAGMA user_version = 1");
    }
    const std::array<std::string_view, 1> bars{"CREATE TABLE bar(x)"};
    const auto database = Database::open(file(), {{"bar_store", bars}, {"notes", first_schema}}).value();
    EXPECT_EQ(ask(*database, "SELECT x FROM bar"), 7);
    EXPECT_EQ(notes(*database), 0);
}

TEST_F(DatabaseTest, RefusesANewerLayout) {
    ASSERT_TRUE(open());
    SQLite::Database(file().string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 3");
    const auto database = Database::open(file(), {{"notes", first_schema}});
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, Errc::storage_schema);
    EXPECT_THAT(database.error().message, HasSubstr("layout has version 3, this build knows 2"));
}

TEST_F(DatabaseTest, LeavesOutEverythingOfAFailedMigration) {
    ASSERT_TRUE(add_note(*open(), "first"));
    const std::array<std::string_view, 2> broken{first_schema[0],
                                                 "CREATE TABLE half(x); INSERT INTO missing VALUES (1)"};
    EXPECT_FALSE(Database::open(file(), {{"notes", broken}}));
    const auto database = open();
    EXPECT_EQ(notes(*database), 1);
    EXPECT_EQ(ask(*database, "SELECT count(*) FROM sqlite_master WHERE name = 'half'"), 0);
}

TEST_F(DatabaseTest, RefusesAFileInThePlaceOfTheFolder) {
    std::ofstream(folder_.path() / "data") << "text";
    const auto database = Database::open(folder_.path() / "data" / "ktrdr.db", {{"notes", first_schema}});
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, Errc::storage);
    EXPECT_THAT(database.error().message, HasSubstr((folder_.path() / "data").string()));
}

TEST_F(DatabaseTest, RefusesAFileThatIsNoDatabaseAndLeavesItAlone) {
    const std::string text(4096, 'x');
    std::ofstream(file()) << text;
    const auto database = Database::open(file(), {{"notes", first_schema}});
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, Errc::storage_schema);
    EXPECT_THAT(database.error().message, HasSubstr("not a SQLite database"));
    std::ifstream kept(file());
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), text);
}

TEST_F(DatabaseTest, RefusesTheDatabaseOfAnotherProgram) {
    {
        SQLite::Database other(file().string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        other.exec("CREATE TABLE theirs(x)");
    }
    const auto database = Database::open(file(), {{"notes", first_schema}});
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, Errc::storage_schema);
    EXPECT_THAT(database.error().message, HasSubstr("another program"));
}

TEST_F(DatabaseTest, RefusesAFolderInThePlaceOfTheFile) {
    std::filesystem::create_directories(file());
    const auto database = Database::open(file(), {{"notes", first_schema}});
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, Errc::storage);
}

TEST_F(DatabaseTest, UndoesWorkThatAnswersAnError) {
    const auto database = open();
    const auto written = database->write("try", [](SQLite::Database& connection) -> Result<void> {
        connection.exec("INSERT INTO note(text) VALUES ('gone')");
        return fail(Errc::invalid_argument, "changed my mind");
    });
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().message, "changed my mind");
    EXPECT_EQ(notes(*database), 0);
    EXPECT_TRUE(add_note(*database, "next"));
}

TEST_F(DatabaseTest, UndoesWorkThatSqliteRefuses) {
    const auto database = open();
    const auto written = database->write("break a rule", [](SQLite::Database& connection) -> Result<void> {
        connection.exec("INSERT INTO note(text) VALUES ('gone')");
        connection.exec("INSERT INTO note(text) VALUES (NULL)");
        return {};
    });
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::storage);
    EXPECT_THAT(written.error().message, HasSubstr("cannot break a rule"));
    EXPECT_EQ(notes(*database), 0);
}

TEST_F(DatabaseTest, SaysThatThereIsNoRoomAndKeepsWhatIsStored) {
    const auto database = Database::open(file(), {{"notes", first_schema}}, {.max_page_count = 16}).value();
    ASSERT_TRUE(add_note(*database, "first"));
    const auto written = add_note(*database, std::string(200'000, 'x'));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::storage_full);
    EXPECT_THAT(written.error().message, HasSubstr("no room left"));
    EXPECT_EQ(notes(*database), 1);
    EXPECT_TRUE(add_note(*database, "second"));
}

TEST_F(DatabaseTest, NeverWritesWhileReading) {
    const auto database = open();
    const auto read = database->read("read", [](SQLite::Database& connection) -> Result<void> {
        connection.exec("INSERT INTO note(text) VALUES ('sneaky')");
        return {};
    });
    ASSERT_FALSE(read);
    EXPECT_EQ(notes(*database), 0);
}

TEST_F(DatabaseTest, ReadsWhileAWriteIsOpen) {
    const auto database = open();
    ASSERT_TRUE(add_note(*database, "first"));
    std::promise<void> writing;
    std::promise<void> may_end;
    auto writer = std::async(std::launch::async, [&] {
        return database->write("hold", [&](SQLite::Database& connection) -> Result<void> {
            connection.exec("INSERT INTO note(text) VALUES ('second')");
            writing.set_value();
            may_end.get_future().wait();
            return {};
        });
    });
    writing.get_future().wait();
    EXPECT_EQ(notes(*database), 1);
    may_end.set_value();
    EXPECT_TRUE(writer.get());
    EXPECT_EQ(notes(*database), 2);
}

TEST_F(DatabaseTest, OpensOnceForManyAtTheSameTime) {
    constexpr std::ptrdiff_t openers = 6;
    std::latch together(openers);
    std::vector<std::future<Result<void>>> done;
    for (std::ptrdiff_t i = 0; i < openers; ++i) {
        done.push_back(std::async(std::launch::async, [&]() -> Result<void> {
            together.arrive_and_wait();
            const auto database =
                Database::open(file(), {{"notes", first_schema}}, {.busy_timeout = std::chrono::seconds{60}});
            return database ? add_note(**database, "mine") : database.error();
        }));
    }
    for (auto& one : done) {
        const auto result = one.get();
        EXPECT_TRUE(result) << result.error().message;
    }
    EXPECT_EQ(notes(*open()), openers);
}

TEST_F(DatabaseTest, SaysThatAnotherProcessHoldsTheLock) {
    const auto database =
        Database::open(file(), {{"notes", first_schema}}, {.busy_timeout = std::chrono::milliseconds{0}}).value();
    SQLite::Database other(file().string(), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    const auto written = add_note(*database, "first");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::storage);
    EXPECT_THAT(written.error().message, HasSubstr("another process"));
    other.exec("ROLLBACK");
    EXPECT_TRUE(add_note(*database, "first"));
}

}  // namespace
}  // namespace ktrdr
