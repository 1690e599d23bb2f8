#include <ktrdr/operations/event_log.hpp>

#include <algorithm>

namespace ktrdr {

void EventLog::append(OperationEvent event) {
    if (events_.size() >= limit_) {
        thin();
    }
    event.seq = ++last_seq_;
    events_.push_back(std::move(event));
}

// Takes out a quarter at once, so that the cost of moving the rest is spread over as many appends.
void EventLog::thin() {
    std::size_t surplus = std::max<std::size_t>(1, limit_ / 4);
    const auto drop = [&surplus](const OperationEvent& event) {
        if (surplus == 0 || event.kind != OperationEventKind::progress) {
            return false;
        }
        --surplus;
        return true;
    };
    std::erase_if(events_, drop);
    events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(surplus));
}

std::vector<OperationEvent> EventLog::read(const EventQuery& query, std::uint64_t until) const {
    const auto first = std::upper_bound(events_.begin(), events_.end(), query.after,
                                        [](std::uint64_t seq, const OperationEvent& event) { return seq < event.seq; });
    std::vector<OperationEvent> found;
    for (auto event = first; event != events_.end() && event->seq <= until && found.size() < query.limit; ++event) {
        if (!query.kind || *query.kind == event->kind) {
            found.push_back(*event);
        }
    }
    return found;
}

}  // namespace ktrdr
