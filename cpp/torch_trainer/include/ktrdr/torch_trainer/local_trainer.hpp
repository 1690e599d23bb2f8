#pragma once

#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// Trains a multilayer perceptron with LibTorch on this machine's CPU, on the calling thread and one core.
///
/// The model is what `nn.Sequential(Linear, activation, Dropout, …, Linear)` would be, whatever the dropout, so the
/// k-th linear layer is `{3k}.weight` and `{3k}.bias`. The weights are those of the epoch that was best on the
/// validation part: by the monitor of `early_stopping`, else by `val_loss`. The test part may be empty: `test_loss` is
/// NaN then.
///
/// Errors: `invalid_argument` for an option or label out of range, `not_enough_data` for an empty training or
/// validation part, `training` for a loss that is not finite (with `epoch` and `batch`) and for anything LibTorch
/// reports. Cancellation: polled before each batch and before each slice of an evaluation. Thread safety: stateless;
/// see `Trainer`. Torch's thread count and modes are the same afterwards as before.
class LocalTrainer final : public Trainer {
public:
    [[nodiscard]] Result<TrainedModel> train(const TrainerInput& input, TrainerEvents& events,
                                             const CancellationToken& token) override;
};

}  // namespace ktrdr
