#include <ktrdr/data/data_manager.hpp>

#include <fmt/format.h>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/data/data_loading_job.hpp>
#include <ktrdr/data/data_progress_renderer.hpp>
#include <ktrdr/data/ib_data_adapter.hpp>
#include <ktrdr/market/time_text.hpp>

#include "load_parameters.hpp"

namespace ktrdr {
namespace {

namespace json = boost::json;

json::object progress_context(const LoadTask& task) {
    return {{"operation", DataJobManager::operation_type},
            {"symbol", task.key.symbol},
            {"timeframe", task.key.timeframe.name()},
            {"mode", to_string(task.mode)},
            {"current_segment", 0},
            {"total_segments", 0},
            {"bars_processed", 0}};
}

boost::asio::awaitable<Result<BarsView>> run_job(std::shared_ptr<DataLoadingJob> job, SeriesKey key) {
    auto bars = co_await job->run();
    if (!bars) {
        co_return bars.error();
    }
    co_return BarsView(std::move(*bars), key.symbol, std::string(key.timeframe.name()), key.what_to_show);
}

Error closed() {
    return fail(Errc::client_closed, "this DataManager is closed: make a new one");
}

}  // namespace

DataManager::DataManager(DataServices services, std::shared_ptr<Storage> storage, std::shared_ptr<BarSource> source,
                         Env env, CalendarRulesPtr calendars)
    : ServiceOrchestrator(services.registry, services.io_executor, std::move(env)),
      services_(services),
      database_path_(storage->database()->file()),
      source_(std::move(source)),
      provider_(source_ ? source_->provider() : IbDataAdapter::provider_name),
      calendars_(std::move(calendars)),
      traffic_(make_source_traffic()),
      storage_(std::move(storage)),
      store_(std::make_shared<BarStore>(storage_->database())),
      jobs_(services.registry, services.io_executor, services.clock) {}

HostService DataManager::host_service() {
    HostService service;
    service.names = {"Data", "http://localhost:5001", "IB"};
    service.identity = IbDataAdapter::identity();
    // It keeps the pace that IB asks for, so an answer may take a while.
    service.defaults.timeout = std::chrono::minutes{1};
    service.defaults.max_connections = 10;
    return service;
}

Result<std::shared_ptr<Operation>> DataManager::load_data(LoadRequest request, CancellationToken token) {
    auto job = check_load(std::move(request), std::move(token));
    return job ? jobs_.run_job(std::move(*job)) : Result<std::shared_ptr<Operation>>(job.error());
}

Result<std::string> DataManager::create_load(LoadRequest request, CancellationToken token) {
    auto job = check_load(std::move(request), std::move(token));
    return job ? jobs_.create_job(std::move(*job)) : Result<std::string>(job.error());
}

Result<DataJob> DataManager::check_load(LoadRequest request, CancellationToken token) const {
    auto task = check_request(request, provider_, services_.clock.utc_now());
    if (!task) {
        return task.error();
    }
    // Two spellings of one symbol are one request.
    request.symbol = task->key.symbol;
    if (task->mode != LoadMode::local && !source_) {
        return no_source();
    }
    auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    const auto use = task->mode == LoadMode::local ? SeriesUse::read : SeriesUse::load;
    const auto found = find(series_of(request), use);
    if (!found) {
        return found.error();
    }
    task = check_request(request, *found, services_.clock.utc_now());
    if (!task) {
        return task.error();
    }
    if (task->mode != LoadMode::local) {
        if (const auto has = source_->check_kind(kind_of(task->key)); !has) {
            return has.error();
        }
    }
    auto job = job_of(request, std::move(*task), std::move(*open_store), std::move(token));
    // A read is a read: who wants a record of it names it.
    const bool unrecorded = job.spec.id.empty() && request.mode == to_string(LoadMode::local);
    job.spec.store = unrecorded ? services_.registry.memory() : operations();
    return job;
}

DataJob DataManager::job_of(const LoadRequest& request, LoadTask task, std::shared_ptr<BarStore> store,
                            CancellationToken token) const {
    DataJob job;
    job.spec.id = request.operation_id;
    job.spec.parent_id = request.parent_id;
    job.spec.name = fmt::format("{} {} ({})", task.key.symbol, task.key.timeframe.name(), to_string(task.mode));
    job.spec.resumable = task.mode != LoadMode::local;
    job.spec.resume = request.resume;
    job.spec.parameters = parameters_of(request);
    job.options.cancellation_token = std::move(token);
    job.options.renderer = std::make_shared<DataProgressRenderer>();
    job.options.steps = load_steps(task.mode, task.checks.any());
    job.options.context = progress_context(task);
    // The work outlives neither the services nor what it shares; the manager itself may go before it ends.
    job.work = [services = services_, task = std::move(task), store = std::move(store), source = source_,
                calendars = calendars_, traffic = traffic_,
                priority = request.priority](std::shared_ptr<Operation> operation, OperationDone done) {
        LoadMeans means{services.compute, services.store, services.clock, store, source, traffic, priority, calendars};
        auto loading = std::make_shared<DataLoadingJob>(task, std::move(means), std::move(operation));
        spawn_work(services.io, run_job(std::move(loading), task.key), std::move(done), "loading bars");
    };
    return job;
}

Result<FoundSeries> DataManager::find(const SeriesRequest& request, SeriesUse use) const {
    if (const auto checked = check_series(request, provider_); !checked) {
        return checked.error();
    }
    const auto open_store = store();
    return open_store ? find_series(request, provider_, **open_store, use, calendars_)
                      : Result<FoundSeries>(open_store.error());
}

Result<BarsPtr> DataManager::read(const SeriesRequest& request, TimeRange range) const {
    const auto found = find(request, SeriesUse::read);
    if (!found) {
        return found.error();
    }
    const auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    auto bars = (*open_store)->read(found->key, range);
    if (!bars) {
        return bars.error();
    }
    if (bars->empty()) {
        const auto& [symbol, timeframe, series] = request;
        std::string words;
        for (const auto& [name, word] :
             {std::pair{"what_to_show", &series.what_to_show}, std::pair{"session", &series.session}}) {
            words += *word ? fmt::format(", {}={:?}", name, **word) : "";
        }
        return fail(
            Errc::no_data,
            fmt::format("no {} bars of {}{} are stored in {}: load them with load_data({:?}, {:?}, start_date=…, "
                        "end_date=…, mode=\"full\"{})",
                        timeframe, symbol, words, database_path_.string(), symbol, timeframe, words),
            {{"symbol", symbol}, {"timeframe", timeframe}});
    }
    return std::make_shared<const Bars>(std::move(*bars));
}

Result<SeriesStamp> DataManager::stamp(const SeriesRequest& request, TimeRange range) const {
    const auto found = find(request, SeriesUse::read);
    if (!found) {
        return found.error();
    }
    const auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    auto stamp = (*open_store)->stamp(found->key, range);
    if (stamp) {
        const SessionCalendarPtr& sessions = found->grid.calendar();
        stamp->version += fmt::format(" {} {}{}", to_string(found->key), sessions ? sessions->name() : "",
                                      found->grid.extended() ? " extended" : "");
    }
    return stamp;
}

PoolStats DataManager::pool_stats() const {
    const auto asked = service();
    return asked ? asked->stats() : PoolStats{};
}

void DataManager::close() {
    {
        const std::scoped_lock lock(mutex_);
        store_.reset();
        storage_.reset();
    }
    settling_->close();
    jobs_.forget_waiting();
    if (const auto asked = service()) {
        asked->close();
    }
}

std::shared_ptr<OperationStore> DataManager::operations() const {
    const std::scoped_lock lock(mutex_);
    return storage_ ? storage_->operations() : nullptr;
}

Result<std::shared_ptr<BarStore>> DataManager::store() const {
    const std::scoped_lock lock(mutex_);
    return store_ ? Result<std::shared_ptr<BarStore>>(store_) : Result<std::shared_ptr<BarStore>>(closed());
}

Error DataManager::no_source() {
    return fail(Errc::configuration,
                fmt::format("mode full needs a source of bars and none is configured: give ib_url=\"{0}\" or set "
                            "IB_HOST_SERVICE_URL={0} (USE_IB_HOST_SERVICE=true means that address, false a TWS or IB "
                            "Gateway that runs here); `python -m ktrdr_core.hosts.ib --port 5001` starts a service",
                            host_service().names.default_host_url),
                {{"argument", "ib_url"}, {"variables", {"USE_IB_HOST_SERVICE", "IB_HOST_SERVICE_URL"}}});
}

}  // namespace ktrdr
