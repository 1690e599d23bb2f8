#pragma once

#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// One training from first weights to test part, on the calling thread. `input` has been checked.
[[nodiscard]] Result<TrainedModel> run_training_session(const TrainerInput& input, TrainerEvents& events,
                                                        const CancellationToken& token);

}  // namespace ktrdr
