#include <ktrdr/base/manual.hpp>

namespace ktrdr {

SteadyTime ManualClock::now() const {
    const std::scoped_lock lock(mutex_);
    return steady_;
}

UtcTime ManualClock::utc_now() const {
    const std::scoped_lock lock(mutex_);
    return utc_;
}

void ManualClock::advance(std::chrono::nanoseconds by) {
    const std::scoped_lock lock(mutex_);
    steady_ += std::chrono::duration_cast<SteadyTime::duration>(by);
    utc_ += by;
}

void ManualExecutor::post(Function function) {
    const std::scoped_lock lock(mutex_);
    queue_.push_back(std::move(function));
}

bool ManualExecutor::runs_here() const {
    return true;
}

std::size_t ManualExecutor::run() {
    std::size_t count = 0;
    for (std::unique_lock lock(mutex_); !queue_.empty(); lock.lock(), ++count) {
        const auto function = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        function();
    }
    return count;
}

TimerQueue::Id ManualTimerQueue::schedule_at(SteadyTime when, Executor::Function function) {
    const std::scoped_lock lock(mutex_);
    const Id id = next_++;
    timers_.emplace(when, Entry{id, std::move(function)});
    return id;
}

bool ManualTimerQueue::cancel(Id id) {
    const std::scoped_lock lock(mutex_);
    return std::erase_if(timers_, [id](const auto& timer) { return timer.second.id == id; }) != 0;
}

std::size_t ManualTimerQueue::fire() {
    std::size_t count = 0;
    const SteadyTime now = clock_.now();
    for (std::unique_lock lock(mutex_); !timers_.empty() && timers_.begin()->first <= now; lock.lock(), ++count) {
        const auto function = std::move(timers_.begin()->second.function);
        timers_.erase(timers_.begin());
        lock.unlock();
        function();
    }
    return count;
}

std::size_t ManualTimerQueue::size() const {
    const std::scoped_lock lock(mutex_);
    return timers_.size();
}

}  // namespace ktrdr
