#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/adapter/host_service.hpp>
#include <ktrdr/base/env.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/files.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/models/model_directory.hpp>
#include <ktrdr/orchestrator/service_orchestrator.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/local_training_runner.hpp>
#include <ktrdr/training/shared_training_data.hpp>
#include <ktrdr/training/trainer_slot.hpp>
#include <ktrdr/training/training_adapter.hpp>
#include <ktrdr/training/training_context.hpp>
#include <ktrdr/training/training_queue.hpp>

namespace ktrdr {

/// What the runtime lends; all of it outlives every manager.
struct TrainingServices {
    Executor& io_executor;
    const Clock& clock;
    /// Runs each function on a thread of its own, as many at once as it admits.
    Executor& training_threads;
    OperationRegistry& registry;
    /// Which of them train at once; null: the manager has one of its own for `trainings_at_once`.
    std::shared_ptr<TrainingQueue> queue{};
    /// Where it is looked up how much memory a training takes; null: on the io thread, for bars that are in memory.
    Executor* compute{nullptr};
};

/// How many trainings a process runs at once, if its cores are not more.
inline constexpr std::size_t trainings_at_once = 10;
/// And how many it may be told to run at once.
inline constexpr std::size_t most_trainings_at_once = 256;

/// What the trainings of a process may take together; what is unset stays as it is.
struct TrainingLimits {
    /// Trainings at once. 1 to `most_trainings_at_once`.
    std::optional<std::int64_t> sessions{};
    /// Bytes, by what `estimate_memory` tells of each. At least 1.
    std::optional<std::int64_t> memory_limit{};
};

/// What a training manager stands on.
struct TrainingManagerParts {
    std::filesystem::path models_dir{};
    /// Whose models are; by the environment, `create` fills it in.
    FileAccess access{FileAccess::owner_only};
    std::shared_ptr<BarProvider> bars{};
    /// The host service that trains; null for this machine.
    std::shared_ptr<AsyncServiceAdapter> service{};
    /// What the sessions on that service run on; set exactly when there is one.
    std::optional<HostServiceMeans> means{};
    /// Of the queue, for all managers that share it; the last word counts.
    TrainingLimits limits{};
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
    /// `invalid_argument` without a models directory, for limits out of range, and for limits where a host trains;
    /// `storage` for a directory whose path is not UTF-8. A change of the
    /// working directory does not move it. What killed trainings left in it is removed.
    [[nodiscard]] static Result<std::shared_ptr<TrainingManager>> create(TrainingServices services,
                                                                         TrainingManagerParts parts, Env env);

    [[nodiscard]] static HostService host_service();

    /// Begin a training; its value is the result of training.md as a `boost::json::object`.
    ///
    /// With a host service the training is a session there (`HostSessionManager`), which needs no `slot`. One that is
    /// resumed goes on where it was begun alone: on this machine, or on that host, which may train still.
    /// Errors: `strategy`, `invalid_argument`, `storage` for a models directory that cannot be made, `client_closed`
    /// after `close` of a manager with a host service; nothing was begun then. Cancellation: `token` is the
    /// operation's parent. One that still waits for its turn ends at once. One that takes more memory than all may
    /// together ends with `out_of_resources` before it reads a bar.
    [[nodiscard]] Result<std::shared_ptr<Operation>> train(TrainingRequest request, std::shared_ptr<TrainerSlot> slot,
                                                           CancellationToken token);

    /// Whether a training of this machine has left something to go on from, and removing it.
    [[nodiscard]] bool has_checkpoint(const std::string& operation_id) const;
    void remove_checkpoint(const std::string& operation_id) const;

    /// The trainings of this machine that run or wait for their turn, whichever manager of the process began them.
    [[nodiscard]] std::vector<QueuePlace> queue() const;
    [[nodiscard]] QueueLimits limits() const;
    /// See `SharedTrainingData::keep_last`.
    [[nodiscard]] std::shared_ptr<void> keep_last_rows() const;

    [[nodiscard]] std::string service_name() const override { return host_service().names.service; }
    [[nodiscard]] std::string default_host_url() const override { return host_service().names.default_host_url; }
    [[nodiscard]] std::string env_var_prefix() const override { return host_service().names.env_var_prefix; }

    /// Where its trainings get their bars.
    [[nodiscard]] const std::shared_ptr<BarProvider>& bars() const noexcept { return parts_.bars; }
    /// The host service that trains; null for this machine.
    [[nodiscard]] const std::shared_ptr<AsyncServiceAdapter>& service() const noexcept { return parts_.service; }
    /// Take no more trainings for the host service, and let go of its connections once those in work have ended.
    void close();

private:
    TrainingManager(TrainingServices services, TrainingManagerParts parts, Env env);
    /// What carries a training out: a thread of this machine, or a session on the host.
    [[nodiscard]] CheckpointFiles checkpoints() const;
    [[nodiscard]] Result<OperationWork> work_of(TrainingRequest request, TrainingOperationContext context,
                                                std::shared_ptr<BarProvider> bars, std::shared_ptr<TrainerSlot> slot,
                                                ModelDirectory models, CheckpointUse use);
    /// Whether the training of this id was begun where this manager trains.
    [[nodiscard]] Result<void> check_began_here(const std::string& operation_id) const;
    /// The last epoch that a training of before has told; 0 for none.
    [[nodiscard]] Result<std::int64_t> told_epochs(const std::string& operation_id) const;

    const TrainingServices services_;
    const TrainingManagerParts parts_;
    const std::shared_ptr<TrainingQueue> queue_;
    const std::shared_ptr<SharedTrainingData> data_ = std::make_shared<SharedTrainingData>();
    std::mutex mutex_;
    /// Null for this machine, and once it is closed.
    std::shared_ptr<TrainingAdapter> adapter_;
};

}  // namespace ktrdr
