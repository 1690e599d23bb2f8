#include "network.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace ktrdr {
namespace {

/// Each parameter starts on a cache line, as a tensor of its own would.
constexpr std::int64_t alignment = 64 / sizeof(float);

std::int64_t aligned(std::int64_t elements) {
    return (elements + alignment - 1) / alignment * alignment;
}

std::vector<std::int64_t> widths_of(const ModelSpec& spec) {
    std::vector<std::int64_t> widths{static_cast<std::int64_t>(spec.inputs)};
    widths.insert(widths.end(), spec.hidden_layers.begin(), spec.hidden_layers.end());
    widths.push_back(static_cast<std::int64_t>(spec.classes));
    return widths;
}

at::Tensor relu(const at::Tensor& x) {
    return at::relu(x);
}
at::Tensor tanh(const at::Tensor& x) {
    return at::tanh(x);
}
at::Tensor sigmoid(const at::Tensor& x) {
    return at::sigmoid(x);
}
at::Tensor leaky_relu(const at::Tensor& x) {
    return at::leaky_relu(x);
}
at::Tensor gelu(const at::Tensor& x) {
    return at::gelu(x);
}

auto activation_of(const std::string& name) {
    if (name == "tanh") {
        return tanh;
    }
    if (name == "sigmoid") {
        return sigmoid;
    }
    if (name == "leaky_relu") {
        return leaky_relu;
    }
    return name == "gelu" ? gelu : relu;
}

/// The part of `values` where `parameter`, a view into the network's own buffer, has its place there.
NamedTensor copy_of(const at::Tensor& values, const at::Tensor& parameter, std::string name) {
    const auto* first = values.const_data_ptr<float>() + parameter.storage_offset();
    return {std::move(name), parameter.sizes().vec(), {first, first + parameter.numel()}};
}

}  // namespace

Network::Network(const ModelSpec& spec, const at::Generator& generator, at::Device device)
    : activation_(activation_of(spec.activation)), dropout_(spec.dropout) {
    const c10::NoGradGuard no_grad;
    const std::vector<std::int64_t> widths = widths_of(spec);
    std::int64_t total = 0;
    for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer) {
        total += aligned(widths[layer] * widths[layer + 1]) + aligned(widths[layer + 1]);
    }
    const at::Tensor drawn = at::zeros({total}, at::kFloat);
    values_ = device.is_cpu() ? drawn : drawn.to(device);
    gradients_ = at::zeros_like(values_);
    std::int64_t offset = 0;
    for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer) {
        const std::int64_t in = widths[layer];
        const std::int64_t out = widths[layer + 1];
        // What nn::Linear starts with.
        const double bound = 1.0 / std::sqrt(static_cast<double>(in));
        drawn.narrow(0, offset, in * out).uniform_(-bound, bound, generator);
        at::Tensor weight = view(offset, {out, in});
        offset += aligned(in * out);
        drawn.narrow(0, offset, out).uniform_(-bound, bound, generator);
        at::Tensor bias = view(offset, {out});
        offset += aligned(out);
        layers_.push_back({std::move(weight), std::move(bias)});
    }
    if (!device.is_cpu()) {
        values_.copy_(drawn);
    }
}

at::Tensor Network::view(std::int64_t offset, at::IntArrayRef shape) const {
    std::int64_t elements = 1;
    for (const std::int64_t extent : shape) {
        elements *= extent;
    }
    at::Tensor parameter = values_.narrow(0, offset, elements).view(shape).detach();
    parameter.requires_grad_(true);
    // A defined gradient is added to in place, so it stays the view it is.
    parameter.mutable_grad() = gradients_.narrow(0, offset, elements).view(shape).detach();
    return parameter;
}

at::Tensor Network::forward(const at::Tensor& rows, std::span<const at::Tensor> masks) const {
    at::Tensor x = rows;
    for (std::size_t layer = 0; layer + 1 < layers_.size(); ++layer) {
        x = activation_(at::linear(x, layers_[layer].weight, layers_[layer].bias));
        if (!masks.empty()) {
            x = x.mul(masks[layer]);
        }
    }
    return at::linear(x, layers_.back().weight, layers_.back().bias);
}

std::vector<at::Tensor> Network::make_masks(std::int64_t rows) const {
    std::vector<at::Tensor> masks;
    for (std::size_t layer = 0; dropout_ > 0 && layer + 1 < layers_.size(); ++layer) {
        masks.push_back(at::empty({rows, layers_[layer].bias.numel()}, at::kFloat));
    }
    return masks;
}

void Network::draw_masks(std::span<const at::Tensor> masks, const at::Generator& generator) const {
    // By the generator's own words: bernoulli_ takes ten times as long to draw one.
    auto* const source = at::check_generator<at::CPUGeneratorImpl>(generator);
    at::mt19937 words = source->engine();
    const auto dropped = static_cast<std::uint32_t>(std::ldexp(dropout_, 32));
    const auto kept = static_cast<float>(1 / (1 - dropout_));
    for (const at::Tensor& mask : masks) {
        auto* const to = mask.mutable_data_ptr<float>();
        std::generate_n(to, mask.numel(), [&] { return words() < dropped ? 0.0F : kept; });
    }
    source->set_engine(words);
}

std::vector<NamedTensor> Network::parameters(const at::Tensor& values, const std::string& prefix) const {
    const at::Tensor read = values.cpu();
    std::vector<NamedTensor> parameters;
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
        // Three modules a layer in nn.Sequential: linear, activation, dropout.
        const std::string name = prefix + std::to_string(3 * layer);
        parameters.push_back(copy_of(read, layers_[layer].weight, name + ".weight"));
        parameters.push_back(copy_of(read, layers_[layer].bias, name + ".bias"));
    }
    return parameters;
}

void Network::load(std::span<const NamedTensor> parameters, const at::Tensor& values) const {
    const auto take = [&values](const at::Tensor& parameter, const NamedTensor& kept) {
        // LibTorch has no tensor of constant memory; this one is only read.
        const at::Tensor given = at::from_blob(const_cast<float*>(kept.values.data()), {parameter.numel()}, at::kFloat);
        values.narrow(0, parameter.storage_offset(), parameter.numel()).copy_(given);
    };
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
        take(layers_[layer].weight, parameters[2 * layer]);
        take(layers_[layer].bias, parameters[2 * layer + 1]);
    }
}

}  // namespace ktrdr
