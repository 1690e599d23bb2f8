#include <ktrdr/training/training_memory.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include <ktrdr/base/memory.hpp>
#include <ktrdr/training/training_data.hpp>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using boost::json::object;
using ::testing::StartsWith;

using BarCounts = std::vector<std::vector<std::size_t>>;

/// Of the small strategy, changed.
TrainingOperationContext context_of(const std::function<void(object&)>& change = {}, bool walk = false) {
    TrainingRequest asked;
    asked.strategy = test::strategy_json();
    asked.random_walk_baseline = walk;
    if (change) {
        change(asked.strategy);
    }
    return build_training_context(asked).value();
}

TEST(TrainingMemory, CountsTheRowsAsTheyAreStored) {
    // Three features.
    EXPECT_EQ(estimate_memory(context_of(), BarCounts{{1000}, {500}}).rows, 1500U * (4 * 3 + 8));
    const auto weighed = context_of(
        [](object& strategy) { strategy["training"].as_object()["labels"].as_object()["weights"] = "uniqueness"; });
    EXPECT_EQ(estimate_memory(weighed, BarCounts{{1000}, {500}}).rows, 1500U * (4 * 3 + 8 + 4));
    const auto lagged =
        context_of([](object& strategy) { strategy["model"].as_object()["features"] = {{"lookback_periods", 9}}; });
    EXPECT_EQ(estimate_memory(lagged, BarCounts{{1000}, {500}}).rows, 1500U * (4 * 30 + 8));
}

TEST(TrainingMemory, GrowsWithEverythingThatTakesSome) {
    const BarCounts bars{{10'000}, {5'000}};
    const TrainingMemory small = estimate_memory(context_of(), bars);
    EXPECT_EQ(small.random_walk, 0U);
    EXPECT_GT(small.preparation, 0U);
    EXPECT_EQ(small.total(), small.rows + small.preparation + small.learning);
    const TrainingMemory walked = estimate_memory(context_of({}, true), bars);
    EXPECT_GT(walked.random_walk, walked.rows + walked.preparation);
    EXPECT_EQ(walked.total(), walked.rows + walked.random_walk + walked.learning);
    const auto wide = context_of([](object& strategy) {
        strategy["model"].as_object()["architecture"].as_object()["hidden_layers"] = {512, 512};
    });
    // 512 units on 512 in nine copies.
    EXPECT_GT(estimate_memory(wide, bars).learning, small.learning + 9U * 4 * 512 * 512);
    EXPECT_EQ(estimate_memory(wide, bars).shared(), small.shared());
    EXPECT_GT(estimate_memory(context_of(), BarCounts{{20'000}, {5'000}}).shared(), small.shared());
}

TEST(TrainingMemory, SaysWhatItIsMadeOf) {
    EXPECT_EQ(to_string(TrainingMemory{40'000'000, 50'000'000, 0, 16'000'000}),
              "106 MB (rows 40 MB, preparing them 50 MB, learning 16 MB)");
    EXPECT_THAT(to_string(TrainingMemory{1, 1, 2'000'000'000, 1}), StartsWith("2,001 MB (rows 1 MB"));
}

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    file >> all >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// By how much memory rises at most while rows are prepared, in a process of its own.
std::uint64_t measured(const TrainingOperationContext& context, test::FakeBars& bars) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        const std::uint64_t before = resident_bytes();
        const auto data = prepare_training_data(context, bars, {}, [](std::size_t, std::size_t) {});
        const std::uint64_t rose = data ? peak_memory().value_or(0) - before : 0;
        const bool said = write(ends[1], &rose, sizeof rose) == sizeof rose;
        _exit(said ? 0 : 1);
    }
    close(ends[1]);
    std::uint64_t rose = 0;
    EXPECT_EQ(read(ends[0], &rose, sizeof rose), static_cast<ssize_t>(sizeof rose));
    close(ends[0]);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return rose;
}

/// So many minutes of a random walk.
BarsPtr minutes(std::size_t count, unsigned seed) {
    Bars bars = test::walk(count / 10, seed);
    Bars made;
    made.reserve(count);
    constexpr std::int64_t minute = 60'000'000'000;
    const std::int64_t first = bars.time.front();
    for (std::size_t i = 0; i < count; ++i) {
        const double price = bars.close[i % bars.size()];
        made.push_back(first + static_cast<std::int64_t>(i) * minute, price, price, price, price, 1);
    }
    return std::make_shared<const Bars>(std::move(made));
}

TEST(TrainingMemory, OfPreparedRowsIsTwiceWhatIsMeasuredAtMostAndNoLess) {
#ifdef KTRDR_SANITIZED
    GTEST_SKIP() << "a sanitizer's memory is its own";
#endif
    const auto in_minutes = [](object& strategy) {
        strategy["training_data"].as_object()["timeframes"] = {
            {"mode", "single"}, {"list", {"1m"}}, {"base_timeframe", "1m"}};
    };
    test::FakeBars bars;
    bars.series["AAPL"] = minutes(300'000, 1);
    bars.series["MSFT"] = minutes(200'000, 2);
    for (const int lags : {0, 9}) {
        const auto context = context_of([&](object& strategy) {
            in_minutes(strategy);
            strategy["model"].as_object()["features"] = {{"lookback_periods", lags}};
        });
        const std::uint64_t told = estimate_memory(context, BarCounts{{300'000}, {200'000}}).shared();
        const std::uint64_t rose = measured(context, bars);
        EXPECT_LE(static_cast<double>(rose), 1.1 * static_cast<double>(told)) << lags << " lags";
        EXPECT_GE(static_cast<double>(rose), 0.5 * static_cast<double>(told)) << lags << " lags";
        RecordProperty("lags_" + std::to_string(lags), memory_text(told) + " told, " + memory_text(rose));
    }
}

}  // namespace
}  // namespace ktrdr
