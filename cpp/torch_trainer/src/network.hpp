#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <span>
#include <string>
#include <vector>

#include <ktrdr/models/named_tensor.hpp>
#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// A multilayer perceptron whose parameters, and their gradients, are views into one buffer each, so that an
/// optimizer's step, the gradient's norm and the copy of the best weights are one operation each.
///
/// `nn::Linear` and `nn::Dropout` draw from torch's global generator, where another session would change the result;
/// this class draws from the generator it is given and from nothing else: one of the CPU, whatever the device.
class Network final {
public:
    /// Parameters are leaves of autograd's graph, with their gradients as views into `gradients()`.
    struct Layer {
        at::Tensor weight;
        at::Tensor bias;
    };

    Network(const ModelSpec& spec, const at::Generator& generator, at::Device device);

    /// The logits of `rows`, without dropout.
    [[nodiscard]] at::Tensor forward(const at::Tensor& rows) const { return forward(rows, {}); }
    /// The logits of `rows`, each hidden layer's output multiplied by its mask; no masks: no dropout.
    [[nodiscard]] at::Tensor forward(const at::Tensor& rows, std::span<const at::Tensor> masks) const;
    /// Room on the CPU for a mask for each hidden layer, with a line a row. None when there is no dropout.
    [[nodiscard]] std::vector<at::Tensor> make_masks(std::int64_t rows) const;
    /// Fill masks anew: 0 with probability `dropout`, else 1 / (1 - dropout).
    void draw_masks(std::span<const at::Tensor> masks, const at::Generator& generator) const;

    [[nodiscard]] const std::vector<Layer>& layers() const noexcept { return layers_; }
    /// All parameters in one buffer. Gaps between them stay zero.
    [[nodiscard]] const at::Tensor& values() const noexcept { return values_; }
    /// The gradient of each of `values()`; a backward pass adds to it.
    [[nodiscard]] const at::Tensor& gradients() const noexcept { return gradients_; }
    /// A copy of every parameter that `values` holds, each under its name after `prefix`; `values` is laid out as
    /// `values()`.
    [[nodiscard]] std::vector<NamedTensor> parameters(const at::Tensor& values, const std::string& prefix = "") const;
    /// Fill `values`, laid out as `values()`, from what `parameters` gave.
    void load(std::span<const NamedTensor> parameters, const at::Tensor& values) const;

private:
    using Activation = at::Tensor (*)(const at::Tensor&);
    [[nodiscard]] at::Tensor view(std::int64_t offset, at::IntArrayRef shape) const;

    Activation activation_;
    double dropout_;
    at::Tensor values_;
    at::Tensor gradients_;
    std::vector<Layer> layers_;
};

}  // namespace ktrdr
