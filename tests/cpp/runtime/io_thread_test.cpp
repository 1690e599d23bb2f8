#include <ktrdr/runtime/io_thread.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <new>
#include <stdexcept>
#include <vector>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

TEST(IoThread, RunsWhatIsPostedInOrderOnItsOwnThread) {
    IoThread io;
    std::vector<int> order;
    std::promise<bool> last;
    for (int i = 0; i < 100; ++i) {
        io.post([&order, i] { order.push_back(i); });
    }
    io.post([&] { last.set_value(io.runs_here()); });
    EXPECT_TRUE(last.get_future().get());
    EXPECT_FALSE(io.runs_here());
    ASSERT_EQ(order.size(), 100U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(IoThread, FiresTimersInOrderOfTimeWhateverTheOrderOfAsking) {
    IoThread io;
    std::vector<int> order;
    std::promise<void> done;
    const auto now = std::chrono::steady_clock::now();
    io.schedule_at(now + 30ms, [&] {
        order.push_back(3);
        done.set_value();
    });
    io.schedule_at(now + 10ms, [&] { order.push_back(1); });
    io.schedule_at(now + 20ms, [&] { order.push_back(2); });
    done.get_future().wait();
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(IoThread, ACancelledTimerNeverFires) {
    IoThread io;
    std::promise<void> done;
    bool fired = false;
    const auto now = std::chrono::steady_clock::now();
    const auto id = io.schedule_at(now + 10ms, [&] { fired = true; });
    EXPECT_TRUE(io.cancel(id));
    EXPECT_FALSE(io.cancel(id));
    io.schedule_at(now + 20ms, [&] { done.set_value(); });
    done.get_future().wait();
    EXPECT_FALSE(fired);
}

TEST(IoThread, ATimerMaySetTheNextOne) {
    IoThread io;
    std::promise<void> done;
    io.schedule_at(std::chrono::steady_clock::now(),
                   [&] { io.schedule_at(std::chrono::steady_clock::now(), [&] { done.set_value(); }); });
    EXPECT_EQ(done.get_future().wait_for(20s), std::future_status::ready);
}

TEST(IoThread, WhatEscapesAFunctionATimerOrAHandlerEndsNothing) {
    IoThread io;
    std::promise<void> done;
    const auto now = std::chrono::steady_clock::now();
    io.post([] { throw std::runtime_error("a function"); });
    io.post([] { throw 3; });
    io.schedule_at(now, [] { throw std::runtime_error("a timer"); });
    boost::asio::post(io.context(), [] { throw std::bad_alloc(); });
    io.schedule_at(now + 10ms, [&] { io.post([&] { done.set_value(); }); });
    done.get_future().wait();
}

}  // namespace
}  // namespace ktrdr
