// What a data manager does to keep stored bars whole.

#include <ktrdr/data/data_manager.hpp>

namespace ktrdr {
namespace {

/// What `act` makes of a store and of the series that was found in it.
template <class Act>
auto with_series(const Result<std::shared_ptr<BarStore>>& store, const Result<FoundSeries>& series, Act act)
    -> decltype(act(**store, std::declval<const FoundSeries&>())) {
    if (!series) {
        return series.error();
    }
    if (!store) {
        return store.error();
    }
    return act(**store, *series);
}

}  // namespace

Result<std::vector<SeriesChange>> DataManager::changes(const SeriesRequest& request) const {
    return with_series(store(), find(request, SeriesUse::read),
                       [](BarStore& stored, const FoundSeries& series) { return stored.changes(series.key); });
}

Result<std::vector<BasisBreak>> DataManager::breaks(const SeriesRequest& request) const {
    return with_series(store(), find(request, SeriesUse::read), [](BarStore& stored, const FoundSeries& series) {
        auto facts = stored.facts(series.key);
        return facts ? Result<std::vector<BasisBreak>>(std::move(facts->breaks))
                     : Result<std::vector<BasisBreak>>(facts.error());
    });
}

Result<SeriesChange> DataManager::undo(const SeriesRequest& request) {
    return with_series(store(), find(request, SeriesUse::read),
                       [](BarStore& stored, const FoundSeries& series) { return stored.undo(series.key); });
}

Result<std::size_t> DataManager::forget(const LoadRequest& request) {
    LoadRequest local = request;
    local.mode = to_string(LoadMode::local);
    const UtcTime now = services_.clock.utc_now();
    return with_series(
        store(), find(series_of(request), SeriesUse::read), [&](BarStore& stored, const FoundSeries& series) {
            const auto task = check_request(local, series, now);
            return task ? stored.forget(series.key, task->range, now) : Result<std::size_t>(task.error());
        });
}

Result<BarCheck> DataManager::verify() const {
    const auto open_store = store();
    return open_store ? (*open_store)->verify() : Result<BarCheck>(open_store.error());
}

Result<Compacted> DataManager::compact() {
    const auto open_store = store();
    return open_store ? (*open_store)->compact() : Result<Compacted>(open_store.error());
}

}  // namespace ktrdr
