#pragma once

#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// What computes a training's gradients.
enum class StepChoice {
    /// `mlp` on the CPU, `general` on any other device.
    by_device,
    /// LibTorch's autograd.
    general,
    /// Forward and backward pass of a multilayer perceptron, written out over buffers that are made once. CPU only.
    mlp,
};

/// Trains a multilayer perceptron with LibTorch, on the calling thread and one core, or on an accelerator.
///
/// The model is what `nn.Sequential(Linear, activation, Dropout, …, Linear)` would be, whatever the dropout, so the
/// k-th linear layer is `{3k}.weight` and `{3k}.bias`. The weights are those of the epoch that was best on the
/// validation part: by the monitor of `early_stopping`, else by `val_loss`. The test part is not looked at, and may be
/// empty.
///
/// Every random number comes from one generator of the CPU, whatever the device. Both steps draw the same numbers and
/// give the same gradients but for rounding; the same input gives the same bits with each of them.
///
/// Errors: `invalid_argument` for an option, label, weight or value out of range, for a part of fewer rows than a batch
/// and for a checkpoint of another training, `not_available` for a device that is not there, `not_enough_data` for an
/// empty training or validation part or one class only, `training` for a loss that is not finite (with `epoch` and
/// `batch`) and for anything LibTorch reports. Cancellation: polled before each batch and before each slice of an
/// evaluation. Thread safety: stateless; see `Trainer`. Torch's thread count and modes are the same afterwards as
/// before.
class LocalTrainer final : public Trainer {
public:
    explicit LocalTrainer(StepChoice step = StepChoice::by_device) : step_(step) {}

    [[nodiscard]] Result<TrainedModel> train(const TrainerInput& input, TrainerEvents& events,
                                             const CancellationToken& token) override;

private:
    StepChoice step_;
};

}  // namespace ktrdr
