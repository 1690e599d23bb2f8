#include <ktrdr/torch_trainer/local_trainer.hpp>

#include "check_input.hpp"
#include "training_session.hpp"

namespace ktrdr {

Result<TrainedModel> LocalTrainer::train(const TrainerInput& input, TrainerEvents& events,
                                         const CancellationToken& token) {
    if (auto checked = check_input(input); !checked) {
        return checked.error();
    }
    return run_training_session(input, step_, events, token);
}

}  // namespace ktrdr
