#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <span>
#include <vector>

#include <ktrdr/models/named_tensor.hpp>
#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// A multilayer perceptron whose parameters, and their gradients, are views into one buffer each, so that an
/// optimizer's step, the gradient's norm and the copy of the best weights are one operation each.
///
/// `nn::Linear` and `nn::Dropout` draw from torch's global generator, where another session would change the result;
/// this class draws from the generator it is given and from nothing else.
class Network final {
public:
    Network(const ModelSpec& spec, const at::Generator& generator);

    /// The logits of `rows`, without dropout.
    [[nodiscard]] at::Tensor forward(const at::Tensor& rows) const { return forward(rows, {}); }
    /// The logits of `rows`, each hidden layer's output multiplied by its mask; no masks: no dropout.
    [[nodiscard]] at::Tensor forward(const at::Tensor& rows, std::span<const at::Tensor> masks) const;
    /// A mask for each hidden layer, with a line a row: 0 with probability `dropout`, else 1 / (1 - dropout). None when
    /// there is no dropout.
    [[nodiscard]] std::vector<at::Tensor> draw_masks(std::int64_t rows, at::Generator generator) const;

    /// All parameters in one buffer. Gaps between them stay zero.
    [[nodiscard]] const at::Tensor& values() const noexcept { return values_; }
    /// The gradient of each of `values()`; a backward pass adds to it.
    [[nodiscard]] const at::Tensor& gradients() const noexcept { return gradients_; }
    /// A copy of every parameter under its name.
    [[nodiscard]] std::vector<NamedTensor> parameters() const;

private:
    using Activation = at::Tensor (*)(const at::Tensor&);
    struct Layer {
        at::Tensor weight;
        at::Tensor bias;
    };
    [[nodiscard]] at::Tensor view(std::int64_t offset, at::IntArrayRef shape) const;

    Activation activation_;
    double dropout_;
    at::Tensor values_;
    at::Tensor gradients_;
    std::vector<Layer> layers_;
};

}  // namespace ktrdr
