#include <ktrdr/training/checkpoint_files.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <fstream>
#include <iterator>
#include <limits>
#include <thread>

#include <ktrdr/training/training_context.hpp>
#include <ktrdr/training/training_data.hpp>

#include "fakes.hpp"
#include "killed_child.hpp"
#include "soak.hpp"

namespace ktrdr {
namespace {

using ::testing::HasSubstr;

struct CheckpointFilesTest : ::testing::Test {
    test::TemporaryFolder folder{};
    ManualClock clock{};
    CheckpointFiles files{folder.path(), clock};
    TrainingIdentity identity{"small", "0123", "4567"};
    TrainerCheckpoint checkpoint{{{"0.weight", {2, 2}, {1, -0.0F, 1e-45F, 3}}, {"best.0.weight", {1}, {0.1F}}},
                                 {{"epoch", 7}, {"bits", std::numeric_limits<std::int64_t>::min()}}};

    static TrainingOperationContext context(boost::json::object strategy = test::strategy_json()) {
        TrainingRequest asked;
        asked.strategy = std::move(strategy);
        return build_training_context(asked).value();
    }
};

using CheckpointFiles_ = CheckpointFilesTest;

TEST_F(CheckpointFiles_, GiveBackWhatWasSavedLast) {
    ASSERT_TRUE(files.save("op_1", identity, {}));
    ASSERT_TRUE(files.save("op_1", identity, checkpoint));
    ASSERT_TRUE(files.save("op_2", identity, {}));
    EXPECT_EQ(files.load("op_1", identity).value(), checkpoint);
    EXPECT_EQ(files.path("op_1"), folder.path() / ".checkpoints/op_1.safetensors");
}

TEST_F(CheckpointFiles_, KeepEveryBitOfANumber) {
    checkpoint.tensors[0].values[1] = std::bit_cast<float>(0x7fa12345U);
    ASSERT_TRUE(files.save("op", identity, checkpoint));
    const auto read = files.load("op", identity).value();
    EXPECT_EQ(std::bit_cast<std::uint32_t>(read.tensors[0].values[1]), 0x7fa12345U);
}

TEST_F(CheckpointFiles_, LeaveNothingWhenTheyAreRemoved) {
    ASSERT_TRUE(files.save("op", identity, checkpoint));
    // What a process that died while it wrote has left.
    std::ofstream(folder.path() / ".checkpoints/.op.part") << "half";
    files.remove("op");
    EXPECT_FALSE(std::filesystem::exists(folder.path() / ".checkpoints"));
    files.remove("op");
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
        names.push_back(entry.path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

TEST_F(CheckpointFiles_, LetGoOfWhatTheDeadHaveLeftAndOfNothingElse) {
    const std::filesystem::path there = folder.path() / ".checkpoints";
    ASSERT_TRUE(files.save("done", identity, checkpoint));
    std::ofstream(there / ".dead.part") << "half";
    std::ofstream(there / ".dead%2Ftoo.part") << "";
    std::ofstream(there / ".of-somebody") << "else";
    std::filesystem::create_directory(there / ".folder.part");
    std::filesystem::create_symlink(there / "done.safetensors", there / ".link.part");
    std::ofstream(there / ".alive.part") << "half";
    const int alive = ::open((there / ".alive.part").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(::flock(alive, LOCK_EX), 0);
    files.remove_leftovers();
    EXPECT_THAT(names_in(there), ::testing::ElementsAre(".alive.part", ".folder.part", ".link.part", ".of-somebody",
                                                        "done.safetensors"));
    ::close(alive);
    files.remove_leftovers();
    EXPECT_FALSE(std::filesystem::exists(there / ".alive.part"));
    EXPECT_EQ(files.load("done", identity).value(), checkpoint);
    // Where there is nothing it makes nothing.
    const CheckpointFiles none(folder.path() / "none", clock);
    none.remove_leftovers();
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "none"));
}

/// Large enough that a save is not over before it has begun.
TrainerCheckpoint large_one(TrainerCheckpoint checkpoint) {
    checkpoint.tensors[0] = {"0.weight", {512, 512}, std::vector<float>(512 * 512, 1.5F)};
    return checkpoint;
}

TEST_F(CheckpointFiles_, LeaveNothingHiddenOfAProcessThatWasKilledWhileItWrote) {
    checkpoint = large_one(checkpoint);
    const std::filesystem::path there = folder.path() / ".checkpoints";
    ASSERT_TRUE(files.save("op", identity, checkpoint));
    const std::uintmax_t whole = std::filesystem::file_size(files.path("op"));
    for (const std::uintmax_t size :
         {std::uintmax_t{0}, std::uintmax_t{1}, std::uintmax_t{4096}, whole / 2, whole - 1}) {
        // The system kills who writes beyond the limit of a file's size.
        test::said_before_death({1, {}}, [&](int) {
            const rlimit none{0, 0};
            const rlimit limit{size, size};
            ::setrlimit(RLIMIT_CORE, &none);
            ::setrlimit(RLIMIT_FSIZE, &limit);
            (void)files.save("op", identity, checkpoint);
        });
        ASSERT_EQ(std::filesystem::file_size(there / ".op.part"), size);
        files.remove_leftovers();
        EXPECT_THAT(names_in(there), ::testing::ElementsAre("op.safetensors"));
        EXPECT_EQ(files.load("op", identity).value(), checkpoint);
    }
}

TEST_F(CheckpointFiles_, LeaveNothingHiddenOfProcessesKilledAtAnyMoment) {
    checkpoint = large_one(checkpoint);
    const std::filesystem::path there = folder.path() / ".checkpoints";
    for (int turn = 0; turn < soak_count(20, 200); ++turn) {
        const test::KilledAt moment{1 + turn % 3, std::chrono::microseconds{137 * (turn % 290)}};
        test::said_before_death(moment, [&](int said) {
            for (;;) {
                (void)!::write(said, "\n", 1);
                (void)files.save("op", identity, checkpoint);
            }
        });
        files.remove_leftovers();
        for (const std::string& name : names_in(there)) {
            EXPECT_EQ(name, "op.safetensors");
            EXPECT_EQ(files.load("op", identity).value(), checkpoint);
        }
    }
}

TEST_F(CheckpointFiles_, TakeNothingAwayFromAThreadThatWrites) {
    std::atomic<bool> over{false};
    std::thread cleaner([&] {
        while (!over) {
            files.remove_leftovers();
        }
    });
    for (int turn = 0; turn < 200; ++turn) {
        const auto saved = files.save("op", identity, checkpoint);
        EXPECT_TRUE(saved) << saved.error().message;
        EXPECT_EQ(files.load("op", identity).value(), checkpoint);
    }
    over = true;
    cleaner.join();
}

TEST_F(CheckpointFiles_, AreWrittenThoughAnotherTrainingThatEndsTakesTheEmptyFolderAway) {
    std::atomic<bool> over{false};
    std::thread other([&] {
        while (!over) {
            files.remove("other");
        }
    });
    for (int turn = 0; turn < soak_count(400, 20'000); ++turn) {
        const auto saved = files.save("op", identity, checkpoint);
        EXPECT_TRUE(saved) << saved.error().message;
        EXPECT_TRUE(files.contains("op"));
        files.remove("op");
    }
    over = true;
    other.join();
}

TEST_F(CheckpointFiles_, RefuseThoseOfOtherThingsByName) {
    ASSERT_TRUE(files.save("op", identity, checkpoint));
    const auto refusal = [&](const TrainingIdentity& of) { return files.load("op", of).error(); };
    EXPECT_EQ(refusal({"large", "0123", "4567"}).code, Errc::conflict);
    EXPECT_THAT(refusal({"large", "0123", "4567"}).message,
                HasSubstr("another strategy ('small'; this one is 'large')"));
    EXPECT_THAT(refusal({"small", "9999", "4567"}).message, HasSubstr("says something else"));
    EXPECT_EQ(refusal({"small", "0123", "9999"}).code, Errc::conflict);
    EXPECT_THAT(refusal({"small", "0123", "9999"}).message, HasSubstr("other data: the rows of 'small'"));
    EXPECT_EQ(files.load("other", identity).error().code, Errc::not_found);
    EXPECT_THAT(files.load("other", identity).error().message, HasSubstr("no checkpoint of the training other"));
}

TEST_F(CheckpointFiles_, RefuseAFileThatIsDamagedWhereverItEnds) {
    ASSERT_TRUE(files.save("op", identity, checkpoint));
    std::ifstream file(files.path("op"), std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(file)), {});
    for (std::size_t length = 0; length < whole.size(); ++length) {
        std::ofstream(files.path("op"), std::ios::binary | std::ios::trunc) << whole.substr(0, length);
        const auto read = files.load("op", identity);
        ASSERT_FALSE(read) << length;
        EXPECT_EQ(read.error().code, Errc::storage) << length;
        EXPECT_THAT(read.error().message, HasSubstr("op.safetensors"));
    }
}

TEST_F(CheckpointFiles_, SayWhatCannotBeWritten) {
    std::ofstream(folder.path() / "file") << "";
    const CheckpointFiles blocked(folder.path() / "file", clock);
    const auto saved = blocked.save("op", identity, checkpoint);
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, Errc::storage);
}

TEST_F(CheckpointFiles_, AreOfOneStrategyAndEveryRow) {
    TrainingData data;
    data.feature_names = {"a", "b"};
    data.rows.train = {.rows = 2, .columns = 2, .values = {1, 2, 3, 4}, .labels = {0, 1}};
    const auto own = identity_of(context(), data);
    EXPECT_EQ(own, identity_of(context(), data));
    using Change = std::function<void(TrainingData&)>;
    const std::vector<Change> changes{
        [](TrainingData& other) { other.rows.train.values[3] = 4.5F; },
        [](TrainingData& other) { std::swap(other.rows.train.values[0], other.rows.train.values[1]); },
        [](TrainingData& other) { other.rows.train.labels[0] = 1; },
        [](TrainingData& other) { other.rows.train.weights = {1, 2}; },
        [](TrainingData& other) { std::swap(other.rows.train, other.rows.validation); },
        [](TrainingData& other) { std::swap(other.rows.train, other.rows.test); },
        [](TrainingData& other) { other.feature_names = {"ab", ""}; },
    };
    for (std::size_t i = 0; i < changes.size(); ++i) {
        TrainingData other = data;
        changes[i](other);
        EXPECT_NE(identity_of(context(), other).data, own.data) << i;
    }
    boost::json::object strategy = test::strategy_json();
    strategy["model"].at("training").as_object()["epochs"] = 4;
    EXPECT_NE(identity_of(context(strategy), data).strategy, own.strategy);
    EXPECT_EQ(identity_of(context(strategy), data).data, own.data);
}

}  // namespace
}  // namespace ktrdr
