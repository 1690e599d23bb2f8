#include <ktrdr/base/in_parts.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include <ktrdr/base/result.hpp>

#include "executors.hpp"

namespace ktrdr {
namespace {

/// One that never runs what it is given.
class BusyExecutor final : public Executor {
public:
    void post(Function function) override { waiting.push_back(std::move(function)); }
    [[nodiscard]] bool runs_here() const override { return false; }

    std::vector<Function> waiting{};
};

/// One without a thread to give.
class NoExecutor final : public Executor {
public:
    void post(Function /*function*/) override { throw ErrorException(fail(Errc::out_of_resources, "no thread")); }
    [[nodiscard]] bool runs_here() const override { return false; }
};

TEST(InParts, DoesEachPartOnce) {
    ThreadExecutor helpers;
    for (const std::size_t parts : {0U, 1U, 2U, 3U, 100U}) {
        std::vector<std::atomic<int>> done(parts);
        in_parts(helpers, parts, [&](std::size_t part, bool /*here*/) { ++done[part]; });
        for (const auto& times : done) {
            EXPECT_EQ(times, 1);
        }
    }
}

TEST(InParts, SaysWhichPartsAreDoneOnTheCallingThread) {
    ThreadExecutor helpers;
    const auto caller = std::this_thread::get_id();
    in_parts(helpers, 50, [&](std::size_t /*part*/, bool here) {
        EXPECT_EQ(here, std::this_thread::get_id() == caller);
        std::this_thread::yield();
    });
}

TEST(InParts, DoesAllOfItWhereNobodyHelps) {
    BusyExecutor busy;
    std::size_t next = 0;
    in_parts(busy, 9, [&](std::size_t part, bool here) {
        EXPECT_EQ(part, next++);
        EXPECT_TRUE(here);
    });
    EXPECT_EQ(next, 9U);
    // Those that come late find nothing to do, and what they would have called is gone.
    for (const auto& late : busy.waiting) {
        late();
    }
    EXPECT_EQ(next, 9U);
    NoExecutor none;
    in_parts(none, 3, [&](std::size_t, bool) { ++next; });
    EXPECT_EQ(next, 12U);
}

TEST(InParts, ReturnsWhenTheLastHelperIsThrough) {
    ThreadExecutor helpers;
    for (int round = 0; round < 200; ++round) {
        std::atomic<int> under_way{0};
        in_parts(helpers, 4, [&](std::size_t, bool) {
            ++under_way;
            std::this_thread::yield();
            --under_way;
        });
        EXPECT_EQ(under_way, 0);
    }
}

}  // namespace
}  // namespace ktrdr
