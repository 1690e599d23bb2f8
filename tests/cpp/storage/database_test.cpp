#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
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
    EXPECT_EQ(ask(*database, "SELECT sum(version) FROM schema_version WHERE component <> 'place'"), 3);
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

/// A read that is under way until it is told to end.
class HeldRead final {
public:
    explicit HeldRead(Database& database)
        : ended_(std::async(std::launch::async, [this, &database] { return hold(database); })) {
        begun_.wait();
    }
    HeldRead(const HeldRead&) = delete;
    HeldRead& operator=(const HeldRead&) = delete;
    ~HeldRead() {
        may_end_.count_down();
        const auto ended = ended_.get();
        EXPECT_TRUE(ended) << ended.error().message;
    }
    [[nodiscard]] std::int64_t seen() const { return seen_; }

private:
    Result<void> hold(Database& database) {
        const auto read = database.read("hold", [this](SQLite::Database& connection) -> Result<void> {
            seen_ = connection.execAndGet("SELECT count(*) FROM note").getInt64();
            begun_.count_down();
            may_end_.wait();
            return {};
        });
        if (!read) {
            begun_.count_down();
        }
        return read;
    }

    std::latch begun_{1};
    std::latch may_end_{1};
    std::int64_t seen_{-1};
    std::future<Result<void>> ended_;
};

TEST_F(DatabaseTest, ReadsWhileOthersReadAndSeesWhatWasWrittenBefore) {
    const auto database = Database::open(file(), {{"notes", first_schema}}, {.max_readers = 3}).value();
    const HeldRead first(*database);
    ASSERT_TRUE(add_note(*database, "first"));
    const HeldRead second(*database);
    ASSERT_TRUE(add_note(*database, "second"));
    EXPECT_EQ(first.seen(), 0);
    EXPECT_EQ(second.seen(), 1);
    EXPECT_EQ(notes(*database), 2);
}

TEST_F(DatabaseTest, MakesAReadWaitWhenAsManyAreUnderWayAsMayBe) {
    const auto database = Database::open(file(), {{"notes", first_schema}}, {.max_readers = 1}).value();
    std::atomic<bool> ended{false};
    std::future<void> waiting;
    {
        const HeldRead only(*database);
        waiting = std::async(std::launch::async, [&] {
            EXPECT_EQ(notes(*database), 0);
            ended = true;
        });
        EXPECT_FALSE(ended);
    }
    waiting.get();
    EXPECT_TRUE(ended);
}

TEST_F(DatabaseTest, ReadsOnWithTheConnectionsItHasWhenItsFileWasReplaced) {
    const std::filesystem::path folder = folder_.path() / "data";
    const auto database = Database::open(folder / "ktrdr.db", {{"notes", first_schema}}).value();
    ASSERT_TRUE(add_note(*database, "of the first file"));
    ASSERT_EQ(notes(*database), 1);
    std::filesystem::rename(folder, folder_.path() / "away");
    const auto replacing = Database::open(folder / "ktrdr.db", {{"notes", first_schema}}).value();
    std::future<std::int64_t> read;
    {
        const HeldRead held(*database);
        read = std::async(std::launch::async, [&] { return notes(*database); });
        EXPECT_EQ(notes(*replacing), 0);
    }
    EXPECT_EQ(read.get(), 1);
}

TEST_F(DatabaseTest, WritesNothingToAFileThatIsNotWhereItWasAndEverythingOnceItIsBack) {
    const auto database = Database::open(folder_.path() / "ktrdr.db", {{"notes", first_schema}}).value();
    ASSERT_TRUE(add_note(*database, "before"));
    const auto expect_refused = [&](std::string_view how) {
        const auto done = add_note(*database, "lost");
        ASSERT_FALSE(done) << how;
        EXPECT_EQ(done.error().code, Errc::storage) << how;
        EXPECT_THAT(done.error().message, HasSubstr("was removed or replaced since")) << how;
        const auto read = database->read("count", [](SQLite::Database& connection) -> Result<void> {
            EXPECT_EQ(connection.execAndGet("SELECT count(*) FROM note").getInt64(), 1);
            return {};
        });
        // Who had not read before may not be able to any more.
        EXPECT_TRUE(read || testing::Value(read.error().message, HasSubstr("was removed or replaced since"))) << how;
    };
    std::filesystem::rename(folder_.path() / "ktrdr.db", folder_.path() / "away.db");
    expect_refused("moved");
    std::filesystem::copy(folder_.path() / "away.db", folder_.path() / "ktrdr.db");
    expect_refused("replaced");
    std::filesystem::rename(folder_.path() / "away.db", folder_.path() / "ktrdr.db");
    EXPECT_TRUE(add_note(*database, "after"));
    EXPECT_EQ(notes(*database), 2);
}

TEST_F(DatabaseTest, LivesAsLongAsItIsRead) {
    auto database = open();
    std::latch begun{1};
    std::latch may_end{1};
    auto read = std::async(std::launch::async, [&begun, &may_end, kept = database]() mutable {
        const auto ended = kept->read("hold", [&](SQLite::Database& connection) -> Result<void> {
            begun.count_down();
            may_end.wait();
            return connection.execAndGet("SELECT count(*) FROM note").getInt64() == 0 ? Result<void>()
                                                                                      : fail(Errc::internal, "");
        });
        kept.reset();
        return ended;
    });
    begun.wait();
    database.reset();
    may_end.count_down();
    EXPECT_TRUE(read.get());
    EXPECT_EQ(notes(*open()), 0);
}

/// A file as older versions made it: full of notes, and without a way to give space back.
class OlderFileTest : public DatabaseTest {
protected:
    void SetUp() override {
        ASSERT_TRUE(add_note(*open(), "first"));
        SQLite::Database raw(file().string(), SQLite::OPEN_READWRITE);
        raw.exec("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM");
        raw.exec(
            fmt::format("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
                        "INSERT INTO note SELECT hex(zeroblob(500)) FROM n",
                        many_ - 1));
    }
    [[nodiscard]] std::int64_t pragma(const std::string& name) const {
        return SQLite::Database(file().string()).execAndGet("PRAGMA " + name).getInt64();
    }
    void expect_whole() const {
        EXPECT_EQ(SQLite::Database(file().string()).execAndGet("PRAGMA integrity_check").getString(), "ok");
    }

    std::int64_t many_{200};
};

class LargeOlderFileTest : public OlderFileTest {
protected:
    LargeOlderFileTest() { many_ = 5'000; }
};

TEST_F(LargeOlderFileTest, IsLeftToCompactingForNobodyCanEndWhatGoesToTheDisk) {
    DatabaseOptions options;
    options.rewrite_within = std::chrono::hours{1};
    const auto database = Database::open(file(), {{"notes", first_schema}}, options).value();
    EXPECT_EQ(pragma("auto_vacuum"), 0);
    ASSERT_TRUE(database->compact());
    EXPECT_EQ(pragma("auto_vacuum"), 2);
    EXPECT_EQ(notes(*database), many_);
}

TEST_F(OlderFileTest, IsWrittenAnewByItsOpeningUnlessThatIsEnded) {
    int asked = 0;
    for (int last = 1;; last += 7) {
        asked = 0;
        DatabaseOptions options;
        options.rewrite_within = std::chrono::hours{1};
        options.rewrite_wanted = [&asked, last]() -> Result<void> {
            return ++asked < last ? Result<void>{} : fail(Errc::shut_down, "the interpreter exits");
        };
        const auto opened = Database::open(file(), {{"notes", first_schema}}, options);
        ASSERT_TRUE(opened) << opened.error().message;
        EXPECT_EQ(notes(**opened), many_);
        expect_whole();
        if (asked < last) {
            break;
        }
        ASSERT_EQ(pragma("auto_vacuum"), 0) << "ended when it was asked for the " << last << "th time";
        ASSERT_EQ(asked, last) << "it went on";
        EXPECT_TRUE(add_note(**opened, "meanwhile"));
        ASSERT_TRUE((*opened)->write("take it back", [](SQLite::Database& connection) -> Result<void> {
            connection.exec("DELETE FROM note WHERE text = 'meanwhile'");
            return {};
        }));
    }
    EXPECT_GT(asked, 3) << "it was hardly asked";
    EXPECT_EQ(pragma("auto_vacuum"), 2);
}

TEST_F(OlderFileTest, IsLeftToCompactingWhereItWouldTakeTooLong) {
    DatabaseOptions options;
    options.rewrite_within = std::chrono::milliseconds{0};
    const auto database = Database::open(file(), {{"notes", first_schema}}, options).value();
    EXPECT_EQ(pragma("auto_vacuum"), 0);
    EXPECT_EQ(notes(*database), many_);
    ASSERT_TRUE(database->compact());
    EXPECT_EQ(pragma("auto_vacuum"), 2);
    expect_whole();
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
