// Whom an operation tells: listeners join and leave, and hear of progress and the end in order, outside its lock.

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include <ktrdr/base/log.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {
namespace {

bool same_but_sequence(ProgressState left, const ProgressState& right) {
    left.sequence = right.sequence;
    return left == right;
}

}  // namespace

void Operation::add_listener(std::shared_ptr<OperationListener> listener) {
    {
        const std::scoped_lock lock(mutex_);
        const bool over = is_terminal(announced_);
        const auto now = over ? record_.progress : std::make_shared<const ProgressState>(progress_.snapshot());
        // What came before belongs to those who are here already.
        listeners_.push_back({listener, false, now->sequence});
        if (listener->wants_progress()) {
            queue_.push_back({Delivery::Kind::progress, now, {listener}});
        }
        if (over) {
            queue_.push_back({Delivery::Kind::end, {}, {std::move(listener)}});
        }
    }
    deliver();
}

void Operation::remove_listener(const OperationListener* listener) {
    // Destroyed after the lock is given back: a listener's destructor is not ours.
    std::shared_ptr<OperationListener> removed;
    const std::scoped_lock lock(mutex_);
    const auto found = std::find_if(listeners_.begin(), listeners_.end(),
                                    [listener](const Slot& slot) { return slot.listener.get() == listener; });
    if (found != listeners_.end()) {
        removed = std::move(found->listener);
        listeners_.erase(found);
    }
}

bool Operation::has_listeners() const {
    const std::scoped_lock lock(mutex_);
    return std::any_of(listeners_.begin(), listeners_.end(), [](const Slot& slot) {
        return !slot.broken && (slot.listener->wants_progress() || slot.listener->wants_events());
    });
}

void Operation::sample() {
    {
        const std::scoped_lock lock(mutex_);
        if (is_terminal(record_.status)) {
            return;
        }
        queue_progress();
    }
    deliver();
}

void Operation::queue_progress() {
    const std::uint64_t version = progress_.version();
    if (is_terminal(record_.status) || version == std::exchange(delivered_version_, version)) {
        return;
    }
    // The work goes on between the two, so an edge may be newer than the picture; each is told at its place.
    ProgressState now = progress_.snapshot();
    auto states = progress_.take_edges();
    const auto place = std::ranges::upper_bound(states, now.sequence, {}, &ProgressState::sequence);
    if (place == states.begin() || !same_but_sequence(*std::prev(place), now)) {
        states.insert(place, std::move(now));
    }
    for (auto& state : states) {
        const auto shared = std::make_shared<const ProgressState>(std::move(state));
        log_progress(shared);
        queue_for_all(Delivery::Kind::progress, shared);
    }
    publish_events();
}

void Operation::queue_for_all(Delivery::Kind kind, const std::shared_ptr<const ProgressState>& state) {
    std::vector<std::shared_ptr<OperationListener>> all;
    for (const Slot& slot : listeners_) {
        if (wants(*slot.listener, kind) && (!state || state->sequence > slot.heard)) {
            all.push_back(slot.listener);
        }
    }
    if (!all.empty()) {
        queue_.push_back({kind, state, std::move(all)});
    }
}

bool Operation::wants(const OperationListener& listener, Delivery::Kind kind) const {
    return std::any_of(listeners_.begin(), listeners_.end(), [&](const Slot& slot) {
        if (slot.listener.get() != &listener) {
            return false;
        }
        switch (kind) {
            case Delivery::Kind::progress: return !slot.broken && listener.wants_progress();
            case Delivery::Kind::events: return !slot.broken && listener.wants_events();
            case Delivery::Kind::end: return true;
        }
        return false;
    });
}

void Operation::deliver() {
    std::unique_lock lock(mutex_);
    if (std::exchange(delivering_, true)) {
        return;
    }
    while (!queue_.empty()) {
        const auto batch = std::exchange(queue_, {});
        lock.unlock();
        for (const Delivery& delivery : batch) {
            tell(delivery);
        }
        lock.lock();
    }
    delivering_ = false;
}

void Operation::tell(const Delivery& delivery) {
    for (const auto& listener : delivery.listeners) {
        {
            const std::scoped_lock lock(mutex_);
            if (!wants(*listener, delivery.kind)) {
                continue;
            }
        }
        try {
            switch (delivery.kind) {
                case Delivery::Kind::progress: listener->on_progress(*delivery.state); break;
                case Delivery::Kind::events: listener->on_events(); break;
                case Delivery::Kind::end: listener->on_finished(); break;
            }
        } catch (const std::exception& error) {
            drop(*listener, error.what());
        } catch (...) {
            drop(*listener, "an exception of no known type");
        }
        if (delivery.kind == Delivery::Kind::end) {
            remove_listener(listener.get());
        }
    }
}

void Operation::drop(const OperationListener& listener, std::string_view why) {
    {
        const std::scoped_lock lock(mutex_);
        for (Slot& slot : listeners_) {
            slot.broken = slot.broken || slot.listener.get() == &listener;
        }
    }
    log(LogLevel::warning, "operations", fmt::format("a listener threw and hears no more progress: {}", why), id());
}

}  // namespace ktrdr
