#include <ktrdr/runtime/open_data_manager.hpp>

#include <ktrdr/data/ib_data_adapter.hpp>

#include "schemas.hpp"

namespace ktrdr {
namespace {

Result<std::shared_ptr<BarSource>> open_source(const DataServices& services, const DataManagerOptions& options,
                                               const Env& env) {
    const HostServiceArguments& asked = options.host_service;
    if (options.source) {
        if (asked.url || asked.use_host_service.value_or(false)) {
            return fail(Errc::invalid_argument,
                        "a source and the IB host service were given together: leave one of them out",
                        {{"field", "source"}});
        }
        return options.source;
    }
    return open_ib_source(services, asked, env);
}

}  // namespace

Result<std::shared_ptr<BarSource>> open_ib_source(const DataServices& services, const HostServiceArguments& asked,
                                                  const Env& env) {
    auto service = open_host_service({services.io, {services.io_executor, services.compute}},
                                     DataManager::host_service(), env, asked);
    if (!service) {
        return service.error();
    }
    if (!*service) {
        return std::shared_ptr<BarSource>();
    }
    return std::make_shared<IbDataAdapter>(std::move(*service), services.compute, services.clock);
}

Result<void> check_load(const LoadRequest& request, const DataManagerOptions& options, const Env& env,
                        const Clock& clock) {
    const auto task = check_request(request, {}, clock.utc_now());
    if (!task) {
        return task.error();
    }
    if (task->mode == LoadMode::local || options.source) {
        return {};
    }
    const HostServiceArguments& asked = options.host_service;
    const auto route = resolve_route(DataManager::host_service().names, env, asked.use_host_service, asked.url);
    if (!route) {
        return route.error();
    }
    return route->use_host_service ? Result<void>() : Result<void>(DataManager::no_source());
}

Result<std::shared_ptr<DataManager>> open_data_manager(DataServices services, const DataManagerOptions& options,
                                                       Env env) {
    if (options.data_dir.empty()) {
        return fail(Errc::configuration, "there is no data directory: give data_dir or set KTRDR_DATA_DIR");
    }
    auto source = open_source(services, options, env);
    if (!source) {
        return source.error();
    }
    const auto access = file_access(env);
    if (!access) {
        return access.error();
    }
    DatabaseOptions database = options.database;
    database.access = *access;
    auto storage = Storage::open(options.data_dir / "ktrdr.db", schemas(), services.store, services.clock, database);
    if (!storage) {
        return storage.error();
    }
    services.registry.attach((*storage)->operations());
    (*storage)->operations()->keep_house();
    return std::make_shared<DataManager>(services, std::move(*storage), std::move(*source), std::move(env),
                                         options.calendars);
}

}  // namespace ktrdr
