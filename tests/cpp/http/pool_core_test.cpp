#include "../../../cpp/http/src/pool_core.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <vector>

namespace ktrdr {
namespace {

using Kind = PoolAction::Kind;
using Refusal = PoolAction::Refusal;
using namespace std::chrono_literals;

constexpr SteadyTime start{};
/// A chance that spreads nothing.
constexpr double middle = 0.5;

PoolCore make_core(std::size_t connections, std::size_t waiters = 100, std::chrono::nanoseconds idle = 30s) {
    return PoolCore({.connections = connections, .waiters = waiters, .idle_timeout = idle, .lifetime = 10min});
}

/// Dial for `waiter` and let it have the connection.
void open_for(PoolCore& core, PoolWaiter& waiter, PoolMember& member) {
    ASSERT_TRUE(core.acquire(waiter, start).dial);
    core.dial_started(member);
    const PoolAction step = core.dial_ended(member, start, middle);
    ASSERT_EQ(step.kind, Kind::grant);
    ASSERT_EQ(step.waiter, &waiter);
}

TEST(PoolCore, DialsForTheFirstWaiterAndGrantsWhenTheDialEnds) {
    PoolCore core = make_core(2);
    PoolWaiter waiter;
    PoolMember member;
    const PoolAction asked = core.acquire(waiter, start);
    EXPECT_EQ(asked.kind, Kind::none);
    EXPECT_TRUE(asked.dial);
    core.dial_started(member);
    EXPECT_EQ(core.counts().connecting, 1U);
    const PoolAction ended = core.dial_ended(member, start, middle);
    EXPECT_EQ(ended.kind, Kind::grant);
    EXPECT_EQ(ended.member, &member);
    EXPECT_EQ(member.state, PoolMember::State::active);
    EXPECT_EQ(core.counts().active, 1U);
}

TEST(PoolCore, NeverDialsPastTheLimit) {
    PoolCore core = make_core(2);
    std::vector<PoolWaiter> waiters(4);
    EXPECT_TRUE(core.acquire(waiters[0], start).dial);
    EXPECT_TRUE(core.acquire(waiters[1], start).dial);
    EXPECT_FALSE(core.acquire(waiters[2], start).dial);
    EXPECT_FALSE(core.acquire(waiters[3], start).dial);
    while (core.close().kind != Kind::none) {
    }
}

TEST(PoolCore, DialsNoMoreThanThereAreWaiters) {
    PoolCore core = make_core(5);
    PoolWaiter first;
    PoolWaiter second;
    PoolMember member;
    EXPECT_TRUE(core.acquire(first, start).dial);
    core.dial_started(member);
    core.leave(first);
    EXPECT_FALSE(core.acquire(second, start).dial) << "the dial under way serves the one who waits now";
    EXPECT_EQ(core.dial_ended(member, start, middle).waiter, &second);
    EXPECT_EQ(core.release(member, false, start).kind, Kind::close);
}

TEST(PoolCore, KeepsTheConnectionOfADialNobodyWaitsForAnyMore) {
    PoolCore core = make_core(1);
    PoolWaiter waiter;
    PoolMember member;
    EXPECT_TRUE(core.acquire(waiter, start).dial);
    core.dial_started(member);
    core.leave(waiter);
    EXPECT_EQ(core.dial_ended(member, start, middle).kind, Kind::none);
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
        EXPECT_FALSE(core.acquire(waiter, start).dial);
    }
    for (PoolWaiter& waiter : waiters) {
        const PoolAction step = core.release(member, true, start);
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
    EXPECT_EQ(core.acquire(a, start).member, &second);
    EXPECT_EQ(core.acquire(b, start).member, &first);
    EXPECT_EQ(core.release(first, false, start).kind, Kind::close);
    EXPECT_EQ(core.release(second, false, start).kind, Kind::close);
}

TEST(PoolCore, DialsAgainWhenAConnectionIsLostWhileOthersWait) {
    PoolCore core = make_core(1);
    PoolWaiter holder;
    PoolWaiter next;
    PoolMember member;
    open_for(core, holder, member);
    EXPECT_FALSE(core.acquire(next, start).dial);
    const PoolAction step = core.release(member, false, start);
    EXPECT_EQ(step.kind, Kind::close);
    EXPECT_TRUE(step.dial);
    PoolMember fresh;
    core.dial_started(fresh);
    EXPECT_EQ(core.dial_ended(fresh, start, middle).waiter, &next);
    EXPECT_EQ(core.release(fresh, false, start).kind, Kind::close);
}

TEST(PoolCore, AFailedDialFailsTheFrontWaiterAndPausesBeforeTheNext) {
    PoolCore core = make_core(1);
    PoolWaiter front;
    PoolWaiter behind;
    PoolMember member;
    EXPECT_TRUE(core.acquire(front, start).dial);
    core.dial_started(member);
    EXPECT_FALSE(core.acquire(behind, start).dial);
    const PoolAction step = core.dial_failed(member, start, middle);
    EXPECT_EQ(step.kind, Kind::fail);
    EXPECT_EQ(step.waiter, &front);
    EXPECT_EQ(step.refusal, Refusal::dial);
    EXPECT_FALSE(step.dial);
    EXPECT_EQ(core.next_tick(), start + 100ms);
    EXPECT_TRUE(core.tick(start + 99ms).is_nothing());
    EXPECT_TRUE(core.tick(start + 100ms).dial);
    EXPECT_EQ(core.close().waiter, &behind);
}

/// When the pool dials again after one more failure at `now`.
SteadyTime after_failure(PoolCore& core, PoolMember& member, SteadyTime now, double chance) {
    core.dial_started(member);
    EXPECT_EQ(core.dial_failed(member, now, chance).kind, Kind::fail);
    return core.next_tick().value_or(SteadyTime{});
}

TEST(PoolCore, PausesLongerAfterEachFailureUpToALimitAndFromTheStartAfterASuccess) {
    PoolCore core = make_core(1);
    std::vector<PoolWaiter> waiters(10);
    std::vector<PoolMember> members(10);
    for (PoolWaiter& waiter : waiters) {
        (void)core.acquire(waiter, start);
    }
    SteadyTime now = start;
    const std::array pauses{100ms, 160ms, 256ms, 409ms, 655ms, 1000ms, 1000ms};
    for (std::size_t i = 0; i < pauses.size(); ++i) {
        const SteadyTime next = after_failure(core, members[i], now, middle);
        EXPECT_EQ(std::chrono::floor<std::chrono::milliseconds>(next - now), pauses[i]);
        now = next;
        EXPECT_TRUE(core.tick(now).dial);
    }
    core.dial_started(members[7]);
    EXPECT_EQ(core.dial_ended(members[7], now, middle).waiter, &waiters[7]);
    EXPECT_TRUE(core.release(members[7], false, now).dial);
    EXPECT_EQ(after_failure(core, members[8], now, 0.0), now + 80ms);
    EXPECT_TRUE(core.tick(now + 80ms).dial);
    EXPECT_LT(after_failure(core, members[9], now + 80ms, 0.999), now + 80ms + 192ms);
}

TEST(PoolCore, DialsThatFailTogetherPauseOnce) {
    PoolCore core = make_core(3);
    std::vector<PoolWaiter> waiters(4);
    std::vector<PoolMember> members(3);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(core.acquire(waiters[i], start).dial);
        core.dial_started(members[i]);
    }
    (void)core.acquire(waiters[3], start);
    for (PoolMember& member : members) {
        EXPECT_EQ(core.dial_failed(member, start + 1ms, middle).kind, Kind::fail);
    }
    EXPECT_EQ(core.next_tick(), start + 101ms);
    core.leave(waiters[3]);
    EXPECT_FALSE(core.next_tick()) << "nobody waits for a dial";
}

TEST(PoolCore, ServesTheUrgentFirstAndFromAReserveThatNobodyElseGets) {
    PoolCore core({.connections = 1, .waiters = 9, .reserve = 1, .idle_timeout = 30s});
    PoolWaiter holder;
    PoolWaiter patient;
    PoolWaiter stop;
    PoolWaiter health;
    stop.urgent = health.urgent = true;
    PoolMember member;
    PoolMember extra;
    open_for(core, holder, member);
    EXPECT_FALSE(core.acquire(patient, start).dial);
    EXPECT_TRUE(core.acquire(stop, start).dial);
    EXPECT_FALSE(core.acquire(health, start).dial) << "the reserve is one";
    core.dial_started(extra);
    EXPECT_EQ(core.dial_ended(extra, start, middle).waiter, &stop);
    EXPECT_EQ(core.release(extra, true, start).waiter, &health);
    EXPECT_EQ(core.release(extra, true, start).kind, Kind::close) << "the patient one may not have it";
    EXPECT_EQ(core.release(member, true, start).waiter, &patient);
    EXPECT_EQ(core.release(member, false, start).kind, Kind::close);
}

TEST(PoolCore, AnUrgentWaiterTakesAnOrdinaryConnectionThatComesBack) {
    PoolCore core({.connections = 1, .waiters = 9, .reserve = 0, .idle_timeout = 30s});
    PoolWaiter holder;
    PoolWaiter patient;
    PoolWaiter stop;
    stop.urgent = true;
    PoolMember member;
    open_for(core, holder, member);
    (void)core.acquire(patient, start);
    (void)core.acquire(stop, start);
    EXPECT_EQ(core.release(member, true, start).waiter, &stop);
    EXPECT_EQ(core.release(member, true, start).waiter, &patient);
    EXPECT_EQ(core.release(member, false, start).kind, Kind::close);
}

TEST(PoolCore, RetiresConnectionsByAge) {
    PoolCore core = make_core(2, 9, 1h);
    PoolWaiter waiter;
    PoolMember member;
    ASSERT_TRUE(core.acquire(waiter, start).dial);
    core.dial_started(member);
    EXPECT_EQ(core.dial_ended(member, start, 0.0).kind, Kind::grant);
    EXPECT_EQ(member.retires, start + 9min) << "10 % earlier";
    EXPECT_EQ(core.release(member, true, start + 9min - 1ms).kind, Kind::none);
    EXPECT_EQ(core.next_tick(), start + 9min);
    const PoolAction old = core.acquire(waiter, start + 9min);
    EXPECT_EQ(old.kind, Kind::close);
    EXPECT_EQ(old.member, &member);
    EXPECT_TRUE(core.acquire(waiter, start + 9min).dial) << "asked again";
    PoolMember fresh;
    core.dial_started(fresh);
    EXPECT_EQ(core.dial_ended(fresh, start + 9min, middle).kind, Kind::grant);
    EXPECT_EQ(core.release(fresh, true, start + 1h).kind, Kind::close) << "too old when it came back";
}

TEST(PoolCore, KeepsSomeConnectionsIdleAndReplacesThem) {
    PoolCore core({.connections = 3, .waiters = 9, .min_idle = 2, .idle_timeout = 30s});
    std::vector<PoolMember> members(4);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(core.tick(start).dial);
        core.dial_started(members[i]);
    }
    EXPECT_TRUE(core.tick(start).is_nothing());
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_TRUE(core.dial_ended(members[i], start, middle).is_nothing());
    }
    PoolWaiter waiter;
    const PoolAction taken = core.acquire(waiter, start);
    EXPECT_EQ(taken.member, &members[1]);
    EXPECT_TRUE(taken.dial) << "for the one that was taken";
    core.dial_started(members[2]);
    (void)core.dial_ended(members[2], start, middle);
    EXPECT_EQ(core.release(members[1], false, start).kind, Kind::close);
    const PoolAction lost = core.lost(members[0], start + 5s, middle);
    EXPECT_EQ(lost.kind, Kind::close);
    EXPECT_TRUE(lost.dial);
    core.dial_started(members[3]);
    (void)core.dial_ended(members[3], start, middle);
    while (!core.close().is_nothing()) {
    }
}

/// Dials for the one that is kept ready, at the moment it is due, and loses it again `after` that; when it was due.
SteadyTime lose_the_ready_one(PoolCore& core, PoolMember& member, std::chrono::nanoseconds after, double chance) {
    const SteadyTime due = core.next_tick().value();
    EXPECT_TRUE(core.tick(due - 1ns).is_nothing());
    EXPECT_TRUE(core.tick(due).dial);
    core.dial_started(member);
    (void)core.dial_ended(member, due, chance);
    EXPECT_EQ(core.lost(member, due + after, chance).kind, Kind::close);
    return due;
}

TEST(PoolCore, WaitsLongerEachTimeForTheReadyOneWhereThatIsLostAsSoonAsItIsThere) {
    for (const double chance : {0.0, middle, 0.99}) {
        PoolCore core({.connections = 3, .waiters = 9, .min_idle = 1, .idle_timeout = 30s});
        std::deque<PoolMember> members;
        SteadyTime before = lose_the_ready_one(core, members.emplace_back(), 0ns, chance);
        std::vector<double> pauses;
        for (int i = 0; i < 8; ++i) {
            const SteadyTime due = lose_the_ready_one(core, members.emplace_back(), 0ns, chance);
            pauses.push_back(std::chrono::duration<double, std::milli>(due - before).count());
            before = due;
        }
        const double part = 1 + 0.2 * (2 * chance - 1);
        EXPECT_NEAR(pauses[0], 100 * part, 0.01);
        EXPECT_NEAR(pauses[1], 160 * part, 0.01);
        EXPECT_NEAR(pauses.back(), 1000 * part, 0.01) << "and not for ever longer";
    }
}

TEST(PoolCore, MakesTheReadyOneAnewAtOnceWhereItHasServedOrLainForLong) {
    PoolCore core({.connections = 3, .waiters = 9, .min_idle = 1, .idle_timeout = 30s});
    std::deque<PoolMember> members;
    const SteadyTime due = start + 5s;
    EXPECT_TRUE(core.tick(start).dial);
    for (const SteadyTime made : {start, due}) {
        core.dial_started(members.emplace_back());
        (void)core.dial_ended(members.back(), made, middle);
        EXPECT_EQ(core.lost(members.back(), due, middle).dial, made == start) << "it has lain for long";
    }
    EXPECT_EQ(core.next_tick(), due + 100ms);
    PoolWaiter waiter;
    EXPECT_TRUE(core.acquire(waiter, due).dial) << "whoever waits for one does not wait for that";
    core.dial_started(members.emplace_back());
    EXPECT_EQ(core.dial_ended(members.back(), due, middle).kind, Kind::grant);
    EXPECT_TRUE(core.release(members.back(), true, due).is_nothing());
    EXPECT_FALSE(core.lost(members.back(), due, middle).dial) << "the pause is not over";
    EXPECT_EQ(core.next_tick(), due + 100ms);
    (void)lose_the_ready_one(core, members.emplace_back(), 0ns, middle);
    EXPECT_EQ(core.next_tick(), due + 200ms) << "it begins anew after one that served";
    while (!core.close().is_nothing()) {
    }
}

TEST(PoolCore, WarmsUpOnceAndNotPastTheLimit) {
    PoolCore core = make_core(3);
    core.warm_up(5);
    std::vector<PoolMember> members(3);
    EXPECT_TRUE(core.tick(start).dial);
    for (PoolMember& member : members) {
        core.dial_started(member);
        EXPECT_EQ(core.dial_ended(member, start, middle).dial, &member != &members.back()) << "one after the other";
    }
    EXPECT_TRUE(core.tick(start).is_nothing());
    EXPECT_EQ(core.lost(members[0], start, middle).dial, false) << "it was warm once";
    while (!core.close().is_nothing()) {
    }
}

TEST(PoolCore, RefusesAtOnceWhenTheQueueIsFull) {
    PoolCore core = make_core(1, 1);
    PoolWaiter first;
    PoolWaiter second;
    EXPECT_TRUE(core.acquire(first, start).dial);
    const PoolAction step = core.acquire(second, start);
    EXPECT_EQ(step.kind, Kind::fail);
    EXPECT_EQ(step.refusal, Refusal::saturated);
    EXPECT_FALSE(core.is_waiting(second));
    core.leave(first);
}

TEST(PoolCore, WhoWasGrantedAUselessConnectionGoesBeforeTheOthersAndIsNotRefused) {
    PoolCore core = make_core(1, 1);
    PoolWaiter holder;
    PoolWaiter next;
    PoolWaiter behind;
    PoolMember member;
    PoolMember fresh;
    open_for(core, holder, member);
    (void)core.acquire(next, start);
    EXPECT_EQ(core.release(member, true, start).waiter, &next);
    (void)core.acquire(behind, start);
    const PoolAction useless = core.release(member, false, start);
    EXPECT_EQ(useless.kind, Kind::close);
    EXPECT_TRUE(useless.dial) << "for the one behind";
    EXPECT_TRUE(core.acquire(next, start, PoolCore::Turn::first).is_nothing()) << "the queue was full";
    core.dial_started(fresh);
    EXPECT_EQ(core.dial_ended(fresh, start, middle).waiter, &next);
    EXPECT_EQ(core.release(fresh, true, start).waiter, &behind);
    EXPECT_EQ(core.release(fresh, false, start).kind, Kind::close);
}

TEST(PoolCore, WhileItDistrustsTheServiceAConnectionIsUsedOnce) {
    PoolCore core = make_core(1);
    PoolWaiter waiter;
    PoolMember first;
    PoolMember second;
    open_for(core, waiter, first);
    core.distrust(start + 1min);
    core.distrust(start + 1s);
    EXPECT_EQ(core.release(first, true, start + 59s).kind, Kind::close);
    open_for(core, waiter, second);
    EXPECT_EQ(core.release(second, true, start + 1min).kind, Kind::none) << "kept again";
    EXPECT_EQ(core.close().member, &second);
}

TEST(PoolCore, ClosesIdleConnectionsOldestFirstWhenTheirTimeIsOver) {
    PoolCore core = make_core(2);
    PoolWaiter a;
    PoolWaiter b;
    PoolMember first;
    PoolMember second;
    open_for(core, a, first);
    open_for(core, b, second);
    EXPECT_FALSE(core.next_tick());
    EXPECT_EQ(core.release(first, true, start).kind, Kind::none);
    EXPECT_EQ(core.release(second, true, start + 10s).kind, Kind::none);
    EXPECT_EQ(core.next_tick(), start + 30s);
    EXPECT_EQ(core.tick(start + 29s).kind, Kind::none);
    EXPECT_EQ(core.tick(start + 30s).member, &first);
    EXPECT_EQ(core.tick(start + 30s).kind, Kind::none);
    EXPECT_EQ(core.tick(start + 40s).member, &second);
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
    const PoolAction refused = core.acquire(a, start);
    EXPECT_EQ(refused.kind, Kind::fail);
    EXPECT_EQ(refused.refusal, Refusal::closed);
}

}  // namespace
}  // namespace ktrdr
