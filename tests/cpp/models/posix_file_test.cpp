// What the system refuses of a file is said with what was tried and on which path.
#include "../../../cpp/models/src/posix_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct PosixFiles : ::testing::Test {
    test::TemporaryFolder folder{};
    const std::filesystem::path path = folder.path() / "counter";

    static Result<void> go() { return {}; }
    /// The file, with `12` in it, opened so.
    PosixFile opened(int flags) {
        std::ofstream(path) << "12";
        return {::open(path.c_str(), flags | O_CLOEXEC), path};
    }
    template <class Value>
    void expect_refused(const Result<Value>& done, const std::string& what) {
        ASSERT_FALSE(done) << what;
        EXPECT_EQ(done.error().code, Errc::storage);
        EXPECT_THAT(done.error().message,
                    AllOf(HasSubstr("cannot " + what + " " + path.string()), HasSubstr("choose another models_dir")));
    }
};

TEST_F(PosixFiles, OfADiskThatIsFullSaySo) {
    const PosixFile full(::open("/dev/full", O_WRONLY | O_CLOEXEC), path);
    ASSERT_GE(full.descriptor(), 0);
    for (const auto& done : {full.write("content", go), full.replace("5")}) {
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Errc::storage_full);
        EXPECT_THAT(done.error().message, AllOf(HasSubstr("cannot write " + path.string()), HasSubstr("free some"),
                                                Not(HasSubstr("models_dir"))));
    }
}

TEST_F(PosixFiles, ThatMayNotBeWrittenOrReadSaySo) {
    const PosixFile only_read = opened(O_RDONLY);
    expect_refused(only_read.write("content", go), "write");
    expect_refused(only_read.replace("5"), "write");
    EXPECT_EQ(only_read.read_all().value(), "12");
    expect_refused(opened(O_WRONLY).read_all(), "read");
}

TEST_F(PosixFiles, ThatCannotBeLockedOrSyncedSaySo) {
    const PosixFile none(-1, path);
    int asked = 0;
    expect_refused(none.lock([&asked]() -> Result<void> {
        ++asked;
        return {};
    }),
                   "lock");
    EXPECT_EQ(asked, 0) << "nobody else has the lock, so it is not waited for";
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const PosixFile reads(ends[0], path);
    const PosixFile pipe(ends[1], path);
    expect_refused(pipe.sync(), "sync");
}

TEST_F(PosixFiles, AreReplacedByLessAndReadAgain) {
    const PosixFile file = PosixFile::open_own(path, FileAccess::owner_only).value();
    ASSERT_TRUE(file.replace("1234"));
    ASSERT_TRUE(file.replace("56"));
    EXPECT_EQ(file.read_all().value(), "56");
}

}  // namespace
}  // namespace ktrdr
