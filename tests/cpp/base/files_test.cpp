#include <ktrdr/base/files.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include <ktrdr/base/text.hpp>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

mode_t mode_of(const fs::path& path) {
    struct stat found{};
    EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 0777;
}

/// Sets the umask until the end of a scope.
class Umask final {
public:
    explicit Umask(mode_t mask) : before_(::umask(mask)) {}
    Umask(const Umask&) = delete;
    Umask& operator=(const Umask&) = delete;
    ~Umask() { ::umask(before_); }

private:
    mode_t before_;
};

Result<void> touch(const fs::path& file, FileAccess access) {
    const auto opened = open_plain_file(file, access);
    if (!opened) {
        return opened.error();
    }
    ::close(*opened);
    return {};
}

TEST(SettledPath, MeansTheSameWhereverTheProcessStands) {
    const test::TemporaryFolder folder;
    const fs::path root = fs::canonical(folder.path());
    fs::create_directories(root / "real" / "below");
    fs::create_directory_symlink("real", root / "link");
    const fs::path before = fs::current_path();
    fs::current_path(root);
    EXPECT_EQ(settled_path("it", "data/ktrdr.db").value(), root / "data" / "ktrdr.db");
    EXPECT_EQ(settled_path("it", "link/below/../x").value(), root / "real" / "x");
    EXPECT_EQ(settled_path("it", "real/").value(), root / "real");
    EXPECT_EQ(settled_path("it", ".").value(), root);
    EXPECT_EQ(settled_path("it", "/").value(), "/");
    fs::current_path(before);
}

TEST(SettledPath, RefusesWhatNoPathIs) {
    const test::TemporaryFolder folder;
    fs::create_symlink("b", folder.path() / "a");
    fs::create_symlink("a", folder.path() / "b");
    fs::create_symlink("caf\xe9", folder.path() / "latin");
    fs::create_directory(folder.path() / "caf\xe9");
    for (const fs::path& bad : {fs::path(), fs::path("caf\xe9"), fs::path(std::string("a\0b", 3)), folder.path() / "a",
                                folder.path() / "latin" / "x"}) {
        const auto settled = settled_path("the database", bad);
        ASSERT_FALSE(settled) << bad;
        EXPECT_EQ(settled.error().code, Errc::storage);
        EXPECT_TRUE(is_utf8(settled.error().message));
        EXPECT_THAT(settled.error().message, HasSubstr("the database"));
    }
}

TEST(SettledPath, SaysThatTheWorkingDirectoryIsGone) {
    const fs::path before = fs::current_path();
    {
        const test::TemporaryFolder folder;
        fs::current_path(folder.path());
    }
    const auto settled = settled_path("it", "x");
    fs::current_path(before);
    ASSERT_FALSE(settled);
    EXPECT_EQ(settled.error().code, Errc::storage);
}

TEST(Files, AreTheirOwnersAloneWhateverTheUmask) {
    for (const mode_t mask : {0000U, 0022U, 0077U, 0777U}) {
        const test::TemporaryFolder folder;
        const Umask umask(mask);
        ASSERT_TRUE(make_folders(folder.path() / "a" / "b", FileAccess::owner_only));
        ASSERT_TRUE(touch(folder.path() / "a" / "b" / "file", FileAccess::owner_only));
        EXPECT_EQ(mode_of(folder.path() / "a"), 0700U) << mask;
        EXPECT_EQ(mode_of(folder.path() / "a" / "b"), 0700U) << mask;
        EXPECT_EQ(mode_of(folder.path() / "a" / "b" / "file"), 0600U) << mask;
    }
}

TEST(Files, AreOpenAsTheUmaskSaysWhereTheyAreShared) {
    const test::TemporaryFolder folder;
    const Umask umask(0027);
    ASSERT_TRUE(make_folders(folder.path() / "a" / "b", FileAccess::by_umask));
    ASSERT_TRUE(touch(folder.path() / "a" / "b" / "file", FileAccess::by_umask));
    EXPECT_EQ(mode_of(folder.path() / "a"), 0750U);
    EXPECT_EQ(mode_of(folder.path() / "a" / "b" / "file"), 0640U);
}

TEST(Files, KeepTheRightsTheyHad) {
    const test::TemporaryFolder folder;
    const Umask umask(0);
    fs::create_directory(folder.path() / "mine");
    std::ofstream(folder.path() / "mine" / "file") << "x";
    ASSERT_TRUE(make_folders(folder.path() / "mine", FileAccess::owner_only));
    ASSERT_TRUE(touch(folder.path() / "mine" / "file", FileAccess::owner_only));
    EXPECT_EQ(mode_of(folder.path() / "mine"), 0777U);
    EXPECT_EQ(mode_of(folder.path() / "mine" / "file"), 0666U);
}

TEST(Files, AreNeitherLinksNorFoldersNorFifos) {
    const test::TemporaryFolder folder;
    std::ofstream(folder.path() / "precious") << "mine";
    fs::create_symlink("precious", folder.path() / "link");
    fs::create_symlink("nowhere", folder.path() / "dangling");
    fs::create_directory(folder.path() / "folder");
    ASSERT_EQ(::mkfifo((folder.path() / "fifo").c_str(), 0600), 0);
    for (const char* const name : {"link", "dangling", "folder", "fifo"}) {
        const auto opened = open_plain_file(folder.path() / name, FileAccess::owner_only);
        ASSERT_FALSE(opened) << name;
        EXPECT_EQ(opened.error().code, Errc::storage) << name;
    }
    EXPECT_FALSE(fs::exists(folder.path() / "nowhere"));
    const auto device = open_plain_file("/dev/null", FileAccess::owner_only);
    ASSERT_FALSE(device);
    EXPECT_THAT(device.error().message, HasSubstr("a device"));
    EXPECT_FALSE(make_folders(folder.path() / "precious" / "below", FileAccess::owner_only));
    EXPECT_FALSE(make_folders(folder.path() / "precious", FileAccess::owner_only));
}

TEST(FileAccess, IsAskedForByTheEnvironment) {
    const auto access = [](std::map<std::string, std::string> values) { return file_access(Env(std::move(values))); };
    EXPECT_EQ(access({}).value(), FileAccess::owner_only);
    EXPECT_EQ(access({{"KTRDR_SHARED_FILES", "false"}}).value(), FileAccess::owner_only);
    EXPECT_EQ(access({{"KTRDR_SHARED_FILES", "true"}}).value(), FileAccess::by_umask);
    EXPECT_EQ(access({{"KTRDR_SHARED_FILES", "maybe"}}).error().code, Errc::configuration);
}

}  // namespace
}  // namespace ktrdr
