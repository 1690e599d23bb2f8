#pragma once

#include <filesystem>
#include <memory>

#include <ktrdr/adapter/host_service.hpp>
#include <ktrdr/base/env.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/data/data_manager.hpp>
#include <ktrdr/training/training_manager.hpp>

namespace ktrdr {

struct TrainingManagerOptions {
    /// Where models are written; made when it is not there.
    std::filesystem::path models_dir{};
    HostServiceArguments host_service{};
    TrainingLimits limits{};
};

/// A manager that trains on the stored bars of `data` and keeps its operations in the same file.
///
/// Environment: `USE_TRAINING_HOST_SERVICE`, `TRAINING_HOST_SERVICE_{URL,TIMEOUT,MAX_RETRIES,POOL_LIMIT,KEEPALIVE}`;
/// arguments come first.
/// Errors: `configuration` for a setting or URL that cannot be used, and those of `TrainingManager::create`.
[[nodiscard]] KTRDR_EXPORT Result<std::shared_ptr<TrainingManager>> open_training_manager(
    TrainingServices services, const HostServiceMeans& means, const TrainingManagerOptions& options,
    std::shared_ptr<DataManager> data, Env env);

}  // namespace ktrdr
