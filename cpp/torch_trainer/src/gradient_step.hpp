#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <memory>
#include <vector>

#include "network.hpp"

namespace ktrdr {

/// The rows of one part of a training, where they are used.
struct PartRows {
    std::int64_t rows{0};
    at::Tensor values{};
    at::Tensor labels{};
    /// How much each row counts; undefined: all the same.
    at::Tensor weights{};
};

/// What a step is made over; all of it outlives the step.
struct StepParts {
    const Network& network;
    const PartRows& train;
    std::int64_t batch_size{0};
    /// Most batches of a block.
    std::int64_t block_batches{0};
    const at::Generator& generator;
};

/// What batches came to.
struct BatchSums {
    /// The mean loss and the rows of each, in order.
    std::vector<float> losses{};
    std::vector<std::int64_t> rows{};
    /// Rows of all of them whose class was predicted.
    std::int64_t hits{0};
};

/// Computes the gradients of batches, block by block.
///
/// The rows of a block are brought together, and its masks drawn, at once: one call each. Both kinds draw the same
/// numbers in the same order.
class GradientStep {
public:
    virtual ~GradientStep() = default;
    /// `chosen`: the rows of the block, by number, on the CPU.
    virtual void begin_block(const at::Tensor& chosen) = 0;
    /// Put the gradients of `count` rows of the block, from row `from` on, into the network's.
    virtual void compute_gradients(std::int64_t from, std::int64_t count) = 0;
    /// What the batches since the last time came to.
    [[nodiscard]] virtual BatchSums read() = 0;
};

/// By autograd: any device.
[[nodiscard]] std::unique_ptr<GradientStep> make_general_step(const StepParts& parts);
/// Written out for a multilayer perceptron: on the CPU, without a graph and without an allocation in a batch.
[[nodiscard]] std::unique_ptr<GradientStep> make_mlp_step(const StepParts& parts, const std::string& activation);

}  // namespace ktrdr
