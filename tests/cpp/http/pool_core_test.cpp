#include "../../../cpp/http/src/pool_core.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace ktrdr {
namespace {

using Kind = PoolStep::Kind;
using Refusal = PoolStep::Refusal;
using namespace std::chrono_literals;

constexpr SteadyTime start{};

PoolCore make_core(std::size_t connections, std::size_t waiters = 100, std::chrono::nanoseconds idle = 30s) {
    return PoolCore({.connections = connections, .waiters = waiters, .idle_timeout = idle});
}

/// Dial for `waiter` and let it have the connection.
void open_for(PoolCore& core, PoolWaiter& waiter, PoolMember& member) {
    ASSERT_TRUE(core.acquire(waiter).dial);
    core.dial_started(member);
    const PoolStep step = core.dial_ended(member, start);
    ASSERT_EQ(step.kind, Kind::grant);
    ASSERT_EQ(step.waiter, &waiter);
}

TEST(PoolCore, DialsForTheFirstWaiterAndGrantsWhenTheDialEnds) {
    PoolCore core = make_core(2);
    PoolWaiter waiter;
    PoolMember member;
    const PoolStep asked = core.acquire(waiter);
    EXPECT_EQ(asked.kind, Kind::none);
    EXPECT_TRUE(asked.dial);
    core.dial_started(member);
    EXPECT_EQ(core.counts().connecting, 1U);
    const PoolStep ended = core.dial_ended(member, start);
    EXPECT_EQ(ended.kind, Kind::grant);
    EXPECT_EQ(ended.member, &member);
    EXPECT_EQ(member.state, PoolMember::State::active);
    EXPECT_EQ(core.counts().active, 1U);
}

TEST(PoolCore, NeverDialsPastTheLimit) {
    PoolCore core = make_core(2);
    std::vector<PoolWaiter> waiters(4);
    EXPECT_TRUE(core.acquire(waiters[0]).dial);
    EXPECT_TRUE(core.acquire(waiters[1]).dial);
    EXPECT_FALSE(core.acquire(waiters[2]).dial);
    EXPECT_FALSE(core.acquire(waiters[3]).dial);
    while (core.close().kind != Kind::none) {
    }
}

TEST(PoolCore, DialsNoMoreThanThereAreWaiters) {
    PoolCore core = make_core(5);
    PoolWaiter first;
    PoolWaiter second;
    PoolMember member;
    EXPECT_TRUE(core.acquire(first).dial);
    core.dial_started(member);
    core.leave(first);
    EXPECT_FALSE(core.acquire(second).dial) << "the dial under way serves the one who waits now";
    EXPECT_EQ(core.dial_ended(member, start).waiter, &second);
    EXPECT_EQ(core.release(member, false, start).kind, Kind::close);
}

TEST(PoolCore, KeepsTheConnectionOfADialNobodyWaitsForAnyMore) {
    PoolCore core = make_core(1);
    PoolWaiter waiter;
    PoolMember member;
    EXPECT_TRUE(core.acquire(waiter).dial);
    core.dial_started(member);
    core.leave(waiter);
    EXPECT_EQ(core.dial_ended(member, start).kind, Kind::none);
    EXPECT_EQ(member.state, PoolMember::State::idle);
    EXPECT_EQ(core.close().member, &member);
}

TEST(PoolCore, HandsAReleasedConnectionToTheFrontWaiter) {
    PoolCore core = make_core(1);
    PoolWaiter holder;
    PoolMember member;
    open_for(core, holder, member);
    std::vector<PoolWaiter> waiters(3);
    for (PoolWaiter& waiter : waiters) {
        EXPECT_FALSE(core.acquire(waiter).dial);
    }
    for (PoolWaiter& waiter : waiters) {
        const PoolStep step = core.release(member, true, start);
        EXPECT_EQ(step.kind, Kind::grant);
        EXPECT_EQ(step.member, &member);
        EXPECT_EQ(step.waiter, &waiter);
    }
    EXPECT_EQ(core.release(member, false, start).kind, Kind::close);
}

TEST(PoolCore, PrefersTheConnectionThatCameBackLast) {
    PoolCore core = make_core(2);
    PoolWaiter a;
    PoolWaiter b;
    PoolMember first;
    PoolMember second;
    open_for(core, a, first);
    open_for(core, b, second);
    EXPECT_EQ(core.release(first, true, start).kind, Kind::none);
    EXPECT_EQ(core.release(second, true, start + 1s).kind, Kind::none);
    EXPECT_EQ(core.acquire(a).member, &second);
    EXPECT_EQ(core.acquire(b).member, &first);
    EXPECT_EQ(core.release(first, false, start).kind, Kind::close);
    EXPECT_EQ(core.release(second, false, start).kind, Kind::close);
}

TEST(PoolCore, DialsAgainWhenAConnectionIsLostWhileOthersWait) {
    PoolCore core = make_core(1);
    PoolWaiter holder;
    PoolWaiter next;
    PoolMember member;
    open_for(core, holder, member);
    EXPECT_FALSE(core.acquire(next).dial);
    const PoolStep step = core.release(member, false, start);
    EXPECT_EQ(step.kind, Kind::close);
    EXPECT_TRUE(step.dial);
    PoolMember fresh;
    core.dial_started(fresh);
    EXPECT_EQ(core.dial_ended(fresh, start).waiter, &next);
    EXPECT_EQ(core.release(fresh, false, start).kind, Kind::close);
}

TEST(PoolCore, AFailedDialFailsTheFrontWaiterAndDialsForTheNext) {
    PoolCore core = make_core(1);
    PoolWaiter front;
    PoolWaiter behind;
    PoolMember member;
    EXPECT_TRUE(core.acquire(front).dial);
    core.dial_started(member);
    EXPECT_FALSE(core.acquire(behind).dial);
    const PoolStep step = core.dial_failed(member);
    EXPECT_EQ(step.kind, Kind::fail);
    EXPECT_EQ(step.waiter, &front);
    EXPECT_EQ(step.refusal, Refusal::dial);
    EXPECT_TRUE(step.dial);
    EXPECT_EQ(core.close().waiter, &behind);
}

TEST(PoolCore, RefusesAtOnceWhenTheQueueIsFull) {
    PoolCore core = make_core(1, 1);
    PoolWaiter first;
    PoolWaiter second;
    EXPECT_TRUE(core.acquire(first).dial);
    const PoolStep step = core.acquire(second);
    EXPECT_EQ(step.kind, Kind::fail);
    EXPECT_EQ(step.refusal, Refusal::saturated);
    EXPECT_FALSE(core.is_waiting(second));
    core.leave(first);
}

TEST(PoolCore, ClosesIdleConnectionsOldestFirstWhenTheirTimeIsOver) {
    PoolCore core = make_core(2);
    PoolWaiter a;
    PoolWaiter b;
    PoolMember first;
    PoolMember second;
    open_for(core, a, first);
    open_for(core, b, second);
    EXPECT_FALSE(core.next_expiry());
    EXPECT_EQ(core.release(first, true, start).kind, Kind::none);
    EXPECT_EQ(core.release(second, true, start + 10s).kind, Kind::none);
    EXPECT_EQ(core.next_expiry(), start + 30s);
    EXPECT_EQ(core.expire(start + 29s).kind, Kind::none);
    EXPECT_EQ(core.expire(start + 30s).member, &first);
    EXPECT_EQ(core.expire(start + 30s).kind, Kind::none);
    EXPECT_EQ(core.expire(start + 40s).member, &second);
    EXPECT_EQ(core.counts().open, 0U);
}

TEST(PoolCore, KeepsNothingWhenTheIdleTimeIsZero) {
    PoolCore core = make_core(1, 1, 0s);
    PoolWaiter waiter;
    PoolMember member;
    open_for(core, waiter, member);
    EXPECT_EQ(core.release(member, true, start).kind, Kind::close);
    EXPECT_EQ(core.counts().open, 0U);
}

TEST(PoolCore, OnceClosedFailsWaitersDropsIdleAndTakesNothingBack) {
    PoolCore core = make_core(2);
    PoolWaiter a;
    PoolWaiter b;
    PoolMember first;
    PoolMember second;
    open_for(core, a, first);
    open_for(core, b, second);
    EXPECT_EQ(core.release(first, true, start).kind, Kind::none);
    EXPECT_EQ(core.close().member, &first);
    EXPECT_EQ(core.close().kind, Kind::none);
    EXPECT_EQ(core.release(second, true, start).kind, Kind::close);
    const PoolStep refused = core.acquire(a);
    EXPECT_EQ(refused.kind, Kind::fail);
    EXPECT_EQ(refused.refusal, Refusal::closed);
}

/// Plays a driver with random events and checks the books after each.
class RandomDriver {
public:
    explicit RandomDriver(unsigned seed) : random_(seed), limit_(1 + random_() % 5), core_(make_core(limit_, 8, 30s)) {}

    void run(std::size_t events) {
        for (std::size_t i = 0; i < events && !testing::Test::HasFailure(); ++i) {
            one_event();
            check();
        }
        for (PoolStep step = core_.close(); step.kind != Kind::none; step = core_.close()) {
            carry_out(step);
        }
    }

private:
    void one_event() {
        now_ += std::chrono::seconds(random_() % 5);
        switch (random_() % 7) {
            case 0:
            case 1: return acquire();
            case 2: return leave();
            case 3: return end_dial(true);
            case 4: return end_dial(random_() % 2 == 0);
            case 5: return give_back();
            default: return random_() % 2 == 0 ? lose() : expire();
        }
    }
    void acquire() {
        owned_waiters_.push_back(std::make_unique<PoolWaiter>());
        PoolWaiter* const waiter = owned_waiters_.back().get();
        queue_.push_back(waiter);
        carry_out(core_.acquire(*waiter));
    }
    void leave() {
        if (!queue_.empty()) {
            const auto at = queue_.begin() + static_cast<std::ptrdiff_t>(random_() % queue_.size());
            core_.leave(**at);
            queue_.erase(at);
        }
    }
    void end_dial(bool well) {
        if (PoolMember* const member = take(dialing_); member != nullptr) {
            const PoolStep step = well ? core_.dial_ended(*member, now_) : core_.dial_failed(*member);
            place(member);
            carry_out(step);
        }
    }
    void give_back() {
        if (PoolMember* const member = take(active_); member != nullptr) {
            const PoolStep step = core_.release(*member, random_() % 4 != 0, now_);
            place(member);
            carry_out(step);
        }
    }
    void lose() {
        if (PoolMember* const member = take(idle_); member != nullptr) {
            carry_out(core_.lost(*member));
        }
    }
    void expire() {
        const PoolStep step = core_.expire(now_);
        if (step.kind == Kind::close) {
            std::erase(idle_, step.member);
        }
        carry_out(step);
    }
    /// After an event the member's own state says where it went; a grant is placed by `carry_out`.
    void place(PoolMember* member) {
        if (member->state == PoolMember::State::idle) {
            idle_.push_back(member);
        }
    }
    void carry_out(const PoolStep& step) {
        if (step.dial) {
            owned_members_.push_back(std::make_unique<PoolMember>());
            core_.dial_started(*owned_members_.back());
            dialing_.push_back(owned_members_.back().get());
        }
        if (step.kind == Kind::grant) {
            std::erase(idle_, step.member);
            active_.push_back(step.member);
        }
        if (step.kind == Kind::close) {
            std::erase(idle_, step.member);
        }
        if (step.waiter != nullptr && step.refusal == Refusal::saturated) {
            EXPECT_EQ(step.waiter, queue_.back());
            queue_.pop_back();
        } else if (step.waiter != nullptr) {
            ASSERT_FALSE(queue_.empty());
            EXPECT_EQ(step.waiter, queue_.front()) << "served out of turn";
            queue_.pop_front();
        }
    }
    PoolMember* take(std::vector<PoolMember*>& from) {
        if (from.empty()) {
            return nullptr;
        }
        const std::size_t at = random_() % from.size();
        PoolMember* const member = from[at];
        from.erase(from.begin() + static_cast<std::ptrdiff_t>(at));
        return member;
    }
    void check() {
        const PoolCore::Counts counts = core_.counts();
        EXPECT_EQ(counts.open, counts.idle + counts.active + counts.connecting);
        EXPECT_EQ(counts.idle, idle_.size());
        EXPECT_EQ(counts.active, active_.size());
        EXPECT_EQ(counts.connecting, dialing_.size());
        EXPECT_EQ(counts.waiting, queue_.size());
        EXPECT_LE(counts.open, limit_);
        EXPECT_LE(counts.waiting, 8U);
        EXPECT_TRUE(counts.idle == 0 || counts.waiting == 0) << "someone waits beside an idle connection";
        // Nobody may be left waiting with room for a dial and none under way.
        EXPECT_TRUE(counts.waiting == 0 || counts.open == limit_ || counts.connecting >= counts.waiting);
    }

    std::mt19937 random_;
    std::size_t limit_;
    PoolCore core_;
    SteadyTime now_{};
    std::vector<std::unique_ptr<PoolWaiter>> owned_waiters_{};
    std::vector<std::unique_ptr<PoolMember>> owned_members_{};
    std::deque<PoolWaiter*> queue_{};
    std::vector<PoolMember*> dialing_{};
    std::vector<PoolMember*> active_{};
    std::vector<PoolMember*> idle_{};
};

TEST(PoolCore, KeepsItsBooksOverAnySequenceOfEvents) {
    // One failing sequence is played again with KTRDR_TEST_SEED.
    const char* const replay = std::getenv("KTRDR_TEST_SEED");
    const unsigned first = replay != nullptr ? static_cast<unsigned>(std::stoul(replay)) : 1;
    const unsigned last = replay != nullptr ? first : 300;
    for (unsigned seed = first; seed <= last && !HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "KTRDR_TEST_SEED=" << seed);
        RandomDriver(seed).run(400);
    }
}

}  // namespace
}  // namespace ktrdr
