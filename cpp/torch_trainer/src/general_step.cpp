// The step that takes any device: gradients by LibTorch's autograd.

#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/stack.h>
#include <c10/core/GradMode.h>
#include <algorithm>

#include "gradient_step.hpp"

namespace ktrdr {
namespace {

/// at::Reduction::None, whose header brings a class of every loss with it.
constexpr std::int64_t each_row = 0;

class GeneralStep final : public GradientStep {
public:
    explicit GeneralStep(const StepParts& parts) : parts_(parts) {}

    void begin_block(const at::Tensor& chosen) override {
        const at::Device device = parts_.network.values().device();
        const at::Tensor there = device.is_cpu() ? chosen : chosen.to(device);
        values_ = parts_.train.values.index_select(0, there);
        labels_ = parts_.train.labels.index_select(0, there);
        if (parts_.train.weights.defined()) {
            weights_ = parts_.train.weights.index_select(0, there);
        }
        masks_ = parts_.network.make_masks(chosen.numel());
        parts_.network.draw_masks(masks_, parts_.generator);
        for (at::Tensor& mask : masks_) {
            mask = device.is_cpu() ? mask : mask.to(device);
        }
        batch_masks_.resize(masks_.size());
    }

    void compute_gradients(std::int64_t from, std::int64_t count) override {
        parts_.network.gradients().zero_();
        const at::Tensor labels = labels_.narrow(0, from, count);
        std::ranges::transform(masks_, batch_masks_.begin(),
                               [&](const at::Tensor& mask) { return mask.narrow(0, from, count); });
        const c10::AutoGradMode grad{true};
        const at::Tensor logits = parts_.network.forward(values_.narrow(0, from, count), batch_masks_);
        const at::Tensor loss = loss_of(logits, labels, from);
        loss.backward();
        unread_.push_back({loss.detach(), logits.detach(), labels});
    }

    BatchSums read() override {
        BatchSums sums;
        if (unread_.empty()) {
            return sums;
        }
        std::vector<at::Tensor> losses;
        std::vector<at::Tensor> logits;
        std::vector<at::Tensor> labels;
        for (const Unread& unread : unread_) {
            losses.push_back(unread.loss);
            logits.push_back(unread.logits);
            labels.push_back(unread.labels);
            sums.rows.push_back(unread.labels.numel());
        }
        const at::Tensor read = at::stack(losses).cpu();
        const auto* loss = read.const_data_ptr<float>();
        sums.losses.assign(loss, loss + read.numel());
        sums.hits = at::cat(logits).argmax(1).eq(at::cat(labels)).sum().item<std::int64_t>();
        unread_.clear();
        return sums;
    }

private:
    struct Unread {
        at::Tensor loss;
        at::Tensor logits;
        at::Tensor labels;
    };

    [[nodiscard]] at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& labels, std::int64_t from) const {
        if (!weights_.defined()) {
            return at::cross_entropy_loss(logits, labels);
        }
        const at::Tensor weights = weights_.narrow(0, from, labels.numel());
        return at::cross_entropy_loss(logits, labels, {}, each_row).mul(weights).sum().div(weights.sum());
    }

    const StepParts parts_;
    at::Tensor values_{};
    at::Tensor labels_{};
    at::Tensor weights_{};
    std::vector<at::Tensor> masks_{};
    std::vector<at::Tensor> batch_masks_{};
    std::vector<Unread> unread_{};
};

}  // namespace

std::unique_ptr<GradientStep> make_general_step(const StepParts& parts) {
    return std::make_unique<GeneralStep>(parts);
}

}  // namespace ktrdr
