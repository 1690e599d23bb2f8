#pragma once

#include <filesystem>
#include <memory>

#include <ktrdr/adapter/host_service.hpp>
#include <ktrdr/base/env.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/data/data_manager.hpp>

namespace ktrdr {

struct DataManagerOptions {
    /// Holds `ktrdr.db`; made when it is not there.
    std::filesystem::path data_dir{};
    HostServiceArguments host_service{};
    /// Asked in place of a host service; null for none.
    std::shared_ptr<BarSource> source{};
    DatabaseOptions database{};
    /// The user's own calendars; null for none.
    CalendarRulesPtr calendars{};
};

/// The source behind the IB host service that arguments or environment choose; null where they choose none.
///
/// Environment: that of `open_data_manager`. Errors: `configuration` for a setting or URL that cannot be used.
[[nodiscard]] KTRDR_EXPORT Result<std::shared_ptr<BarSource>> open_ib_source(const DataServices& services,
                                                                             const HostServiceArguments& asked,
                                                                             const Env& env);

/// The manager of `<data_dir>/ktrdr.db`, which asks the IB host service where arguments or environment choose it.
///
/// Environment: `USE_IB_HOST_SERVICE`, `IB_HOST_SERVICE_{URL,TIMEOUT,MAX_RETRIES,POOL_LIMIT,KEEPALIVE}`; arguments come
/// first. `KTRDR_SHARED_FILES` decides who may read a file that is made (`file_access`), whatever `database.access` is.
/// Errors: `configuration` for a setting or URL that cannot be used, `invalid_argument` for a source beside a host
/// service; the file is not touched then. Else those of `Database::open`.
[[nodiscard]] KTRDR_EXPORT Result<std::shared_ptr<DataManager>> open_data_manager(DataServices services,
                                                                                  const DataManagerOptions& options,
                                                                                  Env env);

/// What `load_data` of the manager that `options` name would refuse at once; nothing is opened, made or asked.
///
/// Errors: those of `check_request`, and `configuration` where the mode needs a source and neither options nor
/// environment choose one.
[[nodiscard]] KTRDR_EXPORT Result<void> check_load(const LoadRequest& request, const DataManagerOptions& options,
                                                   const Env& env, const Clock& clock);

}  // namespace ktrdr
