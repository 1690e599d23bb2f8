// Loads that go on after the end of their process.

#include <algorithm>

#include <ktrdr/data/data_manager.hpp>

#include "load_parameters.hpp"

namespace ktrdr {
namespace {

/// An interrupted load, and what it asked for.
struct Interrupted {
    OperationRecord record;
    LoadRequest request;
};

/// Those of a store that can go on, in the order in which they do; those that do not say what they asked for are
/// refused.
Result<std::vector<Interrupted>> interrupted_loads(OperationStore& store, ResumedLoads& resumed) {
    // Of processes that have died since the file was opened, too.
    if (const auto found = store.recover(); !found) {
        return found.error();
    }
    OperationQuery query{
        .statuses = {OperationStatus::interrupted}, .type = DataJobManager::operation_type, .limit = 1000};
    std::vector<Interrupted> all;
    for (;;) {
        auto page = store.list(query);
        if (!page) {
            return page.error();
        }
        for (OperationRecord& record : page->records) {
            if (!record.resumable) {
                continue;
            }
            auto request = request_of(record.parameters);
            if (!request) {
                resumed.refused.emplace_back(record.id, request.error());
                continue;
            }
            request->operation_id = record.id;
            request->resume = true;
            all.push_back({std::move(record), std::move(*request)});
        }
        if (!page->next) {
            break;
        }
        query.cursor = page->next;
    }
    std::ranges::stable_sort(all, [](const Interrupted& one, const Interrupted& other) {
        return std::pair(-one.request.priority, one.record.created) <
               std::pair(-other.request.priority, other.record.created);
    });
    return all;
}

}  // namespace

Result<ResumedLoads> DataManager::resume_loads() {
    if (!source_) {
        return no_source();
    }
    const auto known = operations();
    if (!known) {
        return store().error();
    }
    ResumedLoads resumed;
    auto loads = interrupted_loads(*known, resumed);
    if (!loads) {
        return loads.error();
    }
    for (Interrupted& load : *loads) {
        auto operation = load_data(std::move(load.request), {});
        if (operation) {
            resumed.operations.push_back(std::move(*operation));
        } else {
            resumed.refused.emplace_back(load.record.id, operation.error());
        }
    }
    return resumed;
}

}  // namespace ktrdr
