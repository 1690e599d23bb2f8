// What a data manager does to keep stored bars whole.

#include <ktrdr/data/data_manager.hpp>

namespace ktrdr {
namespace {

/// What `act` makes of a store and of the series that the words name.
template <class Act>
auto with_series(const Result<std::shared_ptr<BarStore>>& store, const std::string& symbol,
                 const std::string& timeframe, const std::string& provider, Act act)
    -> decltype(act(**store, std::declval<const SeriesKey&>())) {
    const auto key = check_series(symbol, timeframe, provider);
    if (!key) {
        return key.error();
    }
    if (!store) {
        return store.error();
    }
    return act(**store, *key);
}

}  // namespace

Result<std::vector<SeriesChange>> DataManager::changes(const std::string& symbol, const std::string& timeframe) const {
    return with_series(store(), symbol, timeframe, provider_,
                       [](BarStore& stored, const SeriesKey& key) { return stored.changes(key); });
}

Result<SeriesChange> DataManager::undo(const std::string& symbol, const std::string& timeframe) {
    return with_series(store(), symbol, timeframe, provider_,
                       [](BarStore& stored, const SeriesKey& key) { return stored.undo(key); });
}

Result<std::size_t> DataManager::forget(const LoadRequest& request) {
    LoadRequest local = request;
    local.mode = to_string(LoadMode::local);
    const UtcTime now = services_.clock.utc_now();
    const auto task = check_request(local, provider_, now);
    if (!task) {
        return task.error();
    }
    return with_series(store(), request.symbol, request.timeframe, provider_,
                       [&](BarStore& stored, const SeriesKey&) { return stored.forget(task->key, task->range, now); });
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
