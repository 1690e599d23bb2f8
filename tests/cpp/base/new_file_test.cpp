#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/base/new_file.hpp>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

class NewFileTest : public testing::Test {
protected:
    [[nodiscard]] std::filesystem::path place(const std::string& name = "a.csv") const { return folder_.path() / name; }
    [[nodiscard]] Result<std::unique_ptr<NewFile>> open(bool overwrite = false, const std::string& name = "a.csv") {
        return NewFile::open({place(name), overwrite}, clock_, FileAccess::owner_only);
    }
    void put(const std::string& name, const std::string& text) const { std::ofstream(place(name)) << text; }
    [[nodiscard]] std::string text(const std::string& name = "a.csv") const {
        std::stringstream read;
        read << std::ifstream(place(name)).rdbuf();
        return read.str();
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> all;
        for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
            all.push_back(entry.path().filename().string());
        }
        return all;
    }

    test::TemporaryFolder folder_{};
    ManualClock clock_{UtcTime{}};
};

TEST_F(NewFileTest, IsSeenWhenItIsWhole) {
    {
        const auto file = open().value();
        ASSERT_TRUE(file->write("one "));
        ASSERT_TRUE(file->write("two"));
        EXPECT_FALSE(std::filesystem::exists(place()));
        ASSERT_TRUE(file->commit());
    }
    EXPECT_EQ(text(), "one two");
    EXPECT_THAT(names(), testing::ElementsAre("a.csv"));
    struct ::stat found{};
    ASSERT_EQ(::stat(place().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600U);
}

TEST_F(NewFileTest, LeavesNothingWhereItIsNotCommitted) {
    {
        const auto file = open().value();
        ASSERT_TRUE(file->write("half"));
    }
    EXPECT_TRUE(names().empty());
}

TEST_F(NewFileTest, GoesWhenItIsDiscardedAndStaysWhenItWasCommitted) {
    const auto gone = open().value();
    gone->discard();
    EXPECT_TRUE(names().empty());
    const auto kept = open().value();
    ASSERT_TRUE(kept->commit());
    kept->discard();
    EXPECT_THAT(names(), testing::ElementsAre("a.csv"));
}

TEST_F(NewFileTest, NeverTakesThePlaceOfAnotherUnlessItMay) {
    put("a.csv", "mine");
    const auto refused = open();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_THAT(refused.error().message, HasSubstr("a.csv is there already: give overwrite=True"));
    EXPECT_EQ(text(), "mine");
    const auto file = open(true).value();
    ASSERT_TRUE(file->write("new"));
    EXPECT_EQ(text(), "mine");
    ASSERT_TRUE(file->commit());
    EXPECT_EQ(text(), "new");
}

TEST_F(NewFileTest, LeavesOneThatCameMeanwhile) {
    {
        const auto file = open().value();
        ASSERT_TRUE(file->write("ours"));
        put("a.csv", "theirs");
        const auto committed = file->commit();
        ASSERT_FALSE(committed);
        EXPECT_EQ(committed.error().code, Errc::conflict);
        EXPECT_THAT(committed.error().message, HasSubstr("it came while the file was written"));
    }
    EXPECT_EQ(text(), "theirs");
    EXPECT_THAT(names(), testing::ElementsAre("a.csv"));
}

TEST_F(NewFileTest, ReplacesALinkAndNotWhatItLeadsTo) {
    put("other", "other's");
    std::filesystem::create_symlink(place("other"), place());
    const auto file = open(true).value();
    ASSERT_TRUE(file->write("ours"));
    ASSERT_TRUE(file->commit());
    EXPECT_EQ(text("other"), "other's");
    EXPECT_EQ(text(), "ours");
}

TEST_F(NewFileTest, NeedsAFolderAndAPlainFilesPlace) {
    EXPECT_EQ(open(false, "no/a.csv").error().code, Errc::not_found);
    EXPECT_THAT(open(false, "no/a.csv").error().message, HasSubstr("there is no folder"));
    std::filesystem::create_directory(place("folder"));
    EXPECT_EQ(open(true, "folder").error().code, Errc::invalid_argument);
    ASSERT_EQ(::mkfifo(place("pipe").c_str(), 0600), 0);
    EXPECT_THAT(open(true, "pipe").error().message, HasSubstr("something else than a plain file"));
    EXPECT_EQ(open(true, "folder/").error().code, Errc::invalid_argument);
    EXPECT_EQ(open(true, std::string("a\0b", 3)).error().code, Errc::invalid_argument);
    EXPECT_THAT(open(true, "a\xff").error().message, HasSubstr("not UTF-8"));
    EXPECT_THAT(open(true, std::string(300, 'x')).error().message, HasSubstr("cannot write"));
}

TEST_F(NewFileTest, CanBeEndedAtEachHalfMegabyteOnItsWayToTheDisk) {
    constexpr std::size_t megabytes = 4;
    int most = 0;
    for (int times = 1; most == 0; ++times) {
        const auto file = open().value();
        ASSERT_TRUE(file->write(std::string(megabytes << 20, 'x')));
        int asked = 0;
        const auto done = file->commit(
            [&]() -> Result<void> { return ++asked < times ? Result<void>{} : fail(Errc::cancelled, "enough"); });
        most = done ? asked : 0;
        ASSERT_EQ(std::filesystem::exists(place()), done.has_value()) << times;
    }
    EXPECT_GE(most, static_cast<int>(2 * megabytes));
    EXPECT_EQ(names().size(), 1U);
}

TEST_F(NewFileTest, MayHaveANameOfAnyLengthThatAFileMay) {
    const std::string name(255, 'x');
    const auto file = open(false, name).value();
    ASSERT_TRUE(file->commit());
    EXPECT_EQ(text(name), "");
}

}  // namespace
}  // namespace ktrdr
