// A store is one place: whatever it is called, and wherever the process stands.

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "store_world.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Stands in another folder until the end of a scope.
class Standing final {
public:
    explicit Standing(const fs::path& folder) : before_(fs::current_path()) { fs::current_path(folder); }
    Standing(const Standing&) = delete;
    Standing& operator=(const Standing&) = delete;
    ~Standing() { fs::current_path(before_); }

private:
    fs::path before_;
};

class OnePlace : public testing::Test {
protected:
    [[nodiscard]] fs::path root() const { return fs::canonical(folder_.path()); }
    [[nodiscard]] fs::path file() const { return root() / "data" / "ktrdr.db"; }
    /// Another name of the file in a folder of its own.
    [[nodiscard]] fs::path other() const {
        fs::create_directories(root() / "other");
        return root() / "other" / "name.db";
    }
    test::TemporaryFolder folder_{};
};

/// What one process runs another one sees running, by whatever names they know the file; and dead when it is dead.
void expect_one_store(const fs::path& name, const fs::path& other) {
    auto first = std::make_unique<StoreWorld>(name);
    ASSERT_TRUE(first->write(first->record("op_1"), {}, true));
    StoreWorld second(other);
    EXPECT_EQ(second.database->file(), first->database->file());
    EXPECT_EQ(second.store->recover().value(), 0U) << "it lives";
    EXPECT_EQ(second.store->find("op_1").value().value().status, OperationStatus::running);
    ASSERT_TRUE(second.write(second.record("op_2"), {}, true));
    EXPECT_EQ(first->store->find("op_2").value().value().status, OperationStatus::running);
    first.reset();
    EXPECT_EQ(second.store->find("op_1").value().value().status, OperationStatus::interrupted);
}

TEST_F(OnePlace, StaysWhereItIsWhenTheProcessGoesElsewhere) {
    fs::create_directories(root() / "elsewhere");
    std::unique_ptr<StoreWorld> world;
    {
        const Standing there(root());
        world = std::make_unique<StoreWorld>("data/ktrdr.db", DatabaseOptions{.max_readers = 4});
    }
    const Standing there(root() / "elsewhere");
    EXPECT_EQ(world->database->file(), file());
    ASSERT_TRUE(world->write(world->record("op_1"), {}, true));
    StoreWorld second(file());
    EXPECT_EQ(second.store->recover().value(), 0U);
    EXPECT_EQ(second.store->find("op_1").value().value().status, OperationStatus::running);
    // A read inside a read needs a second connection, opened by the path.
    const auto nested = world->database->read("read", [&](SQLite::Database&) -> Result<void> {
        return world->database->read("read", [](SQLite::Database&) -> Result<void> { return {}; });
    });
    EXPECT_TRUE(nested);
    EXPECT_TRUE(fs::is_empty(root() / "elsewhere"));
}

TEST_F(OnePlace, IsThereByALinkToTheFile) {
    fs::create_symlink(file(), other());
    expect_one_store(file(), other());
}

TEST_F(OnePlace, IsThereByALinkToItsFolder) {
    fs::create_directory_symlink("data", root() / "link");
    expect_one_store(file(), root() / "link" / "ktrdr.db");
}

TEST_F(OnePlace, IsThereByAHardLink) {
    StoreWorld(file()).store->flush();
    fs::create_hard_link(file(), other());
    expect_one_store(file(), other());
}

TEST_F(OnePlace, IsThereByAHardLinkMadeWhileItIsOpen) {
    StoreWorld holder(file());
    ASSERT_TRUE(holder.write(holder.record("op_0", OperationStatus::completed), {}, true));
    fs::create_hard_link(file(), other());
    expect_one_store(other(), file());
    EXPECT_FALSE(fs::exists(other().string() + "-wal")) << "one log";
}

TEST_F(OnePlace, IsThereByAHardLinkFromAFolderOfAnyName) {
    const fs::path named = root() / "Daten_2 (Gr\xc3\xbcn) & 100%?#" / "K.db";
    StoreWorld(named).store->flush();
    fs::create_hard_link(named, other());
    expect_one_store(named, other());
}

TEST_F(OnePlace, IsThereByAHardLinkOfAFileThatIsNew) {
    fs::create_directories(file().parent_path());
    std::ofstream(file()).close();
    fs::create_hard_link(file(), other());
    expect_one_store(other(), file());
}

TEST_F(OnePlace, IsNotWhereItsFileWasOnceAndAnotherIsNow) {
    StoreWorld(file()).store->flush();
    fs::rename(file(), other());
    fs::create_hard_link(other(), root() / "again.db");
    {
        StoreWorld newer(file());
        ASSERT_TRUE(newer.write(newer.record("op_of_another", OperationStatus::completed), {}, true));
    }
    const StoreWorld moved(other());
    EXPECT_EQ(moved.database->file(), other());
    EXPECT_FALSE(moved.store->find("op_of_another").value());
}

TEST_F(OnePlace, IsNoFileOfAnotherKindWhateverItsNames) {
    fs::create_directories(file().parent_path());
    std::ofstream(file()) << std::string(5000, 'x');
    fs::create_hard_link(file(), other());
    for (const fs::path& name : {file(), other()}) {
        const auto opened = Database::open(name, {SqliteStore::schema()});
        ASSERT_FALSE(opened);
        EXPECT_THAT(opened.error().message, HasSubstr(name.string()));
    }
    EXPECT_EQ(fs::file_size(file()), 5000U);
}

TEST_F(OnePlace, IsThereByMounts) {
    StoreWorld(file()).store->flush();
    fs::create_directories(root() / "mounted");
    std::ofstream(other()).close();
    // In a child of its own, so that nothing stays mounted.
    const pid_t child = fork();
    if (child == 0) {
        if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount((root() / "data").c_str(), (root() / "mounted").c_str(), nullptr, MS_BIND, nullptr) != 0 ||
            ::mount(file().c_str(), other().c_str(), nullptr, MS_BIND, nullptr) != 0) {
            _exit(77);
        }
        StoreWorld first(file());
        const bool written = first.write(first.record("op_1"), {}, true).has_value();
        const StoreWorld folder(root() / "mounted" / "ktrdr.db");
        const StoreWorld alone(other());
        const bool seen = folder.store->recover().value() == 0 && alone.store->recover().value() == 0 &&
                          folder.store->find("op_1").value().has_value() &&
                          alone.store->find("op_1").value().has_value();
        _exit(written && seen ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        GTEST_SKIP() << "this process may not mount";
    }
    EXPECT_EQ(status, 0);
}

TEST_F(OnePlace, IsNotOpenedByANameBesideWhichItsLogDoesNotLie) {
    const StoreWorld holder(file());
    fs::create_hard_link(file(), other());
    fs::rename(file(), file().string() + ".moved");
    const auto opened = Database::open(other(), {SqliteStore::schema()});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::storage);
    EXPECT_THAT(opened.error().message, HasSubstr("by another name"));
}

TEST_F(OnePlace, MovesWithItsFileWhenNobodyHasItOpen) {
    {
        StoreWorld world(file());
        ASSERT_TRUE(world.write(world.record("op_1", OperationStatus::completed), {}, true));
    }
    fs::rename(file(), other());
    EXPECT_TRUE(StoreWorld(other()).store->find("op_1").value());
    fs::create_hard_link(other(), root() / "again.db");
    EXPECT_EQ(StoreWorld(root() / "again.db").database->file(), other());
}

TEST_F(OnePlace, GoesOnWhenItsFolderIsMoved) {
    auto first = std::make_unique<StoreWorld>(file());
    ASSERT_TRUE(first->write(first->record("op_1"), {}, true));
    fs::rename(root() / "data", root() / "moved");
    StoreWorld second(root() / "moved" / "ktrdr.db");
    EXPECT_EQ(second.store->recover().value(), 0U);
    first.reset();
    EXPECT_EQ(second.store->recover().value(), 1U);
}

TEST_F(OnePlace, IsOpenOnceInAProcessByAllItsNames) {
    InlineExecutor executor;
    const ManualClock clock;
    const auto open = [&](const fs::path& name) { return Storage::open(name, {}, executor, clock).value(); };
    const auto first = open(file());
    fs::create_hard_link(file(), other());
    fs::create_symlink(file(), root() / "link");
    EXPECT_EQ(open(other()), first);
    EXPECT_EQ(open(root() / "link"), first);
    EXPECT_EQ(open(root() / "data" / ".." / "data" / "ktrdr.db"), first);
    {
        const Standing there(root() / "other");
        EXPECT_EQ(open("name.db"), first);
    }
    fs::remove(file());
    fs::remove(other());
    EXPECT_NE(open(file()), first) << "a file that was removed is made anew";
}

TEST_F(OnePlace, HoldsNoNameThatIsNotText) {
    InlineExecutor executor;
    const ManualClock clock;
    const auto opened = Storage::open(root() / "caf\xe9" / "ktrdr.db", {}, executor, clock);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::storage);
    EXPECT_THAT(opened.error().message, HasSubstr("not UTF-8"));
    EXPECT_TRUE(fs::is_empty(root()));
}

TEST_F(OnePlace, KeepsTheLocksOfSqliteWhenOneOfManyCloses) {
    const auto first = Database::open(file(), {}).value();
    const auto held = first->write("hold", [&](SQLite::Database&) -> Result<void> {
        // Opened and closed while a transaction of this process is under way.
        EXPECT_TRUE(Database::open(file(), {}));
        const pid_t child = fork();
        if (child == 0) {
            SQLite::Database other(file().string(), SQLite::OPEN_READWRITE);
            try {
                other.exec("BEGIN EXCLUSIVE");
                _exit(1);
            } catch (const SQLite::Exception&) {
                _exit(0);
            }
        }
        int status = 0;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0) << "another process came in between";
        return {};
    });
    EXPECT_TRUE(held);
}

TEST_F(OnePlace, IsItsOwnersAlone) {
    const mode_t before = ::umask(0);
    {
        StoreWorld world(file());
        EXPECT_TRUE(world.write(world.record("op_1"), {}, true));
        for (const char* const suffix : {"", "-wal", "-shm"}) {
            EXPECT_EQ(fs::status(file().string() + suffix).permissions(),
                      fs::perms::owner_read | fs::perms::owner_write)
                << suffix;
        }
        EXPECT_EQ(fs::status(file().parent_path()).permissions(), fs::perms::owner_all);
    }
    ::umask(0027);
    const StoreWorld shared(root() / "shared" / "ktrdr.db", {.access = FileAccess::by_umask});
    ::umask(before);
    EXPECT_EQ(fs::status(root() / "shared").permissions(),
              fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec);
}

TEST_F(OnePlace, IsNeitherAFolderNorAFifoNorADevice) {
    fs::create_directories(file().parent_path());
    ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
    EXPECT_EQ(Database::open(file(), {}).error().code, Errc::storage);
    fs::remove(file());
    fs::create_symlink("/dev/null", file());
    EXPECT_EQ(Database::open(file(), {}).error().code, Errc::storage);
}

}  // namespace
}  // namespace ktrdr
