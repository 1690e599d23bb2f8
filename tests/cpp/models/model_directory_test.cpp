#include <ktrdr/models/model_directory.hpp>

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include <ktrdr/base/manual.hpp>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const ModelName name{"momentum", {"AAPL", "MSFT"}, "1d"};

Result<void> go_on(std::string_view) {
    return {};
}

ModelContent content() {
    return {"weights", {{"a", 1}}, {{"b", 2}}, {{"c", 3}}, {{"d", 4}}};
}

struct ModelDirectoryTest : ::testing::Test {
    test::TemporaryFolder folder{};
    ManualClock clock{};
    ModelDirectory models{folder.path() / "models", clock};

    std::string read(const std::filesystem::path& path) {
        std::ifstream file(path);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
};

using ModelDirectory_ = ModelDirectoryTest;

TEST_F(ModelDirectory_, WritesAllFilesUnderAVersion) {
    const SavedModel saved = models.save(name, content(), go_on).value();
    EXPECT_EQ(saved.path, folder.path() / "models/momentum/AAPL-MSFT_1d_v1");
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(saved.path)) {
        files.push_back(entry.path().filename());
    }
    EXPECT_THAT(files, UnorderedElementsAre("model.safetensors", "config.json", "metrics.json", "features.json",
                                            "metadata.json"));
    EXPECT_EQ(read(saved.path / "model.safetensors"), "weights");
    EXPECT_EQ(boost::json::parse(read(saved.path / "metadata.json")), (boost::json::object{{"d", 4}, {"version", 1}}));
}

TEST_F(ModelDirectory_, NeverGivesANumberTwice) {
    const auto first = models.save(name, content(), go_on).value();
    EXPECT_EQ(models.save(name, content(), go_on)->version, 2);
    std::filesystem::remove_all(folder.path() / "models/momentum");
    EXPECT_EQ(models.save(name, content(), go_on)->version, 3);
    EXPECT_EQ(models.save({"momentum", {"AAPL"}, "1d"}, content(), go_on)->version, 1);
    EXPECT_EQ(first.version, 1);
}

TEST_F(ModelDirectory_, CountsOnFromModelsThatItDidNotWrite) {
    std::filesystem::create_directories(folder.path() / "models/momentum/AAPL-MSFT_1d_v41");
    EXPECT_EQ(models.save(name, content(), go_on)->version, 42);
}

TEST_F(ModelDirectory_, GivesTrainingsAtTheSameTimeDifferentNumbers) {
    std::mutex mutex;
    std::set<std::int64_t> versions;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            const auto saved = models.save(name, content(), go_on);
            const std::scoped_lock lock(mutex);
            versions.insert(saved ? saved->version : -1);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_THAT(versions, UnorderedElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(ModelDirectory_, LeavesNothingWhereverItIsStopped) {
    int steps = 0;
    ASSERT_TRUE(models.save(name, content(), [&steps](std::string_view) -> Result<void> {
        ++steps;
        return {};
    }));
    std::filesystem::remove_all(folder.path() / "models/momentum");
    for (int stop = 1; stop <= steps; ++stop) {
        int step = 0;
        const auto saved = models.save(name, content(), [&](std::string_view) -> Result<void> {
            if (++step == stop) {
                return fail(Errc::cancelled, "stop");
            }
            return {};
        });
        EXPECT_EQ(saved.error().code, Errc::cancelled);
        EXPECT_FALSE(std::filesystem::exists(folder.path() / "models/momentum")) << "stopped at " << stop;
    }
    EXPECT_GE(steps, 7);
}

TEST_F(ModelDirectory_, PollsWithinALargeFile) {
    ModelContent large = content();
    large.safetensors.assign(5 << 20, 'x');
    int asked = 0;
    ASSERT_TRUE(models.save(name, large, [&asked](std::string_view step) -> Result<void> {
        asked += step == "model.safetensors" ? 1 : 0;
        return {};
    }));
    EXPECT_GE(asked, 5);
}

TEST_F(ModelDirectory_, SaysWhatIsInItsPlace) {
    std::ofstream(folder.path() / "file") << "in the way";
    const ModelDirectory blocked(folder.path() / "file" / "models", clock);
    EXPECT_EQ(blocked.check_place().error().code, Errc::storage);
    EXPECT_EQ(blocked.save(name, content(), go_on).error().code, Errc::storage);
    EXPECT_TRUE(models.check_place());
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "models"));
}

TEST_F(ModelDirectory_, SaysThatTheDiskIsFull) {
    if (!std::filesystem::exists("/dev/full")) {
        GTEST_SKIP() << "no /dev/full here";
    }
    // A link in the place of the counter makes its write fail as a full disk does.
    std::filesystem::create_directories(folder.path() / "models");
    std::filesystem::create_symlink("/dev/full", folder.path() / "models/.momentum.AAPL-MSFT_1d.version");
    const auto saved = models.save(name, content(), go_on);
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, Errc::storage_full) << saved.error().message;
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "models/momentum"));
}

TEST(ModelStem, KeepsFoldersInTheirPlace) {
    EXPECT_EQ(model_stem({"s", {"EUR/USD", "BRK.B"}, "1h"}), "EUR-USD-BRK.B_1h");
    EXPECT_EQ(model_stem({"s", {"../../etc"}, "1d"}), "..-..-etc_1d");
    std::vector<std::string> many;
    for (int i = 0; i < 200; ++i) {
        many.push_back("SYM" + std::to_string(i));
    }
    EXPECT_LT(model_stem({"s", many, "1d"}).size(), 120u);
    const std::string before = model_stem({"s", many, "1d"});
    many.back() = "OTHER";
    EXPECT_NE(model_stem({"s", many, "1d"}), before);
}

}  // namespace
}  // namespace ktrdr
