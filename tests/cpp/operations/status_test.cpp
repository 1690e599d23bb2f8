#include <gmock/gmock.h>

#include <array>
#include <random>
#include <set>

#include "recorder.hpp"

#include <ktrdr/operations/status.hpp>

namespace ktrdr {
namespace {

using enum OperationStatus;

constexpr std::array all{pending, running, cancelling, completed, failed, cancelled, timed_out, interrupted, resuming};

TEST(OperationStatus, EveryOneHasItsOwnName) {
    std::set<std::string_view> names;
    for (const auto status : all) {
        names.insert(to_string(status));
    }
    EXPECT_EQ(names.size(), all.size());
    EXPECT_EQ(to_string(timed_out), "timed_out");
}

TEST(OperationStatus, NothingFollowsATerminalOne) {
    for (const auto from : all) {
        int following = 0;
        for (const auto to : all) {
            following += may_follow(from, to) ? 1 : 0;
        }
        EXPECT_EQ(following == 0, is_terminal(from)) << to_string(from);
    }
}

TEST(OperationStatus, NothingFollowsItself) {
    for (const auto status : all) {
        EXPECT_FALSE(may_follow(status, status)) << to_string(status);
    }
}

TEST(OperationStatus, ACancelThatWasAskedForNeitherSucceedsNorFails) {
    EXPECT_FALSE(may_follow(cancelling, completed));
    EXPECT_FALSE(may_follow(cancelling, failed));
    EXPECT_FALSE(may_follow(cancelling, running));
}

TEST(OperationStatus, OnlyRunningWorkCompletes) {
    for (const auto from : all) {
        EXPECT_EQ(may_follow(from, completed), from == running) << to_string(from);
    }
}

TEST(OperationStatus, EveryOneIsReachedFromPending) {
    std::set<OperationStatus> reached{pending};
    for (std::size_t before = 0; before != reached.size();) {
        before = reached.size();
        for (const auto from : std::set(reached)) {
            for (const auto to : all) {
                if (may_follow(from, to)) {
                    reached.insert(to);
                }
            }
        }
    }
    EXPECT_EQ(reached.size(), all.size());
}

/// Does one thing at random that callers may do.
void step(Operation& operation, OperationWorld& world, const CancellationToken& parent, std::mt19937& random) {
    switch (std::uniform_int_distribution(0, 7)(random)) {
        case 0: (void)operation.start(); break;
        case 1: operation.request_cancel({CancelCode::user, "", ""}); break;
        case 2: parent.cancel({CancelCode::shutdown, "", ""}); break;
        case 3: operation.finish(std::any(1)); break;
        case 4: operation.finish(ktrdr::failed(fail(Errc::no_data, "no bars"))); break;
        case 5: operation.finish(ktrdr::failed(fail(Errc::timed_out, "own limit"))); break;
        case 6: world.io.run(); break;
        default:
            world.clock.advance(std::chrono::seconds{1});
            world.timers.fire();
            break;
    }
}

TEST(OperationStatus, FollowsTheTableWhateverCallersDo) {
    for (unsigned seed = 0; seed < 2000; ++seed) {
        std::mt19937 random(seed);
        OperationWorld world;
        const auto parent = world.root.child();
        const auto operation = world.make(parent.child(std::chrono::seconds{4}));
        OperationStatus last = operation->status();
        bool stopping = false;
        for (int i = 0; i < 12; ++i) {
            step(*operation, world, parent, random);
            const OperationStatus now = operation->status();
            // Two edges may lie between two looks: a finish starts what was pending, a cancel passes `cancelling`.
            ASSERT_TRUE(now == last || may_follow(last, now) || (last == pending && now == completed))
                << "seed " << seed << ": " << to_string(last) << " to " << to_string(now);
            ASSERT_FALSE(stopping && (now == completed || now == failed || now == running)) << "seed " << seed;
            stopping = stopping || now == cancelling;
            ASSERT_EQ(operation->result().has_error(), now != completed);
            last = now;
        }
    }
}

}  // namespace
}  // namespace ktrdr
