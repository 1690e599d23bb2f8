#include "deadlines.hpp"

namespace ktrdr {

void Deadlines::set(Entry& entry, SteadyTime when) {
    remove(entry);
    entry.when_ = when;
    entries_.insert(entries_.end(), entry);
    arm();
}

void Deadlines::remove(Entry& entry) noexcept {
    if (entry.is_linked()) {
        entries_.erase(entries_.iterator_to(entry));
    }
}

void Deadlines::arm() {
    if (entries_.empty() || entries_.begin()->when_ >= timer_at_) {
        return;
    }
    timer_at_ = entries_.begin()->when_;
    timer_.expires_at(timer_at_);
    timer_.async_wait([self = self_](const boost::system::error_code& error) {
        if (!error && *self != nullptr) {
            (*self)->fire();
        }
    });
}

void Deadlines::fire() {
    timer_at_ = SteadyTime::max();
    const auto now = std::chrono::steady_clock::now();
    while (!entries_.empty() && entries_.begin()->when_ <= now) {
        Entry& first = *entries_.begin();
        remove(first);
        first.due();
    }
    arm();
}

}  // namespace ktrdr
