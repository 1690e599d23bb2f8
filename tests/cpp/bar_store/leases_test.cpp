// Who asks a provider for which part of a series: one at a time, in whatever process.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <random>

#include <ktrdr/bar_store/bar_store.hpp>

#include "soak.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

class LeasesTest : public testing::Test {
protected:
    [[nodiscard]] std::shared_ptr<BarStore> open() const { return BarStore::open(file_).value(); }
    [[nodiscard]] static bool free(BarStore& store, const SeriesKey& key, TimeRange part) {
        return store.lease(key, part).value() != nullptr;
    }

    test::TemporaryFolder folder_{};
    const std::filesystem::path file_ = folder_.path() / "ktrdr.db";
    const SeriesKey key_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1m").value()};
    const TimeRange week_ = range("2024-01-08", "2024-01-15");
    const TimeRange day_ = range("2024-01-10", "2024-01-11");
};

TEST_F(LeasesTest, KeepOthersFromWhatTheyCoverUntilTheyAreLetGo) {
    const auto store = open();
    auto lease = store->lease(key_, week_).value();
    ASSERT_TRUE(lease);
    EXPECT_FALSE(free(*store, key_, week_));
    EXPECT_FALSE(free(*store, key_, day_));
    EXPECT_FALSE(free(*store, key_, range("2024-01-01", "2024-01-08T00:01")));
    EXPECT_FALSE(free(*store, key_, {UtcTime::min(), UtcTime::max()}));
    EXPECT_TRUE(free(*store, key_, range("2024-01-01", "2024-01-08")));
    EXPECT_TRUE(free(*store, key_, range("2024-01-15", "2024-01-22")));
    lease.reset();
    EXPECT_TRUE(free(*store, key_, week_));
}

TEST_F(LeasesTest, OfOneSeriesLeaveOthersFree) {
    const auto store = open();
    const auto lease = store->lease(key_, week_).value();
    SeriesKey other = key_;
    other.timeframe = Timeframe::parse("1h").value();
    EXPECT_TRUE(free(*store, other, week_));
    other = key_;
    other.symbol = "MSFT";
    EXPECT_TRUE(free(*store, other, week_));
    other = key_;
    other.session = "extended";
    EXPECT_TRUE(free(*store, other, week_));
}

TEST_F(LeasesTest, CountForAnotherStoreOfTheFileInTheSameProcess) {
    const auto one = open();
    const auto other = open();
    auto lease = one->lease(key_, week_).value();
    EXPECT_FALSE(free(*other, key_, day_));
    lease.reset();
    EXPECT_TRUE(free(*other, key_, day_));
}

TEST_F(LeasesTest, OutliveTheStoreThatGaveThem) {
    auto one = open();
    auto lease = one->lease(key_, week_).value();
    one.reset();
    EXPECT_FALSE(free(*open(), key_, day_));
    lease.reset();
    EXPECT_TRUE(free(*open(), key_, day_));
}

TEST_F(LeasesTest, RefuseAnEmptyRange) {
    EXPECT_EQ(open()->lease(key_, {week_.end, week_.start}).error().code, Errc::invalid_argument);
}

/// Takes the lease, says so, and lives until it is killed.
[[noreturn]] void hold_for_ever(const std::filesystem::path& file, const SeriesKey& key, TimeRange part, int ready) {
    const auto store = BarStore::open(file).value();
    const auto lease = store->lease(key, part).value();
    if (!lease || write(ready, "r", 1) != 1) {
        _exit(1);
    }
    for (;;) {
        pause();
    }
}

TEST_F(LeasesTest, OfAnotherProcessCountAndAreGoneAtOnceWhenItIsKilled) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
        hold_for_ever(file_, key_, week_, ends[1]);
    }
    char ready = 0;
    ASSERT_EQ(::read(ends[0], &ready, 1), 1);
    const auto store = open();
    EXPECT_FALSE(free(*store, key_, day_));
    EXPECT_TRUE(free(*store, key_, range("2024-02-01", "2024-02-02")));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(free(*store, key_, day_));
    close(ends[0]);
    close(ends[1]);
}

TEST_F(LeasesTest, AreNotInheritedByAForkedChild) {
    const auto store = open();
    auto lease = store->lease(key_, week_).value();
    const pid_t child = fork();
    if (child == 0) {
        for (;;) {
            pause();
        }
    }
    lease.reset();
    EXPECT_TRUE(free(*open(), key_, week_));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
}

TEST_F(LeasesTest, NeverOverlapWhoeverTakesThem) {
    const int steps = soak_count(2000, 100'000);
    std::mt19937 random(11);
    const auto below = [&random](int count) { return std::uniform_int_distribution<int>(0, count - 1)(random); };
    const std::array stores{open(), open(), open()};
    struct Held {
        TimeRange part;
        std::unique_ptr<FileLease> lease;
    };
    std::vector<Held> held;
    for (int step = 0; step < steps; ++step) {
        if (!held.empty() && below(3) == 0) {
            held.erase(held.begin() + below(static_cast<int>(held.size())));
            continue;
        }
        const UtcTime start = week_.start + std::chrono::seconds{below(200)};
        const TimeRange part{start, start + std::chrono::seconds{1 + below(30)}};
        const bool taken = std::any_of(held.begin(), held.end(), [&part](const Held& other) {
            return other.part.start < part.end && part.start < other.part.end;
        });
        auto lease = stores[static_cast<std::size_t>(below(3))]->lease(key_, part).value();
        ASSERT_EQ(lease == nullptr, taken) << "step " << step;
        if (lease) {
            held.push_back({part, std::move(lease)});
        }
    }
}

}  // namespace
}  // namespace ktrdr
