#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "network.hpp"

namespace ktrdr {

/// Adam (weight decay as L2), AdamW or SGD without momentum over a network's one buffer: one fused kernel a step.
class Optimizer final {
public:
    Optimizer(const Network& network, const TrainerOptions& options);

    /// Clip the gradients if asked to, then move the parameters. Reads no tensor back.
    void step();
    void set_learning_rate(double rate) noexcept { learning_rate_ = rate; }

    /// What it remembers of the steps so far; nothing for SGD.
    [[nodiscard]] std::vector<NamedTensor> memory() const;
    /// The same after `steps` steps, from what `memory` gave; every tensor of it must be there.
    void remember(std::span<const NamedTensor> memory, std::int64_t steps);

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
