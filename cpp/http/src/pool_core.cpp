#include "pool_core.hpp"

#include <algorithm>

namespace ktrdr {
namespace {

constexpr double lifetime_spread = 0.1;
constexpr double pause_spread = 0.2;
constexpr double pause_growth = 1.6;

/// `time`, more or less by up to `part` of it.
SteadyTime::duration spread(std::chrono::nanoseconds time, double part, double chance) noexcept {
    const double factor = 1 + part * (2 * chance - 1);
    return std::chrono::duration_cast<SteadyTime::duration>(std::chrono::duration<double, std::nano>(time) * factor);
}

std::chrono::nanoseconds longer(std::chrono::nanoseconds pause, const PoolCore::Limits& limits) noexcept {
    const auto grown = std::chrono::duration_cast<std::chrono::nanoseconds>(pause * pause_growth);
    return std::clamp(grown, limits.first_pause, limits.longest_pause);
}

}  // namespace

std::optional<SteadyTime> PoolCore::dial_due() const noexcept {
    const bool has_room = open() < limits_.connections;
    const bool waited_for = urgent_.size() + waiters_.size() > dials();
    if ((waited_for && has_room) || (urgent_.size() > dials() && open() < limits_.connections + limits_.reserve)) {
        return dial_after_;
    }
    const bool short_of_ready = idle_.size() + dials() < limits_.min_idle || open() < warm_;
    return short_of_ready && has_room ? std::optional(std::max(dial_after_, ready_after_)) : std::nullopt;
}

bool PoolCore::wants_dial(SteadyTime now) noexcept {
    const auto due = dial_due();
    if (closed_ || !due || now < *due) {
        return false;
    }
    ++promised_;
    return true;
}

PoolWaiter* PoolCore::pop_waiter(bool urgent_only) noexcept {
    Waiters& queue = urgent_.empty() && !urgent_only ? waiters_ : urgent_;
    if (queue.empty()) {
        return nullptr;
    }
    PoolWaiter& front = queue.front();
    queue.pop_front();
    return &front;
}

PoolAction PoolCore::close_idle(PoolMember& member, SteadyTime now) noexcept {
    idle_.erase(idle_.iterator_to(member));
    member.state = PoolMember::State::gone;
    return {.kind = PoolAction::Kind::close, .member = &member, .dial = wants_dial(now)};
}

PoolAction PoolCore::acquire(PoolWaiter& waiter, SteadyTime now, Turn turn) {
    if (closed_) {
        return {.kind = PoolAction::Kind::fail, .waiter = &waiter, .refusal = PoolAction::Refusal::closed};
    }
    if (!idle_.empty()) {
        PoolMember& newest = idle_.front();
        if (now >= newest.retires) {
            return close_idle(newest, now);
        }
        idle_.pop_front();
        newest.state = PoolMember::State::active;
        ++active_;
        return {.kind = PoolAction::Kind::grant, .member = &newest, .waiter = &waiter, .dial = wants_dial(now)};
    }
    Waiters& queue = waiter.urgent ? urgent_ : waiters_;
    if (turn == Turn::first) {
        queue.push_front(waiter);
        return {.dial = wants_dial(now)};
    }
    if (queue.size() >= limits_.waiters) {
        return {.kind = PoolAction::Kind::fail, .waiter = &waiter, .refusal = PoolAction::Refusal::saturated};
    }
    queue.push_back(waiter);
    return {.dial = wants_dial(now)};
}

void PoolCore::leave(PoolWaiter& waiter) noexcept {
    Waiters& queue = waiter.urgent ? urgent_ : waiters_;
    queue.erase(queue.iterator_to(waiter));
}

void PoolCore::dial_started(PoolMember& member) noexcept {
    --promised_;
    ++connecting_;
    member.state = PoolMember::State::connecting;
}

PoolAction PoolCore::dial_ended(PoolMember& member, SteadyTime now, double chance) {
    --connecting_;
    pause_ = {};
    dial_after_ = {};
    member.retires = now + spread(limits_.lifetime, lifetime_spread, chance);
    return keep_or_close(member, true, now);
}

PoolAction PoolCore::dial_failed(PoolMember& member, SteadyTime now, double chance) noexcept {
    --connecting_;
    member.state = PoolMember::State::gone;
    // Dials that were under way together fail together: one pause for all of them.
    if (now >= dial_after_) {
        pause_ = longer(pause_, limits_);
        dial_after_ = now + spread(pause_, pause_spread, chance);
    }
    warm_ = 0;
    PoolAction step;
    if (PoolWaiter* const waiter = pop_waiter(false); waiter != nullptr) {
        step = {.kind = PoolAction::Kind::fail, .waiter = waiter, .refusal = PoolAction::Refusal::dial};
    }
    step.dial = wants_dial(now);
    return step;
}

PoolAction PoolCore::release(PoolMember& member, bool reusable, SteadyTime now) {
    --active_;
    member.served = true;
    if (reusable) {
        ready_pause_ = {};
    }
    return keep_or_close(member, reusable && now < member.retires && now >= distrusted_until_, now);
}

PoolAction PoolCore::keep_or_close(PoolMember& member, bool reusable, SteadyTime now) {
    // The reserve goes back when nothing is urgent any more.
    const bool over = open() >= limits_.connections;
    if (open() + 1 >= warm_) {
        warm_ = 0;
    }
    if (reusable && !closed_) {
        if (PoolWaiter* const waiter = pop_waiter(over); waiter != nullptr) {
            member.state = PoolMember::State::active;
            ++active_;
            return {.kind = PoolAction::Kind::grant, .member = &member, .waiter = waiter, .dial = wants_dial(now)};
        }
        if (!over && limits_.idle_timeout > std::chrono::nanoseconds::zero()) {
            member.state = PoolMember::State::idle;
            member.idle_since = now;
            idle_.push_front(member);
            return {.dial = wants_dial(now)};
        }
    }
    member.state = PoolMember::State::gone;
    return {.kind = PoolAction::Kind::close, .member = &member, .dial = wants_dial(now)};
}

PoolAction PoolCore::lost(PoolMember& member, SteadyTime now, double chance) noexcept {
    const bool at_once = !member.served && now - member.idle_since < limits_.longest_pause;
    // As with dials: those that were made together are lost together.
    if (at_once && now >= ready_after_) {
        ready_pause_ = longer(ready_pause_, limits_);
        ready_after_ = now + spread(ready_pause_, pause_spread, chance);
    }
    return close_idle(member, now);
}

PoolAction PoolCore::tick(SteadyTime now) noexcept {
    if (!idle_.empty() && (now >= idle_.back().idle_since + limits_.idle_timeout || now >= idle_.back().retires)) {
        return close_idle(idle_.back(), now);
    }
    return {.dial = wants_dial(now)};
}

std::optional<SteadyTime> PoolCore::next_tick() const noexcept {
    std::optional<SteadyTime> next;
    if (!idle_.empty()) {
        const auto timeout = std::chrono::duration_cast<SteadyTime::duration>(limits_.idle_timeout);
        next = std::min(idle_.back().idle_since + timeout, idle_.back().retires);
    }
    if (const auto due = dial_due(); due && !closed_) {
        next = next ? std::min(*next, *due) : *due;
    }
    return next;
}

PoolAction PoolCore::drop_idle(SteadyTime now) noexcept {
    return idle_.empty() ? PoolAction{} : close_idle(idle_.back(), now);
}

PoolAction PoolCore::close() noexcept {
    closed_ = true;
    if (PoolWaiter* const waiter = pop_waiter(false); waiter != nullptr) {
        return {.kind = PoolAction::Kind::fail, .waiter = waiter, .refusal = PoolAction::Refusal::closed};
    }
    return drop_idle({});
}

PoolCore::Counts PoolCore::counts() const noexcept {
    return {.open = open(),
            .idle = idle_.size(),
            .active = active_,
            .connecting = dials(),
            .waiting = urgent_.size() + waiters_.size()};
}

}  // namespace ktrdr
