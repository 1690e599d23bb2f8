// What is made in a folder that is held open, and what the system refuses of it.
#include "../../../cpp/models/src/posix_folder.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

using ::testing::HasSubstr;

struct PosixFolders : ::testing::Test {
    test::TemporaryFolder place{};
    const fs::path path = place.path() / "models";
    PosixFolder folder = opened();

    PosixFolder opened() {
        fs::create_directories(path);
        return PosixFolder::open(path).value();
    }
    template <class Value>
    static void expect_refused(const Result<Value>& done, const std::string& words, const std::string& advice) {
        ASSERT_FALSE(done) << words;
        EXPECT_EQ(done.error().code, Errc::storage);
        EXPECT_THAT(done.error().message, HasSubstr(words));
        EXPECT_THAT(done.error().message, HasSubstr(advice));
    }
};

TEST_F(PosixFolders, ThatAreNoneAreNotOpened) {
    std::ofstream(path / "file") << "x";
    fs::create_directory_symlink(path, place.path() / "link");
    fs::create_symlink(place.path() / "round", place.path() / "round");
    const std::string in_place = "a link or a file is in its place";
    expect_refused(PosixFolder::open(path / "file"), "cannot open the folder", in_place);
    expect_refused(PosixFolder::open(place.path() / "link"), "cannot open the folder", in_place);
    expect_refused(PosixFolder::open(place.path() / "round/within"), "cannot open the folder", in_place);
    expect_refused(PosixFolder::open(path / "nowhere"), "cannot open the folder", "choose another models_dir");
}

TEST_F(PosixFolders, AreMadeInItWhereTheyAreMissing) {
    for (const FileAccess access : {FileAccess::owner_only, FileAccess::by_umask}) {
        EXPECT_EQ(folder.enter("momentum", access)->path(), path / "momentum");
    }
    std::ofstream(path / "file") << "x";
    expect_refused(folder.enter("file", FileAccess::owner_only), "cannot open the folder", "a file is in its place");
    expect_refused(folder.enter(std::string(300, 'x'), FileAccess::owner_only), "cannot make the folder",
                   "choose another models_dir");
    fs::remove_all(path);
    expect_refused(folder.enter("momentum", FileAccess::owner_only), "cannot make the folder", "models_dir");
}

TEST_F(PosixFolders, TakeNoFileThatIsThere) {
    for (const FileAccess access : {FileAccess::owner_only, FileAccess::by_umask}) {
        const std::string name = access == FileAccess::owner_only ? "mine" : "ours";
        ASSERT_TRUE(folder.create(name, access)->write("content", []() -> Result<void> { return {}; }));
        expect_refused(folder.create(name, access), "cannot make " + (path / name).string(), "exists");
        EXPECT_EQ(fs::file_size(path / name), 7U);
    }
}

TEST_F(PosixFolders, GiveNoNameThatIsTaken) {
    fs::create_directory(path / "part");
    fs::create_directory(path / "v1");
    expect_refused(folder.rename("part", "v1"), "cannot give the finished model the name", "exists");
    ASSERT_TRUE(folder.rename("part", "v2"));
    EXPECT_TRUE(fs::is_directory(path / "v2"));
    expect_refused(folder.rename("part", "v3"), "cannot give the finished model the name", "No such file");
}

TEST_F(PosixFolders, AreLockedByOneAsLongAsTheyAreThere) {
    PosixFolder other = PosixFolder::open(path).value();
    EXPECT_EQ(folder.try_lock(), FolderLock::held);
    EXPECT_EQ(other.try_lock(), FolderLock::taken);
    const PosixFolder removed = folder.enter("part", FileAccess::owner_only).value();
    fs::remove(path / "part");
    EXPECT_EQ(removed.try_lock(), FolderLock::taken) << "whoever removed it had it";
    fs::create_directory(path / "part");
    EXPECT_EQ(removed.try_lock(), FolderLock::taken) << "it is another one by now";
    const PosixFolder moved = std::move(other);
    EXPECT_EQ(other.try_lock(), FolderLock::unknown) << "of none there is no lock";
}

}  // namespace
}  // namespace ktrdr
