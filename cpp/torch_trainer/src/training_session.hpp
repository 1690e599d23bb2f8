#pragma once

#include <ktrdr/torch_trainer/local_trainer.hpp>

namespace ktrdr {

/// One training from first weights, or from a checkpoint, to test part, on the calling thread. `input` has been
/// checked.
[[nodiscard]] Result<TrainedModel> run_training_session(const TrainerInput& input, StepChoice step,
                                                        TrainerEvents& events, const CancellationToken& token);

}  // namespace ktrdr
