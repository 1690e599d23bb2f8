#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/operations/operation.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/checkpoint_files.hpp>
#include <ktrdr/training/evaluation.hpp>
#include <ktrdr/models/model_directory.hpp>
#include <ktrdr/training/shared_training_data.hpp>
#include <ktrdr/training/trainer_slot.hpp>
#include <ktrdr/training/training_context.hpp>

namespace ktrdr {

struct TrainingData;
class TrainingProgressBridge;

/// When checkpoints of a training are written, and from whose it goes on.
struct CheckpointUse {
    CheckpointPlan plan{};
    /// Empty: from the beginning.
    std::string from{};
    /// Whether it is an error when there is none.
    bool must_be_there{false};
};

/// Does one training on the calling thread, from waiting for the trainer to the model on disk.
///
/// Every epoch is a metric of the operation. Checkpoints are written as `checkpoints` says, and are removed once the
/// model is there; one that cannot be written is a warning of the operation.
///
/// Cancellation: the operation's token is polled in every step; what is not finished leaves nothing behind but a
/// checkpoint.
/// Errors: those of the provider, the trainer and the disk; `not_enough_data` naming symbol and bars.
class KTRDR_EXPORT LocalTrainingRunner final {
public:
    LocalTrainingRunner(TrainingOperationContext context, std::shared_ptr<BarProvider> bars,
                        std::shared_ptr<TrainerSlot> slot, ModelDirectory models, const Clock& clock,
                        std::optional<CheckpointFiles> files = std::nullopt, CheckpointUse use = {});

    /// The result of training.md, "Result schema". Blocks until it is there.
    ///
    /// Its rows, and those of its random walk, are those of `shared`, where another training has the same.
    [[nodiscard]] Result<boost::json::object> run(Operation& operation, SharedTrainingData& shared);

private:
    /// What is found out about a trained model.
    struct Measured {
        Evaluation test{};
        std::vector<double> importance{};
        boost::json::object random_walk{};
    };
    [[nodiscard]] Result<Measured> measure(Trainer& trainer, const TrainedModel& model, const TrainingData& data,
                                           SharedTrainingData& shared, const CancellationToken& token,
                                           TrainingProgressBridge& bridge) const;
    [[nodiscard]] Result<std::shared_ptr<const TrainingData>> prepare(SharedTrainingData& shared, Operation& operation,
                                                                      TrainingProgressBridge& bridge);
    [[nodiscard]] Result<TrainedModel> train(Trainer& trainer, TrainerInput input, const TrainingData& data,
                                             Operation& operation, TrainingProgressBridge& bridge);
    [[nodiscard]] Result<void> find_checkpoint(TrainerInput& input, Operation& operation) const;
    /// What follows the epochs: measuring and saving.
    [[nodiscard]] Result<boost::json::object> finish(Trainer& trainer, const TrainedModel& model, const ModelSpec& spec,
                                                     const TrainingData& data, SharedTrainingData& shared,
                                                     Operation& operation, TrainingProgressBridge& bridge) const;

    TrainingOperationContext context_;
    std::shared_ptr<BarProvider> bars_;
    std::shared_ptr<TrainerSlot> slot_;
    ModelDirectory models_;
    const Clock& clock_;
    std::optional<CheckpointFiles> files_;
    CheckpointUse use_;
    /// Of the strategy and the rows that checkpoints are of, once these are there.
    TrainingIdentity identity_{};
};

}  // namespace ktrdr
