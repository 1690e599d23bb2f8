#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <ktrdr/coroutines/gate.hpp>

namespace ktrdr {
namespace {

class GateTest : public testing::Test {
protected:
    void enter() {
        boost::asio::co_spawn(io_, pass(), boost::asio::detached);
        io_.poll();
        io_.restart();
    }

    Gate gate_;
    boost::asio::io_context io_{1};
    bool passed_{false};

private:
    boost::asio::awaitable<void> pass() {
        co_await gate_.wait();
        passed_ = true;
    }
};

TEST_F(GateTest, HoldsUntilItIsOpenedAndResumesWhenThatHasReturned) {
    enter();
    EXPECT_FALSE(passed_);
    gate_.open();
    EXPECT_FALSE(passed_);
    io_.poll();
    EXPECT_TRUE(passed_);
}

TEST_F(GateTest, LetsThroughAtOnceWhoComesAfterwards) {
    gate_.open();
    gate_.open();
    enter();
    EXPECT_TRUE(passed_);
}

}  // namespace
}  // namespace ktrdr
