#include "pool_core.hpp"

namespace ktrdr {

bool PoolCore::wants_dial() noexcept {
    const std::size_t dials = connecting_ + promised_;
    if (closed_ || waiters_.size() <= dials || idle_.size() + active_ + dials >= limits_.connections) {
        return false;
    }
    ++promised_;
    return true;
}

PoolWaiter* PoolCore::pop_waiter() noexcept {
    if (waiters_.empty()) {
        return nullptr;
    }
    PoolWaiter& front = waiters_.front();
    waiters_.pop_front();
    return &front;
}

void PoolCore::drop_idle(PoolMember& member) noexcept {
    idle_.erase(idle_.iterator_to(member));
    member.state = PoolMember::State::gone;
}

PoolStep PoolCore::acquire(PoolWaiter& waiter) {
    if (closed_) {
        return {.kind = PoolStep::Kind::fail, .waiter = &waiter, .refusal = PoolStep::Refusal::closed};
    }
    if (!idle_.empty()) {
        PoolMember& newest = idle_.front();
        idle_.pop_front();
        newest.state = PoolMember::State::active;
        ++active_;
        return {.kind = PoolStep::Kind::grant, .member = &newest, .waiter = &waiter};
    }
    if (waiters_.size() >= limits_.waiters) {
        return {.kind = PoolStep::Kind::fail, .waiter = &waiter, .refusal = PoolStep::Refusal::saturated};
    }
    waiters_.push_back(waiter);
    return {.dial = wants_dial()};
}

void PoolCore::leave(PoolWaiter& waiter) noexcept {
    waiters_.erase(waiters_.iterator_to(waiter));
}

void PoolCore::dial_started(PoolMember& member) noexcept {
    --promised_;
    ++connecting_;
    member.state = PoolMember::State::connecting;
}

PoolStep PoolCore::dial_ended(PoolMember& member, SteadyTime now) {
    --connecting_;
    return keep_or_close(member, true, now);
}

PoolStep PoolCore::dial_failed(PoolMember& member) noexcept {
    --connecting_;
    member.state = PoolMember::State::gone;
    PoolStep step;
    if (PoolWaiter* const waiter = pop_waiter(); waiter != nullptr) {
        step = {.kind = PoolStep::Kind::fail, .waiter = waiter, .refusal = PoolStep::Refusal::dial};
    }
    step.dial = wants_dial();
    return step;
}

PoolStep PoolCore::release(PoolMember& member, bool reusable, SteadyTime now) {
    --active_;
    return keep_or_close(member, reusable, now);
}

PoolStep PoolCore::keep_or_close(PoolMember& member, bool reusable, SteadyTime now) {
    if (reusable && !closed_) {
        if (PoolWaiter* const waiter = pop_waiter(); waiter != nullptr) {
            member.state = PoolMember::State::active;
            ++active_;
            return {.kind = PoolStep::Kind::grant, .member = &member, .waiter = waiter};
        }
        if (limits_.idle_timeout > std::chrono::nanoseconds::zero()) {
            member.state = PoolMember::State::idle;
            member.idle_since = now;
            idle_.push_front(member);
            return {};
        }
    }
    member.state = PoolMember::State::gone;
    return {.kind = PoolStep::Kind::close, .member = &member, .dial = wants_dial()};
}

PoolStep PoolCore::lost(PoolMember& member) noexcept {
    drop_idle(member);
    return {.kind = PoolStep::Kind::close, .member = &member};
}

PoolStep PoolCore::expire(SteadyTime now, bool all) noexcept {
    if (idle_.empty() || (!all && now < idle_.back().idle_since + limits_.idle_timeout)) {
        return {};
    }
    return lost(idle_.back());
}

std::optional<SteadyTime> PoolCore::next_expiry() const noexcept {
    if (idle_.empty()) {
        return std::nullopt;
    }
    return idle_.back().idle_since + std::chrono::duration_cast<SteadyTime::duration>(limits_.idle_timeout);
}

PoolStep PoolCore::close() noexcept {
    closed_ = true;
    if (PoolWaiter* const waiter = pop_waiter(); waiter != nullptr) {
        return {.kind = PoolStep::Kind::fail, .waiter = waiter, .refusal = PoolStep::Refusal::closed};
    }
    return expire({}, true);
}

PoolCore::Counts PoolCore::counts() const noexcept {
    const std::size_t dials = connecting_ + promised_;
    return {.open = idle_.size() + active_ + dials,
            .idle = idle_.size(),
            .active = active_,
            .connecting = dials,
            .waiting = waiters_.size()};
}

}  // namespace ktrdr
