#include "optimizer.hpp"

#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

namespace ktrdr {
namespace {

constexpr double beta1 = 0.9;
constexpr double beta2 = 0.999;
constexpr double epsilon = 1e-8;

using Tensors = at::TensorList;

void adam(Tensors values, Tensors gradients, Tensors means, Tensors squares, Tensors steps, double rate, double decay) {
    at::_fused_adam_(values, gradients, means, squares, {}, steps, rate, beta1, beta2, decay, epsilon, false, false);
}

void adamw(Tensors values, Tensors gradients, Tensors means, Tensors squares, Tensors steps, double rate,
           double decay) {
    at::_fused_adamw_(values, gradients, means, squares, {}, steps, rate, beta1, beta2, decay, epsilon, false, false);
}

NamedTensor memory_of(const at::Tensor& tensor, std::string name) {
    const at::Tensor read = tensor.cpu();
    const auto* values = read.const_data_ptr<float>();
    return {std::move(name), {read.numel()}, {values, values + read.numel()}};
}

void take(const at::Tensor& tensor, const NamedTensor& kept) {
    // LibTorch has no tensor of constant memory; this one is only read.
    tensor.copy_(at::from_blob(const_cast<float*>(kept.values.data()), {tensor.numel()}, at::kFloat));
}

}  // namespace

Optimizer::Optimizer(const Network& network, const TrainerOptions& options)
    : kind_(options.optimizer == "adam"    ? Kind::adam
            : options.optimizer == "adamw" ? Kind::adamw
                                           : Kind::sgd),
      learning_rate_(options.learning_rate),
      weight_decay_(options.weight_decay),
      gradient_clip_(options.gradient_clip),
      values_{network.values()},
      gradients_{network.gradients()} {
    if (kind_ != Kind::sgd) {
        means_ = {at::zeros_like(network.values())};
        squares_ = {at::zeros_like(network.values())};
        steps_ = {at::zeros(at::IntArrayRef{}, network.values().options())};
    }
}

void Optimizer::clip(double limit) const {
    const at::Tensor scale = gradients_.front().norm().add_(1e-6).reciprocal_().mul_(limit).clamp_max_(1.0);
    gradients_.front().mul_(scale);
}

void Optimizer::step() {
    if (gradient_clip_) {
        clip(*gradient_clip_);
    }
    if (kind_ == Kind::sgd) {
        at::_fused_sgd_(values_, gradients_, {}, weight_decay_, 0.0, learning_rate_, 0.0, false, false, true);
        return;
    }
    steps_.front().add_(1);
    const auto fused = kind_ == Kind::adam ? adam : adamw;
    fused(values_, gradients_, means_, squares_, steps_, learning_rate_, weight_decay_);
}

std::vector<NamedTensor> Optimizer::memory() const {
    if (kind_ == Kind::sgd) {
        return {};
    }
    return {memory_of(means_.front(), "optimizer.mean"), memory_of(squares_.front(), "optimizer.square")};
}

void Optimizer::remember(std::span<const NamedTensor> memory, std::int64_t steps) {
    if (kind_ == Kind::sgd) {
        return;
    }
    take(means_.front(), memory[0]);
    take(squares_.front(), memory[1]);
    steps_.front().fill_(steps);
}

}  // namespace ktrdr
