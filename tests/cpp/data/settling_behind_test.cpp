#include <ktrdr/data/settling_behind.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

#include "executors.hpp"

namespace ktrdr {
namespace {

TEST(SettlingBehind, IsWaitedForByWhoClosesTheFile) {
    for (int round = 0; round < 100; ++round) {
        const auto settling = std::make_shared<SettlingBehind>();
        ThreadExecutor executor;
        std::latch begun{1};
        std::atomic<bool> closing{false};
        std::atomic<bool> done{false};
        settling->run(executor, [&] {
            begun.count_down();
            while (!closing) {
                std::this_thread::yield();
            }
            done = true;
        });
        begun.wait();
        closing = true;
        settling->close();
        ASSERT_TRUE(done);
    }
}

TEST(SettlingBehind, DoesNotBeginWhatIsQueuedWhenTheFileIsClosed) {
    const auto settling = std::make_shared<SettlingBehind>();
    bool done = false;
    {
        std::latch go{1};
        ThreadExecutor executor;
        executor.post([&go] { go.wait(); });
        settling->run(executor, [&done] { done = true; });
        settling->close();
        go.count_down();
    }
    EXPECT_FALSE(done);
}

TEST(SettlingBehind, IsOverWhateverWorkThrows) {
    const auto settling = std::make_shared<SettlingBehind>();
    {
        ThreadExecutor executor;
        settling->run(executor, [] { throw std::runtime_error("no disk"); });
    }
    settling->close();
}

}  // namespace
}  // namespace ktrdr
