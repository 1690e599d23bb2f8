// The pool's bookkeeping over any sequence of events.

#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "../../../cpp/http/src/pool_core.hpp"
#include "soak.hpp"

namespace ktrdr {
namespace {

using Kind = PoolAction::Kind;
using Refusal = PoolAction::Refusal;
using namespace std::chrono_literals;

/// Plays a driver with random events and checks the books after each.
class RandomDriver {
public:
    explicit RandomDriver(unsigned seed)
        : random_(seed),
          limit_(1 + random_() % 5),
          reserve_(random_() % 3),
          min_idle_(random_() % 3 == 0 ? 1 : 0),
          core_({.connections = limit_,
                 .waiters = most_waiters,
                 .reserve = reserve_,
                 .min_idle = min_idle_,
                 .idle_timeout = 30s,
                 .lifetime = 60s}) {}

    void run(std::size_t events) {
        for (std::size_t i = 0; i < events && !testing::Test::HasFailure(); ++i) {
            one_event();
            check();
        }
        for (PoolAction step = core_.close(); !step.is_nothing(); step = core_.close()) {
            carry_out(step);
        }
        EXPECT_EQ(core_.counts().idle, 0U);
        EXPECT_EQ(core_.counts().waiting, 0U);
    }

private:
    static constexpr std::size_t most_waiters = 8;

    void one_event() {
        now_ += std::chrono::milliseconds(random_() % 5 == 0 ? random_() % 20'000 : random_() % 300);
        switch (random_() % 8) {
            case 0:
            case 1: return acquire();
            case 2: return leave();
            case 3: return end_dial(true);
            case 4: return end_dial(random_() % 2 == 0);
            case 5: return give_back();
            case 6: return random_() % 9 == 0 ? core_.warm_up(random_() % 7) : tick();
            default: return random_() % 2 == 0 ? lose() : drop();
        }
    }
    void acquire() {
        owned_waiters_.push_back(std::make_unique<PoolWaiter>());
        PoolWaiter* const waiter = owned_waiters_.back().get();
        waiter->urgent = random_() % 5 == 0;
        queue_of(*waiter).push_back(waiter);
        PoolAction step = core_.acquire(*waiter, now_);
        for (; step.kind == Kind::close; step = core_.acquire(*waiter, now_)) {
            EXPECT_LE(step.member->retires, now_);
            carry_out(step);
        }
        carry_out(step);
    }
    void leave() {
        std::deque<PoolWaiter*>& queue = urgent_.empty() ? queue_ : urgent_;
        if (!queue.empty()) {
            const auto at = queue.begin() + static_cast<std::ptrdiff_t>(random_() % queue.size());
            core_.leave(**at);
            queue.erase(at);
        }
    }
    void end_dial(bool well) {
        if (PoolMember* const member = take(dialing_); member != nullptr) {
            const double chance = static_cast<double>(random_() % 1000) / 1000;
            const PoolAction step =
                well ? core_.dial_ended(*member, now_, chance) : core_.dial_failed(*member, now_, chance);
            failed_at_ = well ? SteadyTime{} : now_;
            place(member);
            carry_out(step);
        }
    }
    void give_back() {
        if (PoolMember* const member = take(active_); member != nullptr) {
            const PoolAction step = core_.release(*member, random_() % 4 != 0, now_);
            place(member);
            carry_out(step);
        }
    }
    void lose() {
        if (PoolMember* const member = take(idle_); member != nullptr) {
            carry_out(core_.lost(*member, now_, static_cast<double>(random_() % 1000) / 1000));
        }
    }
    void drop() { carry_out(core_.drop_idle(now_)); }
    void tick() {
        for (PoolAction step = core_.tick(now_); !step.is_nothing(); step = core_.tick(now_)) {
            carry_out(step);
        }
        EXPECT_TRUE(!core_.next_tick() || *core_.next_tick() > now_) << "tick has left something behind";
    }
    /// After an event the member's own state says where it went; a grant is placed by `carry_out`.
    void place(PoolMember* member) {
        if (member->state == PoolMember::State::idle) {
            idle_.push_back(member);
        }
    }
    void carry_out(const PoolAction& step) {
        if (step.dial) {
            owned_members_.push_back(std::make_unique<PoolMember>());
            core_.dial_started(*owned_members_.back());
            dialing_.push_back(owned_members_.back().get());
        }
        if (step.kind == Kind::grant) {
            EXPECT_LT(now_, step.member->retires) << "too old";
            std::erase(idle_, step.member);
            active_.push_back(step.member);
        }
        if (step.kind == Kind::grant && random_() % 8 == 0) {
            take_back(step);
            return;
        }
        if (step.kind == Kind::close) {
            std::erase(idle_, step.member);
        }
        if (step.waiter == nullptr) {
            return;
        }
        std::deque<PoolWaiter*>& queue = queue_of(*step.waiter);
        ASSERT_FALSE(queue.empty());
        if (step.refusal == Refusal::saturated) {
            EXPECT_EQ(step.waiter, queue.back());
            queue.pop_back();
        } else {
            EXPECT_EQ(step.waiter, queue.front()) << "served out of turn";
            queue.pop_front();
        }
    }
    /// What was granted turns out to be useless.
    void take_back(const PoolAction& granted) {
        EXPECT_EQ(granted.waiter, queue_of(*granted.waiter).front()) << "served out of turn";
        queue_of(*granted.waiter).pop_front();
        std::erase(active_, granted.member);
        carry_out(core_.release(*granted.member, false, now_));
        queue_of(*granted.waiter).push_front(granted.waiter);
        PoolAction step = core_.acquire(*granted.waiter, now_, PoolCore::Turn::first);
        for (; step.kind == Kind::close; step = core_.acquire(*granted.waiter, now_, PoolCore::Turn::first)) {
            carry_out(step);
        }
        carry_out(step);
    }
    std::deque<PoolWaiter*>& queue_of(const PoolWaiter& waiter) { return waiter.urgent ? urgent_ : queue_; }
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
        EXPECT_EQ(counts.waiting, queue_.size() + urgent_.size());
        EXPECT_LE(counts.open, limit_ + reserve_);
        EXPECT_LE(counts.idle, limit_);
        EXPECT_LE(queue_.size(), most_waiters);
        EXPECT_LE(urgent_.size(), most_waiters);
        EXPECT_TRUE(counts.idle == 0 || counts.waiting == 0) << "someone waits beside an idle connection";
        // Nobody may be left waiting with room for a dial and none under way or to come.
        const bool room = counts.open < (urgent_.empty() ? limit_ : limit_ + reserve_);
        const bool dialing = counts.connecting >= (room && counts.open >= limit_ ? urgent_.size() : counts.waiting);
        EXPECT_TRUE(counts.waiting == 0 || !room || dialing || core_.next_tick()) << "forgotten";
        if (core_.next_tick() && failed_at_ != SteadyTime{} && counts.idle == 0) {
            EXPECT_LE(*core_.next_tick(), failed_at_ + 1200ms) << "the pause has a limit";
        }
    }

    std::mt19937 random_;
    std::size_t limit_;
    std::size_t reserve_;
    std::size_t min_idle_;
    PoolCore core_;
    SteadyTime now_{1h};
    SteadyTime failed_at_{};
    std::vector<std::unique_ptr<PoolWaiter>> owned_waiters_{};
    std::vector<std::unique_ptr<PoolMember>> owned_members_{};
    std::deque<PoolWaiter*> queue_{};
    std::deque<PoolWaiter*> urgent_{};
    std::vector<PoolMember*> dialing_{};
    std::vector<PoolMember*> active_{};
    std::vector<PoolMember*> idle_{};
};

TEST(PoolCore, KeepsItsBooksOverAnySequenceOfEvents) {
    // One failing sequence is played again with KTRDR_TEST_SEED.
    const char* const replay = std::getenv("KTRDR_TEST_SEED");
    const unsigned first = replay != nullptr ? static_cast<unsigned>(std::stoul(replay)) : 1;
    const unsigned last = replay != nullptr ? first : static_cast<unsigned>(soak_count(250, 2500));
    for (unsigned seed = first; seed <= last && !HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "KTRDR_TEST_SEED=" << seed);
        RandomDriver(seed).run(400);
    }
}

}  // namespace
}  // namespace ktrdr
