#include <ktrdr/models/model_directory.hpp>

#include <boost/json/parse.hpp>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include <ktrdr/base/file_names.hpp>
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

/// None where there is no such folder.
std::vector<std::filesystem::path> list_of(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> found;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
        found.push_back(entry.path());
    }
    return found;
}

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
    EXPECT_EQ(boost::json::parse(read(saved.path / "metadata.json")),
              (boost::json::object{{"d", 4}, {"version", 1}, {"layout", 2}}));
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
    EXPECT_EQ(blocked.check_place(name.strategy).error().code, Errc::storage);
    EXPECT_EQ(blocked.save(name, content(), go_on).error().code, Errc::storage);
    EXPECT_TRUE(models.check_place(name.strategy));
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "models"));
}

TEST_F(ModelDirectory_, SaysBeforeAnyWorkWhereNothingMayBeWritten) {
    namespace fs = std::filesystem;
    fs::create_directories(folder.path() / "models" / name.strategy);
    const auto refused = [&](const fs::path& place) {
        constexpr auto nothing = fs::perms::owner_write;
        fs::permissions(place, nothing, fs::perm_options::remove);
        // Root may write everywhere.
        const uid_t before = ::geteuid();
        if (before == 0) {
            fs::permissions(folder.path(), fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add);
            EXPECT_EQ(::seteuid(65534), 0);
        }
        const auto checked = models.check_place(name.strategy);
        EXPECT_EQ(::seteuid(before), 0);
        fs::permissions(place, nothing, fs::perm_options::add);
        return checked ? std::string() : checked.error().message;
    };
    for (const fs::path& place : {folder.path() / "models" / name.strategy, folder.path() / "models"}) {
        const std::string said = refused(place);
        EXPECT_THAT(said, testing::HasSubstr("cannot save models in " + place.string()));
        EXPECT_THAT(said, testing::HasSubstr("KTRDR_MODELS_DIR"));
        fs::remove(folder.path() / "models" / name.strategy);
    }
}

TEST_F(ModelDirectory_, SaysThatTheDiskIsFull) {
    const pid_t child = fork();
    if (child == 0) {
        // No file may grow beyond this, which is what a full disk or a quota looks like.
        const rlimit limit{1 << 20, 1 << 20};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        ::signal(SIGXFSZ, SIG_IGN);
        ModelContent large = content();
        large.safetensors.assign(5 << 20, 'x');
        const auto saved = models.save(name, large, go_on);
        _exit(!saved && saved.error().code == Errc::storage ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "models/momentum"));
}

TEST_F(ModelDirectory_, GivesNumbersWhateverOthersPutThere) {
    const auto strategy = folder.path() / "models/momentum";
    std::filesystem::create_directories(strategy);
    // Beyond 64 bits, their end, no numbers, not whole numbers, other kinds of files.
    for (const char* const odd :
         {"99999999999999999999999", "9223372036854775807", "-5", "0", "", "x", "7x", " 8", "+9", "1000000000001"}) {
        std::filesystem::create_directory(strategy / (std::string("AAPL-MSFT_1d_v") + odd));
    }
    EXPECT_EQ(models.save(name, content(), go_on)->version, 1);
    ASSERT_EQ(::mkfifo((strategy / "AAPL-MSFT_1d_v2").c_str(), 0600), 0);
    std::filesystem::create_symlink("nowhere", strategy / "AAPL-MSFT_1d_v3");
    std::ofstream(strategy / "AAPL-MSFT_1d_v4") << "a file";
    EXPECT_EQ(models.save(name, content(), go_on)->version, 5);
    std::filesystem::create_directory(strategy / "AAPL-MSFT_1d_v1000000000000");
    EXPECT_EQ(models.save(name, content(), go_on).error().code, Errc::storage);
}

TEST_F(ModelDirectory_, CountsOnWhateverIsInTheCounter) {
    const auto counter = folder.path() / "models/.momentum.AAPL-MSFT_1d.version";
    std::int64_t version = 0;
    for (const std::string& odd : {std::string("garbage"), std::string("9223372036854775807"), std::string("-3"),
                                   std::string(1 << 20, '9'), std::string("5 "), std::string("\0\0", 2)}) {
        std::filesystem::create_directories(folder.path() / "models");
        std::ofstream(counter) << odd;
        const auto saved = models.save(name, content(), go_on);
        ASSERT_TRUE(saved) << saved.error().message;
        EXPECT_EQ(saved->version, ++version);
        EXPECT_EQ(read(counter), std::to_string(version));
    }
}

TEST_F(ModelDirectory_, FollowsNoLinkAndOverwritesNothingOfOthers) {
    const auto elsewhere = folder.path() / "elsewhere";
    const auto counter = folder.path() / "models/.momentum.AAPL-MSFT_1d.version";
    std::filesystem::create_directories(elsewhere);
    std::filesystem::create_directories(folder.path() / "models");
    std::ofstream(folder.path() / "precious") << "12";
    const auto refused = [&] {
        const auto saved = models.save(name, content(), go_on);
        EXPECT_FALSE(saved);
        EXPECT_EQ(read(folder.path() / "precious"), "12");
        EXPECT_THAT(std::filesystem::is_empty(elsewhere), true);
        return !saved && saved.error().code == Errc::storage;
    };
    std::filesystem::create_symlink(folder.path() / "precious", counter);
    EXPECT_TRUE(refused());
    std::filesystem::remove(counter);
    std::filesystem::create_hard_link(folder.path() / "precious", counter);
    EXPECT_TRUE(refused());
    std::filesystem::remove(counter);
    ASSERT_EQ(::mkfifo(counter.c_str(), 0600), 0);
    EXPECT_TRUE(refused());
    std::filesystem::remove(counter);
    std::filesystem::create_directory(counter);
    EXPECT_TRUE(refused());
    std::filesystem::remove(counter);
    std::filesystem::create_directory_symlink(elsewhere, folder.path() / "models/momentum");
    EXPECT_TRUE(refused());
    std::filesystem::remove(folder.path() / "models/momentum");
    for (const char* const outside : {"..", ".", "", "../elsewhere", "/tmp/x", "a/b"}) {
        const auto saved = models.save({outside, {"AAPL"}, "1d"}, content(), go_on);
        ASSERT_FALSE(saved) << outside;
        EXPECT_EQ(saved.error().code, Errc::invalid_argument) << outside;
    }
    EXPECT_TRUE(models.save(name, content(), go_on));
}

TEST_F(ModelDirectory_, EndsItsWaitForALockWhenItIsCancelled) {
    ASSERT_TRUE(models.save(name, content(), go_on));
    const int held = ::open((folder.path() / "models/.momentum.AAPL-MSFT_1d.version").c_str(), O_RDWR);
    ASSERT_EQ(::flock(held, LOCK_EX), 0);
    int asked = 0;
    const auto saved = models.save(name, content(), [&asked](std::string_view step) -> Result<void> {
        asked += step == "version" ? 1 : 0;
        return asked < 4 ? Result<void>() : fail(Errc::cancelled, "enough");
    });
    EXPECT_EQ(saved.error().code, Errc::cancelled);
    // Let go while it is waited for.
    asked = 0;
    const auto second = models.save(name, content(), [&](std::string_view step) -> Result<void> {
        if (step == "version" && ++asked == 3) {
            ::close(held);
        }
        return {};
    });
    EXPECT_EQ(second->version, 2);
}

TEST_F(ModelDirectory_, IsItsOwnersAloneWhateverTheUmask) {
    const mode_t before = ::umask(0);
    const auto saved = models.save(name, content(), go_on).value();
    ::umask(0027);
    const auto shared =
        ModelDirectory(folder.path() / "shared", clock, FileAccess::by_umask).save(name, content(), go_on).value();
    ::umask(before);
    const auto mode = [](const std::filesystem::path& path) {
        return static_cast<int>(std::filesystem::status(path).permissions());
    };
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path() / "models")) {
        EXPECT_EQ(mode(entry.path()), entry.is_directory() ? 0700 : 0600) << entry.path();
    }
    EXPECT_EQ(mode(folder.path() / "models"), 0700);
    EXPECT_EQ(mode(saved.path), 0700);
    EXPECT_EQ(mode(shared.path), 0750);
    EXPECT_EQ(mode(shared.path / "config.json"), 0640);
}

TEST(ModelStem, KeepsFoldersInTheirPlace) {
    EXPECT_EQ(model_stem({"s", {"EUR/USD", "BRK.B"}, "1h"}), "EUR%2FUSD-BRK.B_1h");
    EXPECT_EQ(model_stem({"s", {"BRK-B"}, "1h"}), "BRK%2DB_1h");
    EXPECT_EQ(model_stem({"s", {"../../etc"}, "1d"}), "%2E.%2F..%2Fetc_1d");
    EXPECT_EQ(model_stem({"s", {".."}, "1d"}), "%2E._1d");
    std::vector<std::string> many;
    for (int i = 0; i < 200; ++i) {
        many.push_back("SYM" + std::to_string(i));
    }
    EXPECT_LT(model_stem({"s", many, "1d"}).size(), 120u);
    const std::string before = model_stem({"s", many, "1d"});
    many.back() = "OTHER";
    EXPECT_NE(model_stem({"s", many, "1d"}), before);
    for (std::size_t bytes = 1; bytes <= 128; ++bytes) {
        const std::string cut = model_stem({"s", {std::string(bytes, '/')}, "1d"});
        EXPECT_LT(cut.size(), 120u);
        EXPECT_TRUE(percent_decoded(cut)) << cut;
    }
}

TEST(ModelStem, IsAnotherForOtherSymbols) {
    std::vector<std::vector<std::string>> lists{
        {"EUR/USD"}, {"EUR-USD"}, {"EUR", "USD"}, {"EURUSD"}, {"EUR%2FUSD"}, {"EUR%2DUSD"}, {"A", "B"}, {"A-B"},
        {"A-", "B"}, {"A", "-B"}, {"A--B"},       {"A_1d"},   {"A", "1d"},   {"a", "B"},    {"A B"},    {"A+B"}};
    // Many symbols, and the few that spell what many become.
    std::vector<std::string> many;
    for (int i = 0; i < 200; ++i) {
        many.push_back("SYM" + std::to_string(i));
    }
    lists.push_back(many);
    const std::string shortened = model_stem({"s", many, "1d"});
    std::vector<std::string> spelt{""};
    for (const char c : shortened.substr(0, shortened.rfind('_'))) {
        if (c == '-') {
            spelt.emplace_back();
        } else {
            spelt.back() += c;
        }
    }
    std::erase(spelt, "");
    lists.push_back(spelt);
    std::set<std::string> stems;
    for (const auto& symbols : lists) {
        EXPECT_TRUE(stems.insert(model_stem({"s", symbols, "1d"})).second) << ::testing::PrintToString(symbols);
    }
}

TEST_F(ModelDirectory_, CountsOnFromFoldersOfEarlierNames) {
    std::filesystem::create_directories(folder.path() / "models/momentum/BRK-B_1d_v7");
    const SavedModel saved = models.save({"momentum", {"BRK-B"}, "1d"}, content(), go_on).value();
    EXPECT_EQ(saved.path, folder.path() / "models/momentum/BRK%2DB_1d_v8");
}

TEST_F(ModelDirectory_, SaysThatItsFolderIsGoneWheneverItGoes) {
    const auto strategy = folder.path() / "models/momentum";
    for (const char* const gone_at :
         {"model.safetensors", "config.json", "metrics.json", "features.json", "version", "metadata.json", "rename"}) {
        const auto saved = models.save(name, content(), [&](std::string_view step) -> Result<void> {
            if (step == gone_at) {
                std::filesystem::remove_all(strategy);
                std::filesystem::create_directory(strategy);
            }
            return {};
        });
        ASSERT_FALSE(saved) << gone_at;
        EXPECT_EQ(saved.error().code, Errc::storage) << gone_at;
        EXPECT_THAT(saved.error().message, ::testing::HasSubstr("momentum/")) << gone_at;
        EXPECT_TRUE(list_of(strategy).empty()) << gone_at;
    }
    EXPECT_TRUE(models.save(name, content(), go_on));
}

TEST_F(ModelDirectory_, LeavesWhatTookItsNameMeanwhile) {
    const auto place = folder.path() / "models/momentum/AAPL-MSFT_1d_v1";
    const auto saved = models.save(name, content(), [&](std::string_view step) -> Result<void> {
        if (step == "rename") {
            std::filesystem::create_directory(place);
        }
        return {};
    });
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, Errc::storage);
    EXPECT_THAT(list_of(folder.path() / "models/momentum"), ::testing::ElementsAre(place));
    EXPECT_TRUE(std::filesystem::is_empty(place));
}

TEST_F(ModelDirectory_, FollowsNoLinkInItsOwnPlace) {
    std::filesystem::create_directories(folder.path() / "elsewhere");
    std::filesystem::create_directory_symlink(folder.path() / "elsewhere", folder.path() / "models");
    EXPECT_EQ(models.save(name, content(), go_on).error().code, Errc::storage);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "elsewhere"));
}

TEST(ModelStem, OfManySymbolsBeginsWithTheWholeOfTheFirst) {
    std::vector<std::string> many(40, "EUR/USD");
    EXPECT_THAT(model_stem({"s", many, "1h"}), ::testing::StartsWith("EUR%2FUSD--and-39-more-"));
    many.front() = std::string(38, 'A') + "/B";
    EXPECT_THAT(model_stem({"s", many, "1h"}), ::testing::StartsWith(std::string(38, 'A') + "--and-39-more-"));
}

}  // namespace
}  // namespace ktrdr
