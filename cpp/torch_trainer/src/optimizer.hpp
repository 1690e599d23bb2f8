#pragma once

#include <optional>
#include <string>
#include <vector>

#include "network.hpp"

namespace ktrdr {

/// Adam (weight decay as L2), AdamW or plain SGD over a network's one buffer: one fused kernel a step.
class Optimizer final {
public:
    Optimizer(const Network& network, const TrainerOptions& options);

    /// Forget the gradients of the last step.
    void zero_gradients() const;
    /// Clip the gradients if asked to, then move the parameters. Reads no tensor back.
    void step();

private:
    void clip(double limit) const;

    enum class Kind { adam, adamw, sgd };
    Kind kind_;
    double learning_rate_;
    double weight_decay_;
    std::optional<double> gradient_clip_;
    std::vector<at::Tensor> values_;
    std::vector<at::Tensor> gradients_;
    std::vector<at::Tensor> means_;
    std::vector<at::Tensor> squares_;
    std::vector<at::Tensor> steps_;
};

}  // namespace ktrdr
