// The registry's questions: an operation lives here, or is in one of the stores; a list is merged from both.

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include <ktrdr/operations/registry.hpp>

namespace ktrdr {
namespace {

constexpr std::size_t page_size = 1000;

/// The first records of a store, read page by page: as many as are wanted, and one more if there is one, without those
/// that run here.
Result<OperationPage> first_records(OperationStore& store, OperationQuery query, std::size_t wanted,
                                    const std::unordered_set<std::string>& here) {
    OperationPage all;
    query.offset = 0;
    for (bool more = true; more && all.records.size() <= wanted;) {
        query.limit = std::clamp<std::size_t>(wanted + 1 - all.records.size(), 1, page_size);
        auto page = store.list(query);
        if (!page) {
            return page;
        }
        all.total = page->total;
        all.active = page->active;
        more = page->next.has_value();
        query.cursor = std::move(page->next);
        // What runs here is known better here.
        std::copy_if(std::move_iterator(page->records.begin()), std::move_iterator(page->records.end()),
                     std::back_inserter(all.records),
                     [&here](const OperationRecord& record) { return !here.contains(record.id); });
    }
    return all;
}

/// The events of attempts before this one are in the store only.
Result<std::vector<OperationEvent>> with_older(Operation& operation, const EventQuery& query,
                                               std::vector<OperationEvent> newer) {
    auto all = operation.store()->events(operation.id(), query);
    if (!all) {
        return all;
    }
    std::erase_if(*all, [first = operation.first_seq()](const OperationEvent& event) { return event.seq >= first; });
    std::move(newer.begin(), newer.end(), std::back_inserter(*all));
    all->resize(std::min(all->size(), query.limit));
    return all;
}

}  // namespace

Result<OperationRegistry::Known> OperationRegistry::locate(const std::string& id) const {
    if (auto operation = find(id)) {
        return Known{.operation = std::move(operation)};
    }
    for (const auto& store : stores()) {
        auto found = store->find(id);
        if (!found) {
            return found.error();
        }
        if (*found) {
            return Known{.store = store, .record = std::move(**found)};
        }
    }
    return fail(Errc::not_found,
                fmt::format("there is no operation {}: it was never started here, or it was forgotten", id),
                {{"operation_id", id}});
}

Result<OperationRecord> OperationRegistry::record(const std::string& id) const {
    auto known = locate(id);
    if (!known) {
        return known.error();
    }
    return known->operation ? known->operation->record() : std::move(known->record);
}

Result<std::shared_ptr<Operation>> OperationRegistry::handle(const std::string& id) const {
    auto known = locate(id);
    if (!known) {
        return known.error();
    }
    if (known->operation || !is_terminal(known->record.status)) {
        return std::move(known->operation);
    }
    return Operation::make(std::move(known->record), CancellationToken{}, clock_, known->store);
}

Result<OperationPage> OperationRegistry::list(const OperationQuery& query) const {
    if (const auto checked = check(query); !checked) {
        return checked.error();
    }
    OperationPage all;
    std::unordered_set<std::string> here;
    for (const auto& operation : live()) {
        auto record = operation->record();
        const bool matching = matches(query, record);
        if (!operation->is_stored()) {
            all.total += matching ? 1 : 0;
            all.active += is_active(record.status) ? 1 : 0;
        }
        here.insert(record.id);
        if (matching) {
            all.records.push_back(std::move(record));
        }
    }
    for (const auto& store : stores()) {
        auto page = first_records(*store, query, query.offset + query.limit, here);
        if (!page) {
            return page;
        }
        all.total += page->total;
        all.active += page->active;
        std::move(page->records.begin(), page->records.end(), std::back_inserter(all.records));
    }
    cut_page(query, all);
    return all;
}

Result<std::vector<OperationEvent>> OperationRegistry::events(const std::string& id, const EventQuery& query) const {
    const auto known = locate(id);
    if (!known) {
        return known.error();
    }
    if (!known->operation) {
        return known->store->events(id, query);
    }
    return events(*known->operation, query);
}

Result<std::vector<OperationEvent>> OperationRegistry::events(Operation& operation, const EventQuery& query) {
    auto events = operation.events(query);
    if (events && operation.is_stored() && query.after + 1 < operation.first_seq()) {
        return with_older(operation, query, std::move(events).value());
    }
    return events;
}

}  // namespace ktrdr
