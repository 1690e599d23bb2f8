#include <ktrdr/training/training_queue.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <ktrdr/base/memory.hpp>

namespace ktrdr {
namespace {

void check_sessions(const QueueLimits& limits) {
    if (limits.sessions == 0) {
        throw std::invalid_argument("a training queue lets at least 1 run at once; it was told 0");
    }
}

}  // namespace

TrainingQueue::TrainingQueue(QueueLimits limits) : limits_(limits) {
    check_sessions(limits);
}

QueueLimits TrainingQueue::limits() const {
    const std::scoped_lock lock(mutex_);
    return limits_;
}

void TrainingQueue::set_limits(QueueLimits limits) {
    check_sessions(limits);
    const std::scoped_lock lock(mutex_);
    limits_ = limits;
}

TrainingQueue::Number TrainingQueue::take_number() {
    const std::scoped_lock lock(mutex_);
    coming_.insert(++last_);
    return last_;
}

void TrainingQueue::enter(Number number, Entry entry) {
    {
        const std::scoped_lock lock(mutex_);
        coming_.erase(number);
        const Turn turn{entry.priority, number};
        waiting_.emplace(turn, std::move(entry));
    }
    look_again();
}

bool TrainingQueue::leave(Number number) {
    // What an entry holds is let go of after the lock.
    Waiting::node_type gone;
    {
        const std::scoped_lock lock(mutex_);
        if (coming_.erase(number) == 0 && running_.erase(number) == 0) {
            const auto found = std::ranges::find(waiting_, number, [](const auto& held) { return held.first.number; });
            if (found == waiting_.end()) {
                return false;
            }
            gone = waiting_.extract(found);
        }
    }
    look_again();
    return true;
}

void TrainingQueue::look_again() {
    admit();
    tell_places();
}

TrainingQueue::Waiting::const_iterator TrainingQueue::oldest() const {
    return std::ranges::min_element(waiting_, {}, [](const auto& held) { return held.first.number; });
}

std::uint64_t TrainingQueue::memory_with(const MemoryNeed& need) const {
    std::uint64_t sum = need.total();
    std::set<std::string_view> counted{need.shared_key};
    for (const auto& [number, one] : running_) {
        sum += one.memory.own_bytes;
        if (one.memory.shared_key.empty() || counted.insert(one.memory.shared_key).second) {
            sum += one.memory.shared_bytes;
        }
    }
    return sum;
}

bool TrainingQueue::fits(const MemoryNeed& need) const {
    return limits_.memory_bytes == 0 || running_.empty() || memory_with(need) <= limits_.memory_bytes;
}

TrainingQueue::Waiting::iterator TrainingQueue::next() {
    if (running_.size() >= limits_.sessions) {
        return waiting_.end();
    }
    const Number first_to_come = coming_.empty() ? last_ + 1 : *coming_.begin();
    if (passed_over_ >= turns_before_oldest) {
        const auto longest = oldest();
        const bool may =
            longest != waiting_.end() && longest->first.number < first_to_come && fits(longest->second.memory);
        return may ? waiting_.find(longest->first) : waiting_.end();
    }
    return std::ranges::find_if(waiting_, [this, first_to_come](const auto& held) {
        return held.first.number < first_to_come && fits(held.second.memory);
    });
}

void TrainingQueue::admit() {
    for (;;) {
        Waiting::node_type begun;
        {
            const std::scoped_lock lock(mutex_);
            const auto found = next();
            if (found == waiting_.end()) {
                return;
            }
            passed_over_ = found == oldest() ? 0 : passed_over_ + 1;
            begun = waiting_.extract(found);
            const Entry& entry = begun.mapped();
            running_.emplace(begun.key().number,
                             Running{{entry.operation_id, entry.priority, 0, entry.memory.total(), {}}, entry.memory});
        }
        begun.mapped().begin();
    }
}

std::string TrainingQueue::reason_of(const Entry& entry) const {
    if (running_.size() >= limits_.sessions) {
        return "waits for a running training to end";
    }
    if (fits(entry.memory)) {
        return "waits for the training that has waited longest";
    }
    const std::uint64_t all = memory_with(entry.memory);
    return fmt::format("waits for memory: with those that run it would take {} of {}", memory_text(all),
                       memory_text(limits_.memory_bytes));
}

QueuePlace TrainingQueue::place_of(const Entry& entry, std::size_t place) const {
    return {entry.operation_id, entry.priority, place, entry.memory.total(), reason_of(entry)};
}

void TrainingQueue::tell_places() {
    std::vector<std::pair<std::function<void(const QueuePlace&, std::size_t)>, QueuePlace>> news;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [turn, entry] : waiting_) {
            news.emplace_back(entry.moved, place_of(entry, news.size() + 1));
        }
    }
    for (const auto& [moved, place] : news) {
        moved(place, news.size());
    }
}

std::vector<QueuePlace> TrainingQueue::places() const {
    const std::scoped_lock lock(mutex_);
    std::vector<QueuePlace> listed;
    for (const auto& [number, one] : running_) {
        listed.push_back(one.place);
    }
    std::size_t place = 0;
    for (const auto& [turn, entry] : waiting_) {
        listed.push_back(place_of(entry, ++place));
    }
    return listed;
}

}  // namespace ktrdr
