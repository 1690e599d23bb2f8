#include "../../../cpp/data/src/request_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include <ktrdr/base/clock.hpp>

#include "executors.hpp"

namespace ktrdr {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::SizeIs;

/// Loads that wait for turns; each is written down when it comes, and kept until the test lets it go.
class RequestQueueTest : public testing::Test {
protected:
    using Turn = std::shared_ptr<RequestQueue::Turn>;

    std::shared_ptr<RequestQueue::Member> join() { return queue_->join(); }

    void ask(const std::string& name, std::uint64_t load, std::size_t times, int priority = 0, std::size_t most = 3,
             CancellationToken token = {}) {
        for (std::size_t i = 0; i < times; ++i) {
            asio::co_spawn(io_, wait(name, {load, priority, most}, token), asio::detached);
        }
        run();
    }

    asio::awaitable<void> wait(std::string name, Asker asker, CancellationToken token) {
        auto turn = co_await queue_->enter(asker, token);
        if (turn) {
            order_.push_back(name);
            held_.push_back(std::move(*turn));
        } else {
            refused_.push_back(turn.error());
        }
    }

    void run() {
        io_.restart();
        io_.poll();
    }

    /// End the oldest request that is under way.
    void end_one() {
        held_.erase(held_.begin());
        run();
    }

    void end_all() {
        while (!held_.empty()) {
            end_one();
        }
    }

    ManualClock clock_{};
    asio::io_context io_{1};
    IoExecutor io_executor_{io_};
    ManualTimerQueue timers_{clock_};
    std::shared_ptr<RequestQueue> queue_ = std::make_shared<RequestQueue>();
    std::vector<std::string> order_{};
    std::vector<Turn> held_{};
    std::vector<Error> refused_{};
};

TEST_F(RequestQueueTest, BeginsWithThreeAtATime) {
    const auto load = join();
    ask("one", load->load(), 5, 0, 10);
    EXPECT_EQ(queue_->under_way(), 3U);
    EXPECT_EQ(queue_->waiting(), 2U);
    end_all();
    EXPECT_EQ(order_.size(), 5U);
    EXPECT_EQ(queue_->under_way(), 0U);
}

TEST_F(RequestQueueTest, NeverHasMoreUnderWayThanTheSourceTakes) {
    const auto minutes = join();
    const auto days = join();
    ask("minutes", minutes->load(), 4, 0, 1);
    EXPECT_EQ(queue_->under_way(), 1U);
    ask("days", days->load(), 4, 0, 2);
    EXPECT_EQ(queue_->under_way(), 2U);
    for (int i = 0; i < 20; ++i) {
        held_.back()->was_fast();
    }
    run();
    EXPECT_EQ(queue_->at_once(), 3U) << "the number it begins with is no reason to ask for more";
    EXPECT_EQ(queue_->under_way(), 2U);
    end_all();
    EXPECT_EQ(order_.size(), 8U);
}

TEST_F(RequestQueueTest, HasOneMoreForEachFastAnswerUpToTheSourcesLimit) {
    const auto load = join();
    ask("one", load->load(), 20, 0, 6);
    for (const std::size_t now : {4U, 5U, 6U, 6U, 6U}) {
        held_.front()->was_fast();
        run();
        EXPECT_EQ(queue_->at_once(), now);
        EXPECT_EQ(queue_->under_way(), now);
    }
    end_all();
}

TEST_F(RequestQueueTest, HasHalfAsManyAfterASlowAnswerOnceForThoseThatWereUnderWayTogether) {
    const auto load = join();
    ask("one", load->load(), 40, 0, 8);
    for (int i = 0; i < 5; ++i) {
        held_.front()->was_fast();
        run();
    }
    ASSERT_EQ(queue_->under_way(), 8U);
    for (const Turn& turn : std::vector(held_)) {
        turn->was_slow();
    }
    EXPECT_EQ(queue_->at_once(), 4U);
    for (int i = 0; i < 8; ++i) {
        end_one();
    }
    EXPECT_EQ(queue_->under_way(), 4U);
    held_.back()->was_slow();
    EXPECT_EQ(queue_->at_once(), 2U) << "these were sent since";
    end_all();
    const auto last = join();
    for (int i = 0; i < 9; ++i) {
        ask("one", last->load(), 1, 0, 8);
        held_.back()->was_slow();
        end_all();
    }
    EXPECT_EQ(queue_->at_once(), 1U) << "never none";
}

TEST_F(RequestQueueTest, ServesALoadOfTwoBeforeOneOfTwoHundredIsThrough) {
    const auto many = join();
    const auto few = join();
    ask("many", many->load(), 200);
    ask("few", few->load(), 2);
    for (int i = 0; i < 4; ++i) {
        end_one();
    }
    EXPECT_THAT(order_, ElementsAre("many", "many", "many", "few", "many", "few", "many"));
    end_all();
    EXPECT_EQ(order_.size(), 202U);
}

TEST_F(RequestQueueTest, ServesLoadsThatComeBackForEachRequestInTurn) {
    const auto a = join();
    const auto b = join();
    const auto c = join();
    ask("a", a->load(), 30, 0, 1);
    ask("b", b->load(), 1, 0, 1);
    ask("c", c->load(), 1, 0, 1);
    for (int i = 0; i < 12; ++i) {
        const std::string last = order_.back();
        end_one();
        if (last != "a") {
            ask(last, last == "b" ? b->load() : c->load(), 1, 0, 1);
        }
    }
    for (const std::string name : {"a", "b", "c"}) {
        EXPECT_GE(std::count(order_.begin(), order_.end(), name), 4) << name;
    }
    end_all();
}

TEST_F(RequestQueueTest, ServesTheHigherPriorityFirst) {
    const auto usual = join();
    const auto urgent = join();
    ask("usual", usual->load(), 10);
    ask("urgent", urgent->load(), 5, 1);
    end_all();
    EXPECT_THAT(order_, ElementsAre("usual", "usual", "usual", "urgent", "urgent", "urgent", "urgent", "urgent",
                                    "usual", "usual", "usual", "usual", "usual", "usual", "usual"));
}

TEST_F(RequestQueueTest, KeepsTurnsForLanesOfAHigherPriorityThatAreAboutToAsk) {
    const auto usual = join();
    const auto lower = join();
    const Asker asker{usual->load(), 0, 3};
    auto one = std::make_unique<RequestQueue::Lane>(queue_, asker);
    auto two = std::make_unique<RequestQueue::Lane>(queue_, asker);
    ask("lower", lower->load(), 4, -1);
    EXPECT_THAT(order_, ElementsAre("lower")) << "two of the three turns are kept";
    ask("usual", usual->load(), 2);
    EXPECT_THAT(order_, ElementsAre("lower", "usual", "usual"));
    // One request of the usual load ends, and its lane stores what came.
    held_.erase(held_.begin() + 1);
    run();
    EXPECT_THAT(order_, SizeIs(3));
    two->pause();
    run();
    EXPECT_THAT(order_, ElementsAre("lower", "usual", "usual", "lower")) << "it waits for the other load";
    two->resume();
    one.reset();
    two.reset();
    run();
    end_all();
    EXPECT_THAT(order_, SizeIs(6));
}

TEST_F(RequestQueueTest, KeepsNoTurnForLanesOfTheSamePriority) {
    const auto usual = join();
    const auto other = join();
    const RequestQueue::Lane lane(queue_, {usual->load(), 0, 3});
    ask("other", other->load(), 3);
    EXPECT_THAT(order_, SizeIs(3));
    end_all();
}

TEST_F(RequestQueueTest, LetsWhoIsCancelledGoAndLosesNoTurn) {
    const auto load = join();
    ask("one", load->load(), 3);
    auto source = CancellationToken::create(io_executor_, timers_, clock_);
    ask("cancelled", load->load(), 4, 0, 3, source);
    (void)source.cancel({.text = "enough"});
    run();
    ASSERT_EQ(refused_.size(), 4U);
    EXPECT_EQ(refused_[0].code, Errc::cancelled);
    EXPECT_EQ(queue_->waiting(), 0U);
    ask("cancelled", load->load(), 1, 0, 3, source);
    EXPECT_EQ(refused_.size(), 5U) << "at once";
    ask("other", load->load(), 1);
    end_all();
    EXPECT_EQ(order_, (std::vector<std::string>{"one", "one", "one", "other"}));
    EXPECT_EQ(queue_->under_way(), 0U);
}

}  // namespace
}  // namespace ktrdr
