#include <ktrdr/operations/memory_store.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace ktrdr {

void MemoryStore::write(RecordChange change, Done done) {
    if (is_terminal(change.record.status)) {
        const std::scoped_lock lock(mutex_);
        const std::string id = change.record.id;
        if (entries_.insert_or_assign(id, Entry{std::move(change.record), std::move(change.events)}).second) {
            order_.push_back(id);
        }
        while (order_.size() > max_count_) {
            entries_.erase(order_.front());
            order_.pop_front();
        }
    }
    done({});
}

Result<std::optional<OperationRecord>> MemoryStore::find(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    return found == entries_.end() ? std::nullopt : std::optional(found->second.record);
}

Result<OperationPage> MemoryStore::list(const OperationQuery& query) {
    if (const auto checked = check(query); !checked) {
        return checked.error();
    }
    const std::scoped_lock lock(mutex_);
    OperationPage page;
    for (const auto& [id, entry] : entries_) {
        if (matches(query, entry.record)) {
            page.records.push_back(entry.record);
        }
    }
    page.total = page.records.size();
    cut_page(query, page);
    return page;
}

Result<std::vector<OperationEvent>> MemoryStore::events(const std::string& id, const EventQuery& query) {
    if (const auto checked = check(query); !checked) {
        return checked.error();
    }
    const std::scoped_lock lock(mutex_);
    const auto found = entries_.find(id);
    std::vector<OperationEvent> events;
    if (found != entries_.end()) {
        for (const OperationEvent& event : found->second.events) {
            if (event.seq > query.after && (!query.kind || *query.kind == event.kind) && events.size() < query.limit) {
                events.push_back(event);
            }
        }
    }
    return events;
}

Result<bool> MemoryStore::request_cancel(const std::string&, const CancelReason&) {
    return false;
}

Result<std::vector<CancelRequest>> MemoryStore::take_cancel_requests() {
    return std::vector<CancelRequest>{};
}

Result<OperationRecord> MemoryStore::claim(const std::string& id) {
    return fail(Errc::not_found,
                fmt::format("operation {} cannot go on: nothing that was interrupted is kept in memory", id),
                {{"operation_id", id}});
}

Result<std::size_t> MemoryStore::recover() {
    return std::size_t{0};
}

Result<std::size_t> MemoryStore::forget(const Retention& retention, const std::string& type) {
    if (const auto checked = check(retention); !checked) {
        return checked.error();
    }
    const std::scoped_lock lock(mutex_);
    std::size_t kept = 0;
    std::size_t forgotten = 0;
    // Newest first, so that the count keeps those.
    for (auto id = order_.rbegin(); id != order_.rend(); ++id) {
        const auto entry = entries_.find(*id);
        const bool meant = type.empty() || entry->second.record.type == type;
        if (meant && ++kept > retention.max_count) {
            entries_.erase(entry);
            ++forgotten;
        }
    }
    std::erase_if(order_, [this](const std::string& id) { return !entries_.contains(id); });
    return forgotten;
}

}  // namespace ktrdr
