#include "write_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ktrdr {
namespace {

/// Take out what says least until `most` are left: pictures that a newer one follows, then the oldest that are no
/// state. True when more than such pictures went.
bool thin(std::vector<OperationEvent>& events, std::size_t most) {
    std::vector<OperationEvent> left;
    left.reserve(events.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
        const bool replaced = i + 1 < events.size() && events[i].kind == OperationEventKind::progress &&
                              events[i + 1].kind == OperationEventKind::progress;
        if (!replaced) {
            left.push_back(std::move(events[i]));
        }
    }
    std::size_t surplus = left.size() - std::min(left.size(), most);
    const bool lost = surplus > 0;
    std::erase_if(left, [&surplus](const OperationEvent& event) {
        return surplus > 0 && event.kind != OperationEventKind::state && surplus-- > 0;
    });
    events = std::move(left);
    return lost;
}

WriteQueue::Dones taken_from(WriteQueue::Dones& dones) {
    return std::exchange(dones, {});
}

void append(WriteQueue::Dones& all, WriteQueue::Dones&& more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
}

}  // namespace

bool WriteQueue::push(RecordChange change, Done done, SteadyTime now) {
    if (const auto found = by_id_.find(change.record.id); found != by_id_.end()) {
        merge(*found->second, std::move(change));
        if (done) {
            found->second->since = found->second->dones.empty() ? now : found->second->since;
            found->second->dones.push_back(std::move(done));
        }
        return true;
    }
    if (!done && by_id_.size() >= most_operations) {
        lose(change.record.id);
        return false;
    }
    waiting_.push_back({std::move(change), {}, now, !done});
    if (done) {
        waiting_.back().dones.push_back(std::move(done));
    } else {
        index(std::prev(waiting_.end()));
    }
    return true;
}

std::vector<WriteQueue::Flying> WriteQueue::take_off(std::size_t most) {
    if (!flight_.empty()) {
        return {};
    }
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, waiting_.size()));
    const auto end = std::next(waiting_.begin(), count);
    std::vector<Flying> changes;
    for (auto entry = waiting_.begin(); entry != end; ++entry) {
        if (const auto found = by_id_.find(entry->change.record.id); found != by_id_.end() && found->second == entry) {
            kept_events_ -= entry->change.events.size();
            by_id_.erase(found);
        }
        changes.push_back({&entry->change, !lost_.contains(entry->change.record.id)});
    }
    flight_.splice(flight_.end(), waiting_, waiting_.begin(), end);
    return changes;
}

std::vector<WriteQueue::Dones> WriteQueue::land() {
    std::vector<Dones> dones;
    for (Entry& entry : flight_) {
        dones.push_back(taken_from(entry.dones));
    }
    flight_.clear();
    return dones;
}

WriteQueue::Dones WriteQueue::keep() {
    std::list<Entry> all = std::exchange(flight_, {});
    all.splice(all.end(), waiting_);
    by_id_.clear();
    kept_events_ = 0;
    Dones dones;
    for (Entry& entry : all) {
        append(dones, taken_from(entry.dones));
        (void)push(std::move(entry.change), nullptr, entry.since);
    }
    return dones;
}

WriteQueue::Dones WriteQueue::take_overdue(SteadyTime since) {
    Dones dones;
    for (std::list<Entry>* const entries : {&flight_, &waiting_}) {
        for (Entry& entry : *entries) {
            if (!entry.dones.empty() && entry.since <= since) {
                append(dones, taken_from(entry.dones));
                entry.kept = true;
            }
        }
    }
    return dones;
}

bool WriteQueue::lacks(const std::string& id) const {
    return lost_.contains(id) || kept(id) != nullptr;
}

void WriteQueue::lose(const std::string& id) {
    if (lost_.size() < most_operations) {
        lost_.insert(id);
    }
}

std::vector<const RecordChange*> WriteQueue::kept() const {
    std::vector<const RecordChange*> changes;
    for (const std::list<Entry>* const entries : {&flight_, &waiting_}) {
        for (const Entry& entry : *entries) {
            if (entry.kept) {
                changes.push_back(&entry.change);
            }
        }
    }
    return changes;
}

const RecordChange* WriteQueue::kept(const std::string& id) const {
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
        return &found->second->change;
    }
    const RecordChange* newest = nullptr;
    for (const RecordChange* const change : kept()) {
        newest = change->record.id == id ? change : newest;
    }
    return newest;
}

void WriteQueue::merge(Entry& into, RecordChange&& newer) {
    RecordChange& change = into.change;
    kept_events_ -= change.events.size();
    change.record = std::move(newer.record);
    change.first = change.first || newer.first;
    std::move(newer.events.begin(), newer.events.end(), std::back_inserter(change.events));
    bound(change);
    kept_events_ += change.events.size();
}

void WriteQueue::bound(RecordChange& change) {
    const std::size_t room = most_in_all - std::min(most_in_all, kept_events_);
    if (thin(change.events, std::min(room, most_events))) {
        lose(change.record.id);
    }
}

void WriteQueue::index(Place entry) {
    bound(entry->change);
    kept_events_ += entry->change.events.size();
    by_id_.emplace(entry->change.record.id, entry);
}

}  // namespace ktrdr
