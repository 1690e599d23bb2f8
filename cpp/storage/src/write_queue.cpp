#include "write_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <ktrdr/base/caught.hpp>

namespace ktrdr {
namespace {

/// Take out what says least until `most` are left: pictures that a newer one follows, then the oldest that are no
/// state. True when more than such pictures went.
bool thin(std::vector<OperationEvent>& events, std::size_t most) noexcept {
    auto end = events.begin();
    for (auto event = events.begin(); event != events.end(); ++event) {
        const auto next = std::next(event);
        const bool replaced = next != events.end() && event->kind == OperationEventKind::progress &&
                              next->kind == OperationEventKind::progress;
        if (replaced) {
            continue;
        }
        if (end != event) {
            *end = std::move(*event);
        }
        ++end;
    }
    events.erase(end, events.end());
    std::size_t surplus = events.size() - std::min(events.size(), most);
    const bool lost = surplus > 0;
    std::erase_if(events, [&surplus](const OperationEvent& event) {
        return surplus > 0 && event.kind != OperationEventKind::state && surplus-- > 0;
    });
    return lost;
}

/// `all` has room for them.
void append(WriteQueue::Dones& all, WriteQueue::Dones& more) noexcept {
    std::move(more.begin(), more.end(), std::back_inserter(all));
    more.clear();
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
    changes.reserve(static_cast<std::size_t>(count));
    for (auto entry = waiting_.begin(); entry != end; ++entry) {
        if (const auto found = by_id_.find(entry->change.record.id); found != by_id_.end() && found->second == entry) {
            kept_events_ -= entry->change.events.size();
            by_id_.erase(found);
        }
        changes.push_back({&entry->change, &entry->dones, !lost_.contains(entry->change.record.id)});
    }
    flight_.splice(flight_.end(), waiting_, waiting_.begin(), end);
    return changes;
}

void WriteQueue::land(std::vector<Dones>& dones) noexcept {
    for (Entry& entry : flight_) {
        dones.push_back(std::exchange(entry.dones, {}));
    }
    flight_.clear();
}

WriteQueue::Dones WriteQueue::keep() {
    put_back();
    Dones dones = room_for_all();
    by_id_.clear();
    kept_events_ = 0;
    for (auto entry = waiting_.begin(); entry != waiting_.end();) {
        keep(entry++);
    }
    for (Entry& entry : waiting_) {
        append(dones, entry.dones);
        entry.kept = true;
    }
    // What there is no room for was lost just now.
    waiting_.remove_if([this](const Entry& entry) { return !by_id_.contains(entry.change.record.id); });
    return dones;
}

void WriteQueue::keep(Place entry) {
    const std::string& id = entry->change.record.id;
    if (const auto found = by_id_.find(id); found != by_id_.end()) {
        Entry& into = *found->second;
        into.dones.reserve(into.dones.size() + entry->dones.size());
        merge(into, std::move(entry->change));
        append(into.dones, entry->dones);
        waiting_.erase(entry);
    } else if (by_id_.size() < most_operations) {
        index(entry);
    } else {
        lose(id);
    }
}

WriteQueue::Dones WriteQueue::room_for_all() const {
    std::size_t count = 0;
    for (const std::list<Entry>* const entries : {&flight_, &waiting_}) {
        for (const Entry& entry : *entries) {
            count += entry.dones.size();
        }
    }
    Dones dones;
    dones.reserve(count);
    return dones;
}

WriteQueue::Dones WriteQueue::take_overdue(SteadyTime since) {
    Dones dones = room_for_all();
    for (std::list<Entry>* const entries : {&flight_, &waiting_}) {
        for (Entry& entry : *entries) {
            if (!entry.dones.empty() && entry.since <= since) {
                append(dones, entry.dones);
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
    // What can fail comes first.
    change.events.reserve(change.events.size() + newer.events.size());
    kept_events_ -= change.events.size();
    change.record = std::move(newer.record);
    change.first = change.first || newer.first;
    std::move(newer.events.begin(), newer.events.end(), std::back_inserter(change.events));
    count_in(change);
}

void WriteQueue::index(Place entry) {
    by_id_.emplace(entry->change.record.id, entry);
    count_in(entry->change);
}

void WriteQueue::count_in(RecordChange& change) noexcept {
    const std::size_t room = most_in_all - std::min(most_in_all, kept_events_);
    const bool lost = thin(change.events, std::min(room, most_events));
    kept_events_ += change.events.size();
    if (lost) {
        survive("storage", "keeping a change", [&] { lose(change.record.id); });
    }
}

}  // namespace ktrdr
