#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <ktrdr/coroutines/turnstile.hpp>

#include "executors.hpp"

namespace ktrdr {
namespace {

using testing::ElementsAre;

class TurnstileTest : public testing::Test {
protected:
    using Turn = std::shared_ptr<Turnstile::Turn>;

    boost::asio::awaitable<void> pass(int number, CancellationToken token) {
        auto turn = co_await turnstile_.enter(token);
        if (turn) {
            passed_.push_back(number);
            turns_.push_back(std::move(*turn));
        } else {
            EXPECT_EQ(turn.error().code, Errc::cancelled);
            left_.push_back(number);
        }
    }

    CancellationToken enter(int number) {
        auto token = CancellationToken::create(executor_, timers_, clock_);
        boost::asio::co_spawn(io_, pass(number, token), boost::asio::detached);
        return token;
    }

    void run() {
        io_.restart();
        io_.poll();
    }

    ManualClock clock_;
    boost::asio::io_context io_{1};
    IoExecutor executor_{io_};
    ManualTimerQueue timers_{clock_};
    Turnstile turnstile_{2};
    std::vector<int> passed_;
    std::vector<int> left_;
    std::deque<Turn> turns_;
};

TEST_F(TurnstileTest, LetsThroughAsManyAsItMayAndTheOthersInOrder) {
    for (int number = 1; number <= 5; ++number) {
        enter(number);
    }
    run();
    EXPECT_THAT(passed_, ElementsAre(1, 2));
    EXPECT_EQ(turnstile_.waiting(), 3U);
    turns_.pop_front();
    run();
    EXPECT_THAT(passed_, ElementsAre(1, 2, 3));
    turns_.clear();
    run();
    EXPECT_THAT(passed_, ElementsAre(1, 2, 3, 4, 5));
    turns_.clear();
    enter(6);
    run();
    EXPECT_EQ(passed_.back(), 6);
}

TEST_F(TurnstileTest, LetsAWaiterGoThatIsCancelled) {
    enter(1);
    enter(2);
    const auto third = enter(3);
    enter(4);
    run();
    third.cancel({});
    run();
    EXPECT_THAT(left_, ElementsAre(3));
    EXPECT_EQ(turnstile_.waiting(), 1U);
    turns_.pop_front();
    run();
    EXPECT_THAT(passed_, ElementsAre(1, 2, 4));
}

TEST_F(TurnstileTest, LosesNoTurnWhenCancelAndGrantMeet) {
    enter(1);
    enter(2);
    const auto third = enter(3);
    enter(4);
    run();
    third.cancel({});
    turns_.pop_front();
    run();
    turns_.clear();
    run();
    turns_.clear();
    enter(5);
    enter(6);
    run();
    EXPECT_EQ(turns_.size(), 2U);
    EXPECT_EQ(turnstile_.waiting(), 0U);
}

}  // namespace
}  // namespace ktrdr
