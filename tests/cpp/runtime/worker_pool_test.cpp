#include <ktrdr/runtime/worker_pool.hpp>

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <latch>
#include <stdexcept>
#include <string>

#include <ktrdr/base/result.hpp>

namespace ktrdr {
namespace {

SteadyTime soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds{20};
}

TEST(WorkerPool, RunsEverythingThatWasPostedBeforeItStops) {
    WorkerPool pool("test", 3);
    std::atomic<int> count{0};
    for (int i = 0; i < 1000; ++i) {
        pool.post([&count] { ++count; });
    }
    EXPECT_TRUE(pool.stop(soon()));
    EXPECT_EQ(count, 1000);
}

TEST(WorkerPool, RunsAsManyAtOnceAsItsLimitAndNoMore) {
    WorkerPool pool("test", 2);
    std::latch both_inside{2};
    std::promise<void> release;
    const auto released = release.get_future().share();
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    for (int i = 0; i < 6; ++i) {
        pool.post([&, released] {
            const int now = ++inside;
            for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
            }
            if (!both_inside.try_wait()) {
                both_inside.count_down();
            }
            released.wait();
            --inside;
        });
    }
    both_inside.wait();
    release.set_value();
    EXPECT_TRUE(pool.stop(soon()));
    EXPECT_EQ(most, 2);
}

TEST(WorkerPool, KnowsItsOwnThreads) {
    WorkerPool pool("test", 1);
    std::promise<bool> inside;
    pool.post([&] { inside.set_value(pool.runs_here()); });
    EXPECT_TRUE(inside.get_future().get());
    EXPECT_FALSE(pool.runs_here());
}

TEST(WorkerPool, GivesUpOnAThreadThatIsBusyAtTheDeadline) {
    // Shared with the thread, which outlives this test's frame when the pool gives it up.
    auto release = std::make_shared<std::promise<void>>();
    auto started = std::make_shared<std::promise<pid_t>>();
    static auto* const pool = new WorkerPool("test", 1);  // Never destroyed, like the runtime's own.
    pool->post([release, started] {
        started->set_value(gettid());
        release->get_future().wait();
    });
    const auto thread = "/proc/self/task/" + std::to_string(started->get_future().get());
    EXPECT_FALSE(pool->stop(std::chrono::steady_clock::now()));
    release->set_value();
    // To its very end: what it still holds when the process ends counts as leaked.
    while (std::filesystem::exists(thread)) {
    }
}

TEST(WorkerPool, BlocksEverySignalOnItsThreads) {
    WorkerPool pool("test", 1);
    std::promise<bool> blocked;
    pool.post([&] {
        sigset_t mask;
        pthread_sigmask(SIG_BLOCK, nullptr, &mask);
        blocked.set_value(sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1);
    });
    EXPECT_TRUE(blocked.get_future().get());
}

TEST(WorkerPool, WhatEscapesAFunctionEndsNothing) {
    WorkerPool pool("test", 1);
    std::promise<void> done;
    pool.post([] { throw std::runtime_error("gone"); });
    pool.post([] { throw 3; });
    pool.post([&] { done.set_value(); });
    done.get_future().wait();
    EXPECT_TRUE(pool.stop(soon()));
}

TEST(WorkerPool, RefusesWhatNoThreadCanBeStartedFor) {
    WorkerPool pool("test", 2);
    pthread_attr_t attributes;
    ASSERT_EQ(pthread_getattr_default_np(&attributes), 0);
    std::size_t stack = 0;
    pthread_attr_getstacksize(&attributes, &stack);
    // More than any address space holds.
    ASSERT_EQ(pthread_attr_setstacksize(&attributes, std::size_t{1} << 50U), 0);
    ASSERT_EQ(pthread_setattr_default_np(&attributes), 0);
    try {
        pool.post([] { FAIL(); });
        ADD_FAILURE() << "a thread was started";
    } catch (const ErrorException& error) {
        EXPECT_EQ(error.error().code, Errc::out_of_resources);
    }
    pthread_attr_setstacksize(&attributes, stack);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
    std::promise<void> done;
    pool.post([&] { done.set_value(); });
    done.get_future().wait();
    EXPECT_TRUE(pool.stop(soon()));
}

}  // namespace
}  // namespace ktrdr
