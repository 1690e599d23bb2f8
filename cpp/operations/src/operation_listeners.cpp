#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include <ktrdr/base/log.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

void Operation::add_listener(std::shared_ptr<OperationListener> listener) {
    {
        const std::scoped_lock lock(mutex_);
        const bool over = is_terminal(record_.status);
        if (!over) {
            // What came before belongs to those who are here already.
            queue_progress();
        }
        listeners_.push_back({listener, false});
        queue_.push_back({over ? record_.progress : progress_.snapshot(), {listener}});
        if (over) {
            queue_.push_back({std::nullopt, {std::move(listener)}});
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
    return std::any_of(listeners_.begin(), listeners_.end(),
                       [](const Slot& slot) { return !slot.broken && slot.listener->wants_progress(); });
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
    if (version == std::exchange(delivered_version_, version)) {
        return;
    }
    ProgressState newest{};
    for (auto& edge : progress_.take_edges()) {
        newest = edge;
        queue_for_all(std::move(edge));
    }
    ProgressState now = progress_.snapshot();
    newest.sequence = now.sequence;
    if (now != newest) {
        queue_for_all(std::move(now));
    }
}

void Operation::queue_for_all(std::optional<ProgressState> state) {
    std::vector<std::shared_ptr<OperationListener>> all;
    for (const Slot& slot : listeners_) {
        all.push_back(slot.listener);
    }
    if (!all.empty()) {
        queue_.push_back({std::move(state), std::move(all)});
    }
}

bool Operation::wants(const OperationListener& listener, bool progress) const {
    return std::any_of(listeners_.begin(), listeners_.end(), [&](const Slot& slot) {
        return slot.listener.get() == &listener && !(progress && (slot.broken || !listener.wants_progress()));
    });
}

void Operation::deliver() {
    std::unique_lock lock(mutex_);
    if (std::exchange(delivering_, true)) {
        return;
    }
    while (!queue_.empty()) {
        const Delivery delivery = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        tell(delivery);
        lock.lock();
    }
    delivering_ = false;
}

void Operation::tell(const Delivery& delivery) {
    for (const auto& listener : delivery.listeners) {
        {
            const std::scoped_lock lock(mutex_);
            if (!wants(*listener, delivery.state.has_value())) {
                continue;
            }
        }
        try {
            delivery.state ? listener->on_progress(*delivery.state) : listener->on_finished();
        } catch (const std::exception& error) {
            drop(*listener, error.what());
        } catch (...) {
            drop(*listener, "an exception of no known type");
        }
        if (!delivery.state) {
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
    log(LogLevel::warning, "operations", fmt::format("a listener threw and hears no more progress: {}", why), id_);
}

}  // namespace ktrdr
