#pragma once

#include <memory>

#include <ktrdr/training/trainer.hpp>
#include <ktrdr/training/training_context.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {

/// What a trainer is given for a strategy and its rows, which stay alive with all of `data`.
[[nodiscard]] inline TrainerInput make_input(const TrainingOperationContext& context,
                                             const std::shared_ptr<const TrainingData>& data) {
    TrainerInput input;
    input.model = context.strategy.model;
    input.model.inputs = data->feature_names.size();
    input.model.classes = signal_names.size();
    input.options = context.strategy.options;
    input.rows = {data, &data->rows};
    return input;
}

}  // namespace ktrdr
