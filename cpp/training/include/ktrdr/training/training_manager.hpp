#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <ktrdr/base/env.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/orchestrator/service_orchestrator.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/trainer_slot.hpp>
#include <ktrdr/training/training_context.hpp>

namespace ktrdr {

/// What the runtime lends; all of it outlives every manager.
struct TrainingServices {
    Executor& io_executor;
    const Clock& clock;
    /// Runs each function on a thread of its own, as many at once as it admits.
    Executor& training_threads;
    OperationRegistry& registry;
};

struct TrainingManagerOptions {
    std::filesystem::path models_dir{};
    /// Unset: what `USE_TRAINING_HOST_SERVICE` says, else this machine.
    std::optional<bool> use_training_host_service{};
    std::optional<std::string> training_url{};
    /// Where its operations are kept; null: the registry's own store.
    std::shared_ptr<OperationStore> operations{};
};

/// Trains models of strategies on stored bars.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT TrainingManager final : public ServiceOrchestrator,
                                           public std::enable_shared_from_this<TrainingManager>,
                                           private Counted<TrainingManager> {
public:
    /// `invalid_argument` without a models directory; `configuration` for a variable that cannot be read.
    [[nodiscard]] static Result<std::shared_ptr<TrainingManager>> create(TrainingServices services,
                                                                         TrainingManagerOptions options,
                                                                         std::shared_ptr<BarProvider> bars, Env env);

    /// Begin a training; its value is the result of training.md as a `boost::json::object`.
    ///
    /// Errors: `strategy`, `invalid_argument`, `storage` for a models directory that cannot be made, `not_available`
    /// when a host service was chosen; nothing was begun then. Cancellation: `token` is the operation's parent. One
    /// that still waits for a thread ends at once.
    [[nodiscard]] Result<std::shared_ptr<Operation>> train(TrainingRequest request, std::shared_ptr<TrainerSlot> slot,
                                                           CancellationToken token);

    [[nodiscard]] std::string service_name() const override { return "Training"; }
    [[nodiscard]] std::string default_host_url() const override { return "http://localhost:5002"; }
    [[nodiscard]] std::string env_var_prefix() const override { return "TRAINING"; }

private:
    TrainingManager(TrainingServices services, TrainingManagerOptions options, std::shared_ptr<BarProvider> bars,
                    Env env);
    [[nodiscard]] Result<void> check_route() const;

    TrainingServices services_;
    TrainingManagerOptions options_;
    std::shared_ptr<BarProvider> bars_;
};

}  // namespace ktrdr
