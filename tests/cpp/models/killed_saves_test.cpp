// Saves whose process is killed: a model is there whole or not at all, and what they leave goes at the next start.

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <set>
#include <sstream>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/manual.hpp>
#include <ktrdr/models/model_directory.hpp>
#include <ktrdr/models/safetensors.hpp>

#include "killed_child.hpp"
#include "soak.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

using ::testing::IsEmpty;

Result<void> keep_on(std::string_view) {
    return {};
}

const ModelName killed_name{"momentum", {"AAPL"}, "1d"};

ModelContent killed_content() {
    const std::vector<NamedTensor> tensors{{"0.weight", {64, 256}, std::vector<float>(64 * 256, 1.5F)}};
    return {encode_safetensors(tensors), {{"a", 1}}, {{"b", 2}}, {{"c", 3}}, {{"d", 4}}};
}

std::string text_of(const fs::path& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<fs::path> entries_of(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) {
        found.push_back(entry.path());
    }
    return found;
}

std::vector<fs::path> hidden_in(const fs::path& folder) {
    std::vector<fs::path> found = entries_of(folder);
    std::erase_if(found, [](const fs::path& path) { return !path.filename().string().starts_with('.'); });
    return found;
}

void expect_whole(const fs::path& model) {
    EXPECT_EQ(entries_of(model).size(), 5u) << model;
    EXPECT_EQ(text_of(model / "model.safetensors"), killed_content().safetensors) << model;
    for (const char* const name : {"config.json", "metrics.json", "features.json", "metadata.json"}) {
        boost::system::error_code broken;
        (void)boost::json::parse(text_of(model / name), broken);
        EXPECT_FALSE(broken) << model / name;
    }
}

struct KilledSaves : ::testing::Test {
    test::TemporaryFolder folder{};
    ManualClock clock{};
    ModelDirectory models{folder.path() / "models", clock};
    fs::path strategy{folder.path() / "models/momentum"};

    /// Have a process die in the middle of a save, at the step of that name.
    void die_at(std::string_view step) {
        const std::string said = test::said_before_death({1, {}}, [&](int) {
            (void)models.save(killed_name, killed_content(), [step](std::string_view now) -> Result<void> {
                if (now == step) {
                    ::raise(SIGKILL);
                }
                return {};
            });
        });
        EXPECT_THAT(said, IsEmpty());
    }
};

TEST_F(KilledSaves, LeaveAFolderThatTheNextStartRemoves) {
    for (const char* const step : {"model.safetensors", "config.json", "features.json", "version", "rename"}) {
        die_at(step);
        ASSERT_EQ(hidden_in(strategy).size(), 1u) << step;
        models.remove_leftovers();
        // The strategy has no model, so its folder goes as well.
        EXPECT_FALSE(fs::exists(strategy)) << step;
    }
}

TEST_F(KilledSaves, AreToldFromThoseThatLive) {
    const auto saved = models.save(killed_name, killed_content(), [&](std::string_view) -> Result<void> {
        // Another training starts, in this process and in another one.
        ModelDirectory(folder.path() / "models", clock).remove_leftovers();
        const std::string said = test::said_before_death({1, {}}, [&](int) { models.remove_leftovers(); });
        return {};
    });
    ASSERT_TRUE(saved) << saved.error().message;
    expect_whole(saved->path);
}

TEST_F(KilledSaves, AreToldFromWhatOthersHid) {
    fs::create_directories(strategy / ".git");
    fs::create_directories(strategy / ".mine.part");
    std::ofstream(strategy / ".01890000-0000-7000-8000-000000000000.part") << "a file of that name";
    fs::create_directories(folder.path() / "elsewhere/.01890000-0000-7000-8000-000000000001.part");
    fs::create_directory_symlink(folder.path() / "elsewhere", folder.path() / "models/linked");
    // Nearly named like one of ours: by another beginning, end, or letters that no id has.
    const std::vector<std::string> nearly{
        "x01890000-0000-7000-8000-000000000000.part", ".01890000-0000-7000-8000-000000000000.rest",
        ".0189000g-0000-7000-8000-000000000000.part", ".01890000:0000-7000-8000-000000000000.part",
        ".01890000+0000-7000-8000-000000000000.part"};
    for (const std::string& other : nearly) {
        fs::create_directories(strategy / other);
    }
    models.remove_leftovers();
    EXPECT_EQ(hidden_in(strategy).size(), 3u + 4u);
    EXPECT_TRUE(fs::exists(strategy / nearly[0]));
    EXPECT_EQ(hidden_in(folder.path() / "elsewhere").size(), 1u);
}

TEST_F(KilledSaves, LeaveModelsWholeOrAbsentAtRandomMoments) {
    const std::uint32_t seed = 20240607;
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> later(0, 20000);
    const ModelDirectory real(folder.path() / "models", system_clock());
    const int kills = soak_count(10, 200);
    std::set<std::string> before;
    for (int kill = 0; kill < kills; ++kill) {
        (void)test::said_before_death({1, std::chrono::microseconds(later(random))}, [&](int out) {
            for (;;) {
                (void)!::write(out, "\n", 1);
                (void)real.save(killed_name, killed_content(), keep_on);
            }
        });
        real.remove_leftovers();
        EXPECT_THAT(hidden_in(strategy), IsEmpty()) << "seed " << seed << ", kill " << kill;
        std::set<std::string> now;
        for (const fs::path& model : entries_of(strategy)) {
            expect_whole(model);
            now.insert(model.filename());
        }
        EXPECT_TRUE(std::ranges::includes(now, before)) << "a model that was whole is gone";
        before = now;
    }
    EXPECT_TRUE(real.save(killed_name, killed_content(), keep_on));
}

TEST_F(KilledSaves, OfProcessesAtOnceGetVersionsOfTheirOwn) {
    const ModelDirectory real(folder.path() / "models", system_clock());
    std::vector<pid_t> children;
    for (int child = 0; child < 4; ++child) {
        children.push_back(fork());
        if (children.back() == 0) {
            bool saved = true;
            for (int save = 0; save < 5; ++save) {
                real.remove_leftovers();
                saved = real.save(killed_name, killed_content(), keep_on).has_value() && saved;
            }
            _exit(saved ? 0 : 1);
        }
    }
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    std::set<std::int64_t> versions;
    for (const fs::path& model : entries_of(strategy)) {
        expect_whole(model);
        versions.insert(boost::json::parse(text_of(model / "metadata.json")).at("version").to_number<std::int64_t>());
    }
    EXPECT_EQ(versions.size(), 20u) << ::testing::PrintToString(versions);
}

}  // namespace
}  // namespace ktrdr
