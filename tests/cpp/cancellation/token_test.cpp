#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/cancellation/token.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;

const CancelReason by_user{CancelCode::user, "pressed Ctrl-C", "cli"};

class Token : public testing::Test {
protected:
    ManualClock clock_{};
    ManualExecutor executor_{};
    ManualTimerQueue timers_{clock_};
    CancellationToken token_ = CancellationToken::create(executor_, timers_, clock_);
};

TEST_F(Token, IsAliveUntilSomebodyCancelsIt) {
    EXPECT_FALSE(token_.is_cancelled());
    EXPECT_EQ(token_.reason(), std::nullopt);
    EXPECT_TRUE(token_.check("loading").has_value());
}

TEST_F(Token, KeepsTheFirstReasonOnly) {
    EXPECT_TRUE(token_.cancel(by_user));
    EXPECT_FALSE(token_.cancel({CancelCode::shutdown, "later", "runtime"}));
    EXPECT_TRUE(token_.is_cancelled());
    EXPECT_THAT(token_.reason(), Optional(by_user));
}

TEST_F(Token, LetsOneOfManyThreadsWin) {
    constexpr int count = 8;
    for (int round = 0; round < 50; ++round) {
        const auto token = CancellationToken::create(executor_, timers_, clock_);
        std::latch together(count);
        std::atomic<int> won{0};
        std::atomic<int> winner{-1};
        std::vector<std::jthread> threads;
        for (int i = 0; i < count; ++i) {
            threads.emplace_back([&, i] {
                together.arrive_and_wait();
                if (token.cancel({CancelCode::user, std::to_string(i), ""})) {
                    ++won;
                    winner = i;
                }
            });
        }
        threads.clear();
        EXPECT_EQ(won, 1);
        EXPECT_EQ(token.reason()->text, std::to_string(winner));
    }
}

TEST_F(Token, KnowsWhetherItsTimeIsLimited) {
    EXPECT_FALSE(CancellationToken{}.has_deadline());
    EXPECT_FALSE(token_.has_deadline());
    EXPECT_FALSE(token_.child().has_deadline());
    const CancellationToken limited = token_.child(1s);
    EXPECT_TRUE(limited.has_deadline());
    EXPECT_TRUE(limited.child().has_deadline()) << "by the one above";
    EXPECT_FALSE(token_.has_deadline());
}

TEST_F(Token, IsTheSameTokenInEveryCopy) {
    const CancellationToken copy = token_;
    EXPECT_EQ(copy, token_);
    copy.cancel(by_user);
    EXPECT_TRUE(token_.is_cancelled());
}

TEST_F(Token, MadeByDefaultIsNeverCancelled) {
    const CancellationToken none;
    EXPECT_FALSE(none.cancel(by_user));
    EXPECT_FALSE(none.is_cancelled());
    EXPECT_EQ(none.reason(), std::nullopt);
    EXPECT_TRUE(none.check("work").has_value());
    EXPECT_EQ(none.child(), none);
    EXPECT_THROW((void)none.child(1s), ErrorException);
    EXPECT_FALSE(none.wait_for(1ns));
}

TEST_F(Token, CheckNamesReasonAndContext) {
    token_.cancel(by_user);
    const auto error = token_.check("loading AAPL 1d, segment 3").error();
    EXPECT_EQ(error.code, Errc::cancelled);
    EXPECT_THAT(error.message, HasSubstr("loading AAPL 1d, segment 3"));
    EXPECT_THAT(error.message, HasSubstr("pressed Ctrl-C"));
    EXPECT_EQ(error.context.at("reason").as_string(), "user");
    EXPECT_EQ(error.context.at("origin").as_string(), "cli");
}

TEST_F(Token, EveryCodeHasItsWord) {
    std::vector<std::string> words;
    for (const auto code :
         {CancelCode::user, CancelCode::timeout, CancelCode::shutdown, CancelCode::parent, CancelCode::error}) {
        words.emplace_back(to_string(code));
        const auto expected = code == CancelCode::timeout ? Errc::timed_out : Errc::cancelled;
        EXPECT_EQ(cancelled_error({code, "", ""}, "work").code, expected);
    }
    EXPECT_THAT(words, ElementsAre("user", "timeout", "shutdown", "parent", "error"));
}

TEST_F(Token, CancelsItsChildrenAndTheirs) {
    const auto child = token_.child();
    const auto grandchild = child.child();
    token_.cancel(by_user);
    EXPECT_THAT(grandchild.reason(), Optional(CancelReason{CancelCode::parent, by_user.text, by_user.origin}));
    EXPECT_EQ(child.check("work").error().code, Errc::cancelled);
}

TEST_F(Token, IsNotCancelledByItsChild) {
    const auto child = token_.child();
    const auto sibling = token_.child();
    child.cancel(by_user);
    EXPECT_FALSE(token_.is_cancelled());
    EXPECT_FALSE(sibling.is_cancelled());
}

TEST_F(Token, MadeFromACancelledParentIsCancelled) {
    token_.cancel(by_user);
    EXPECT_EQ(token_.child().reason()->code, CancelCode::parent);
    EXPECT_TRUE(token_.child(1s).is_cancelled());
    EXPECT_EQ(timers_.size(), 0U);
}

TEST_F(Token, ReachesAGrandchildWhoseParentNobodyHolds) {
    const auto grandchild = token_.child().child();
    token_.cancel(by_user);
    EXPECT_TRUE(grandchild.is_cancelled());
}

TEST_F(Token, IsCancelledAndLetGoOfAtTheEndOfAChainThatIsAsLongAsSomebodyMadeIt) {
    constexpr int long_enough = 300'000;
    CancellationToken last = token_;
    for (int i = 0; i < long_enough; ++i) {
        last = last.child();
    }
    const auto registration = last.on_cancel([](const CancelReason&) {});
    token_.cancel(by_user);
    executor_.run();
    EXPECT_EQ(last.reason()->code, CancelCode::parent);
    EXPECT_EQ(last.reason()->text, by_user.text);
}

TEST_F(Token, RunsTheCallbacksOfItsChildrenBeforeItsOwn) {
    std::vector<int> order;
    const auto note = [&order](int number) {
        return [&order, number](const CancelReason&) { order.push_back(number); };
    };
    const auto first = token_.child();
    const auto second = token_.child();
    const auto below = first.child();
    const std::array registrations{token_.on_cancel(note(4)), token_.on_cancel(note(5)), second.on_cancel(note(3)),
                                   first.on_cancel(note(2)), below.on_cancel(note(1))};
    token_.cancel(by_user);
    executor_.run();
    EXPECT_THAT(order, ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(Token, KeepsItsOwnReasonWhenTheParentFollows) {
    const auto child = token_.child();
    child.cancel({CancelCode::error, "disk full", "store"});
    token_.cancel(by_user);
    EXPECT_EQ(child.reason()->code, CancelCode::error);
}

TEST_F(Token, CancelsItselfWhenItsTimeHasPassed) {
    const auto child = token_.child(5s);
    clock_.advance(5s - 1ns);
    timers_.fire();
    EXPECT_FALSE(child.is_cancelled());
    clock_.advance(1ns);
    timers_.fire();
    EXPECT_FALSE(token_.is_cancelled());
    EXPECT_EQ(child.reason()->code, CancelCode::timeout);
    const auto error = child.check("loading AAPL").error();
    EXPECT_EQ(error.code, Errc::timed_out);
    EXPECT_THAT(error.message, HasSubstr("5 s"));
}

TEST_F(Token, TakesItsTimerWithIt) {
    {
        const auto child = token_.child(5s);
        EXPECT_EQ(timers_.size(), 1U);
    }
    EXPECT_EQ(timers_.size(), 0U);
    const auto other = token_.child(5s);
    other.cancel(by_user);
    EXPECT_EQ(timers_.size(), 0U);
}

TEST_F(Token, RefusesATimeoutThatIsNotPositive) {
    EXPECT_THROW((void)token_.child(0s), ErrorException);
    EXPECT_THROW((void)token_.child(-1s), ErrorException);
}

TEST_F(Token, TakesTheLongestTimeoutAsNone) {
    const auto child = token_.child(std::chrono::nanoseconds::max());
    EXPECT_FALSE(child.is_cancelled());
    EXPECT_EQ(timers_.size(), 0U);
}

TEST_F(Token, RunsACallbackOnceOnItsExecutor) {
    std::vector<CancelReason> heard;
    const auto registration = token_.on_cancel([&](const CancelReason& reason) { heard.push_back(reason); });
    token_.cancel(by_user);
    EXPECT_TRUE(heard.empty());
    executor_.run();
    token_.cancel(by_user);
    executor_.run();
    EXPECT_THAT(heard, ElementsAre(by_user));
}

TEST_F(Token, RunsACallbackThatComesTooLateAllTheSame) {
    token_.cancel(by_user);
    int calls = 0;
    const auto registration = token_.on_cancel([&](const CancelReason&) { ++calls; });
    EXPECT_EQ(calls, 0);
    executor_.run();
    EXPECT_EQ(calls, 1);
}

TEST_F(Token, RunsNoCallbackThatWasTakenBack) {
    int calls = 0;
    auto registration = token_.on_cancel([&](const CancelReason&) { ++calls; });
    auto posted = token_.on_cancel([&](const CancelReason&) { ++calls; });
    registration.reset();
    token_.cancel(by_user);
    posted.reset();
    executor_.run();
    EXPECT_EQ(calls, 0);
}

TEST_F(Token, FreesWhatACallbackHeld) {
    const auto held = std::make_shared<int>(0);
    auto registration = token_.on_cancel([held](const CancelReason&) {});
    auto moved = std::move(registration);
    EXPECT_EQ(held.use_count(), 2);
    moved = CancelRegistration{};
    EXPECT_EQ(held.use_count(), 1);
}

TEST_F(Token, StaysAliveForARegistration) {
    int calls = 0;
    auto registration = token_.child().on_cancel([&](const CancelReason&) { ++calls; });
    token_.cancel(by_user);
    executor_.run();
    EXPECT_EQ(calls, 1);
}

TEST_F(Token, LetsACallbackEndItsOwnRegistration) {
    int calls = 0;
    CancelRegistration registration;
    registration = token_.on_cancel([&](const CancelReason&) {
        registration.reset();
        ++calls;
    });
    token_.cancel(by_user);
    executor_.run();
    EXPECT_EQ(calls, 1);
}

TEST_F(Token, DeregistrationWaitsForARunningCallback) {
    std::latch inside(1);
    std::latch let_go(1);
    std::atomic<bool> ended{false};
    auto registration = token_.on_cancel([&](const CancelReason&) {
        inside.count_down();
        let_go.wait();
        ended = true;
    });
    token_.cancel(by_user);
    std::jthread io([&] { executor_.run(); });
    inside.wait();
    std::jthread helper([&] { let_go.count_down(); });
    registration.reset();
    EXPECT_TRUE(ended);
}

TEST_F(Token, NeverRunsACallbackAfterItsRegistrationEnded) {
    for (int round = 0; round < 200; ++round) {
        const auto token = CancellationToken::create(executor_, timers_, clock_);
        auto alive = std::make_unique<std::atomic<int>>(0);
        auto registration = token.on_cancel([raw = alive.get()](const CancelReason&) { ++*raw; });
        std::latch together(2);
        std::jthread io([&] {
            together.arrive_and_wait();
            token.cancel(by_user);
            executor_.run();
        });
        together.arrive_and_wait();
        registration.reset();
        alive.reset();
    }
}

TEST_F(Token, WakesAThreadThatWaits) {
    std::latch waiting(1);
    bool woken = false;
    std::jthread waiter([&] {
        waiting.count_down();
        woken = token_.wait_for(std::chrono::nanoseconds::max());
    });
    waiting.wait();
    token_.cancel(by_user);
    waiter.join();
    EXPECT_TRUE(woken);
    EXPECT_TRUE(token_.wait_for(0s));
}

TEST_F(Token, WaitsNoLongerThanAsked) {
    EXPECT_FALSE(token_.wait_for(1ns));
}

TEST_F(Token, IsLinkedWhileTheParentIsBeingCancelled) {
    for (int round = 0; round < 200; ++round) {
        const auto parent = CancellationToken::create(executor_, timers_, clock_);
        std::latch together(2);
        std::jthread canceller([&] {
            together.arrive_and_wait();
            parent.cancel(by_user);
        });
        together.arrive_and_wait();
        const auto child = parent.child();
        canceller.join();
        EXPECT_TRUE(child.is_cancelled());
    }
}

}  // namespace
}  // namespace ktrdr
