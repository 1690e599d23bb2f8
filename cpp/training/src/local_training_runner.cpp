#include <ktrdr/training/local_training_runner.hpp>

#include <fmt/format.h>

#include <utility>

#include <ktrdr/base/memory.hpp>
#include <ktrdr/training/training_data.hpp>
#include <ktrdr/training/training_progress.hpp>

#include "random_walk_baseline.hpp"
#include "result_schema.hpp"
#include "trainer_input.hpp"

namespace ktrdr {
namespace {

/// Passes on what a trainer tells: progress and epochs to the bridge, checkpoints to the disk.
class RunnerEvents final : public TrainerEvents {
public:
    RunnerEvents(TrainingProgressBridge& bridge, Operation& operation, const CheckpointFiles* files,
                 const TrainingIdentity& identity)
        : bridge_(bridge), operation_(operation), files_(files), identity_(identity) {}

    void on_batch(std::int64_t epoch, std::int64_t batch, std::int64_t batches, double loss) override {
        bridge_.on_batch(epoch, batch, batches, loss);
    }
    void on_epoch(const EpochReport& report) override { bridge_.on_epoch(report); }
    void on_evaluation() override { bridge_.on_evaluation(); }
    void on_checkpoint(const TrainerCheckpoint& checkpoint) override {
        const auto saved = files_->save(operation_.id(), identity_, checkpoint);
        if (!saved && !std::exchange(warned_, true)) {
            operation_.add_warning(fmt::format("{}; the training goes on without a checkpoint", saved.error().message));
        }
    }

private:
    TrainingProgressBridge& bridge_;
    Operation& operation_;
    const CheckpointFiles* files_;
    const TrainingIdentity& identity_;
    bool warned_{false};
};

}  // namespace

LocalTrainingRunner::LocalTrainingRunner(TrainingOperationContext context, std::shared_ptr<BarProvider> bars,
                                         std::shared_ptr<TrainerSlot> slot, ModelDirectory models, const Clock& clock,
                                         std::optional<CheckpointFiles> files, CheckpointUse use)
    : context_(std::move(context)),
      bars_(std::move(bars)),
      slot_(std::move(slot)),
      models_(std::move(models)),
      clock_(clock),
      files_(std::move(files)),
      use_(std::move(use)) {}

Result<std::shared_ptr<const TrainingData>> LocalTrainingRunner::prepare(SharedTrainingData& shared,
                                                                         Operation& operation,
                                                                         TrainingProgressBridge& bridge) {
    bool made = false;
    const auto make = [&] {
        made = true;
        return prepare_training_data(context_, *bars_, operation.token(), [&](std::size_t symbol, std::size_t stage) {
            bridge.on_preparation(context_.symbols[symbol], symbol, context_.symbols.size(), preparation_stages[stage],
                                  stage, preparation_stages.size());
        });
    };
    auto data = shared.get([&] { return data_key_of(context_, *bars_); }, make, operation.token(),
                           [&] { bridge.on_others_preparation(); });
    if (data && !made) {
        operation.add_log("learns from rows that another training has prepared");
    }
    return data;
}

Result<void> LocalTrainingRunner::find_checkpoint(TrainerInput& input, Operation& operation) const {
    if (use_.from.empty() || (!use_.must_be_there && !files_->contains(use_.from))) {
        return {};
    }
    auto checkpoint = files_->load(use_.from, identity_);
    if (!checkpoint) {
        return checkpoint.error();
    }
    input.resume = std::make_shared<const TrainerCheckpoint>(std::move(*checkpoint));
    operation.add_log("goes on from a checkpoint", {{"checkpoint_of", use_.from}});
    return {};
}

Result<TrainedModel> LocalTrainingRunner::train(Trainer& trainer, TrainerInput input, const TrainingData& data,
                                                Operation& operation, TrainingProgressBridge& bridge) {
    if (files_) {
        identity_ = identity_of(context_, data);
        input.checkpoints = use_.plan;
        if (auto found = find_checkpoint(input, operation); !found) {
            return found.error();
        }
    }
    RunnerEvents events(bridge, operation, files_ ? &*files_ : nullptr, identity_);
    auto model = trainer.train(input, events, operation.token());
    if (!model && model.error().code == Errc::training && files_) {
        // It would fail there again.
        files_->remove(operation.id());
    }
    return model;
}

Result<LocalTrainingRunner::Measured> LocalTrainingRunner::measure(Trainer& trainer, const TrainedModel& model,
                                                                   const TrainingData& data, SharedTrainingData& shared,
                                                                   const CancellationToken& token,
                                                                   TrainingProgressBridge& bridge) const {
    const auto network = Mlp::make(model.parameters, context_.strategy.model.activation);
    if (!network) {
        return network.error();
    }
    Measured measured;
    auto test = evaluate(*network, data.rows.test, token);
    if (!test) {
        return test.error();
    }
    measured.test = std::move(*test);
    if (context_.permutation_importance) {
        auto lost = permutation_importance(*network, data.rows.test, token);
        if (!lost) {
            return lost.error();
        }
        measured.importance = std::move(*lost);
    }
    auto walk = context_.random_walk_baseline ? random_walk_baseline(context_, bars_, shared, trainer, token, bridge)
                                              : Result<boost::json::object>(no_random_walk_baseline());
    if (!walk) {
        return walk.error();
    }
    measured.random_walk = std::move(*walk);
    return measured;
}

Result<boost::json::object> LocalTrainingRunner::run(Operation& operation, SharedTrainingData& shared) {
    const CancellationToken& token = operation.token();
    TrainingProgressBridge bridge(operation.progress(),
                                  [&](const EpochReport& report) { operation.add_metric(to_metric(report)); });
    bridge.on_initializing();
    models_.remove_leftovers();
    if (files_) {
        files_->remove_leftovers();
    }
    const auto trainer = slot_->wait(token);
    if (!trainer) {
        return trainer.error();
    }
    const auto prepared = prepare(shared, operation, bridge);
    if (!prepared) {
        return prepared.error();
    }
    const std::shared_ptr<const TrainingData>& data = *prepared;
    for (std::string& warning : warnings_of(*data)) {
        operation.add_warning(std::move(warning));
    }
    const TrainerInput input = make_input(context_, data);
    bridge.on_training(
        {input.options.epochs, static_cast<std::int64_t>(input.rows->train.rows), input.options.batch_size});
    const auto model = train(**trainer, input, *data, operation, bridge);
    if (!model) {
        return model.error();
    }
    auto result = finish(**trainer, *model, input.model, *data, shared, operation, bridge);
    if (!result && is_stop(result.error().code) && model->checkpoint && files_) {
        RunnerEvents(bridge, operation, &*files_, identity_).on_checkpoint(*model->checkpoint);
    }
    return result;
}

Result<boost::json::object> LocalTrainingRunner::finish(Trainer& trainer, const TrainedModel& model,
                                                        const ModelSpec& spec, const TrainingData& data,
                                                        SharedTrainingData& shared, Operation& operation,
                                                        TrainingProgressBridge& bridge) const {
    const CancellationToken& token = operation.token();
    auto measured = measure(trainer, model, data, shared, token, bridge);
    if (!measured) {
        return measured.error();
    }
    bridge.on_saving();
    const TrainingOutcome outcome{
        context_, operation.id(), model, spec, data, measured->test, measured->importance, measured->random_walk};
    auto figures = result_figures(outcome, token);
    if (!figures) {
        return figures.error();
    }
    ModelContent content = make_content(outcome, *figures, clock_.utc_now());
    const std::size_t bytes = content.safetensors.size();
    const auto saved = models_.save(context_.model_name(), std::move(content), [&token](std::string_view step) {
        return token.check(fmt::format("saving the model ({})", step));
    });
    if (!saved) {
        return saved.error();
    }
    bridge.on_saved();
    if (files_) {
        files_->remove(operation.id());
        if (!use_.from.empty()) {
            files_->remove(use_.from);
        }
    }
    return make_result(outcome, std::move(*figures), *saved, bytes, peak_memory());
}

}  // namespace ktrdr
