// The step for plain multilayer perceptrons on the CPU: both passes written out over buffers that are made once.

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu_backward_cpu_dispatch.h>
#include <ATen/ops/gelu_cpu_dispatch.h>
#include <ATen/ops/mm_cpu_dispatch.h>
#include <ATen/ops/sigmoid_cpu_dispatch.h>
#include <ATen/ops/tanh_cpu_dispatch.h>
#include <algorithm>
#include <array>

#include "dense_loops.hpp"
#include "gradient_step.hpp"

namespace ktrdr {
namespace {

enum class Unit { relu, leaky_relu, tanh, sigmoid, gelu };

Unit unit_of(const std::string& name) {
    const auto place = std::ranges::find(activation_names, name);
    // activation_names: relu, tanh, sigmoid, leaky_relu, gelu.
    constexpr std::array units{Unit::relu, Unit::tanh, Unit::sigmoid, Unit::leaky_relu, Unit::gelu};
    return units[static_cast<std::size_t>(place - activation_names.begin())];
}

at::Tensor room(std::int64_t rows, std::int64_t columns) {
    return at::empty({rows, columns}, at::kFloat);
}

/// A layer's parameters and where its gradients go.
struct DenseLayer {
    explicit DenseLayer(const Network::Layer& layer)
        : units(layer.bias.numel()),
          weight(layer.weight.detach()),
          turned(weight.t()),
          weight_gradient(layer.weight.grad()),
          bias(layer.bias.const_data_ptr<float>()),
          bias_gradient(layer.bias.grad().mutable_data_ptr<float>()) {}

    std::int64_t units;
    at::Tensor weight;
    at::Tensor turned;
    at::Tensor weight_gradient;
    const float* bias;
    float* bias_gradient;
};

/// What a layer makes of a batch; for a shorter batch the first rows of the same memory.
struct LayerRoom {
    enum class Kind { logits, one_output, own_outputs };
    LayerRoom(std::int64_t rows, std::int64_t units, Kind kind)
        : sums(room(rows, units)),
          outputs(kind == Kind::own_outputs ? room(rows, units) : sums),
          gradients(kind == Kind::logits ? sums : room(rows, units)) {}
    LayerRoom(const LayerRoom& whole, std::int64_t rows)
        : sums(whole.sums.narrow(0, 0, rows)),
          outputs(whole.outputs.narrow(0, 0, rows)),
          gradients(whole.gradients.narrow(0, 0, rows)) {}

    /// The layer's sums, overwritten by its activation where the slope can be told from that.
    at::Tensor sums;
    /// What the next layer sees, after the mask.
    at::Tensor outputs;
    /// Of the sums; those of logits take their place.
    at::Tensor gradients;
    at::Tensor turned_gradients{gradients.t()};
};

/// Views over everything that a batch of one size at one place of the block needs.
struct BatchViews {
    at::Tensor inputs;
    std::vector<LayerRoom> layers;
};

class MlpStep final : public GradientStep {
public:
    MlpStep(const StepParts& parts, const std::string& activation)
        : parts_(parts),
          unit_(unit_of(activation)),
          columns_(parts.train.values.size(1)),
          block_rows_(std::min(parts.train.rows, parts.block_batches * parts.batch_size)),
          values_(room(block_rows_, columns_)),
          labels_(static_cast<std::size_t>(block_rows_)),
          weights_(parts.train.weights.defined() ? labels_.size() : 0),
          masks_(parts.network.make_masks(block_rows_)) {
        for (const Network::Layer& layer : parts.network.layers()) {
            layers_.emplace_back(layer);
        }
        const std::int64_t batch = std::min(parts.batch_size, parts.train.rows);
        std::vector<LayerRoom> rooms;
        for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
            rooms.emplace_back(batch, layers_[layer].units, kind_of(layer));
        }
        for (std::int64_t from = 0; from + batch <= block_rows_; from += batch) {
            whole_.push_back({values_.narrow(0, from, batch), rooms});
        }
        make_last(batch, rooms);
        const auto batches = static_cast<std::size_t>(parts.block_batches);
        sums_.losses.reserve(batches);
        sums_.rows.reserve(batches);
    }

    void begin_block(const at::Tensor& chosen) override {
        const auto* row = chosen.const_data_ptr<std::int64_t>();
        const std::int64_t rows = chosen.numel();
        const auto* values = parts_.train.values.const_data_ptr<float>();
        const auto* labels = parts_.train.labels.const_data_ptr<std::int64_t>();
        auto* to = values_.mutable_data_ptr<float>();
        for (std::int64_t i = 0; i < rows; ++i, to += columns_) {
            std::copy_n(values + row[i] * columns_, columns_, to);
            labels_[static_cast<std::size_t>(i)] = labels[row[i]];
        }
        if (!weights_.empty()) {
            const auto* weights = parts_.train.weights.const_data_ptr<float>();
            std::transform(row, row + rows, weights_.begin(), [weights](std::int64_t one) { return weights[one]; });
        }
        std::vector<at::Tensor> filled;
        std::ranges::transform(masks_, std::back_inserter(filled),
                               [rows](const at::Tensor& mask) { return mask.narrow(0, 0, rows); });
        parts_.network.draw_masks(filled, parts_.generator);
    }

    void compute_gradients(std::int64_t from, std::int64_t count) override {
        // Nothing here is recorded or watched, so what torch does for that on each call is left out.
        const at::AutoDispatchBelowADInplaceOrView plain;
        const bool is_whole = count == parts_.batch_size || last_.layers.empty();
        BatchViews& batch = is_whole ? whole_[static_cast<std::size_t>(from / parts_.batch_size)] : last_;
        for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
            forward(batch, layer, from, count);
        }
        auto& logits = batch.layers.back().sums;
        // The logits' gradient takes their place.
        const auto weights = weights_.empty() ? nullptr : weights_.data() + from;
        const CrossEntropy met = cross_entropy_in_place(logits.mutable_data_ptr<float>(), labels_.data() + from,
                                                        weights, {count, layers_.back().units});
        sums_.losses.push_back(met.loss);
        sums_.rows.push_back(count);
        sums_.hits += met.hits;
        for (std::size_t layer = layers_.size(); layer-- > 0;) {
            backward(batch, layer, from, count);
        }
    }

    BatchSums read() override {
        BatchSums read = sums_;
        sums_.losses.clear();
        sums_.rows.clear();
        sums_.hits = 0;
        return read;
    }

private:
    [[nodiscard]] bool is_last(std::size_t layer) const { return layer + 1 == layers_.size(); }

    /// Outputs of its own has a layer whose slope cannot be told from what the next layer sees.
    [[nodiscard]] LayerRoom::Kind kind_of(std::size_t layer) const {
        if (is_last(layer)) {
            return LayerRoom::Kind::logits;
        }
        const bool masked = !masks_.empty() && (unit_ == Unit::tanh || unit_ == Unit::sigmoid);
        return masked || unit_ == Unit::gelu ? LayerRoom::Kind::own_outputs : LayerRoom::Kind::one_output;
    }

    /// The epoch's last batch is shorter when the rows do not divide.
    void make_last(std::int64_t batch, const std::vector<LayerRoom>& rooms) {
        const std::int64_t rows = parts_.train.rows % batch;
        if (rows == 0) {
            return;
        }
        const std::int64_t place = parts_.train.rows / batch % parts_.block_batches;
        last_.inputs = values_.narrow(0, place * batch, rows);
        for (const LayerRoom& one : rooms) {
            last_.layers.emplace_back(one, rows);
        }
    }

    [[nodiscard]] const float* mask_of(std::size_t layer, std::int64_t from) const {
        return masks_.empty() ? nullptr : masks_[layer].const_data_ptr<float>() + from * layers_[layer].units;
    }

    void forward(BatchViews& batch, std::size_t layer, std::int64_t from, std::int64_t count) {
        LayerRoom& room = batch.layers[layer];
        const at::Tensor& inputs = layer == 0 ? batch.inputs : batch.layers[layer - 1].outputs;
        at::cpu::mm_out(room.sums, inputs, layers_[layer].turned);
        auto* sums = room.sums.mutable_data_ptr<float>();
        const Extent2 extent{count, layers_[layer].units};
        if (is_last(layer)) {
            add_bias(sums, layers_[layer].bias, extent);
            return;
        }
        const float* const mask = mask_of(layer, from);
        if (unit_ == Unit::relu) {
            relu_in_place(sums, layers_[layer].bias, mask, extent);
            return;
        }
        if (unit_ == Unit::leaky_relu) {
            leaky_relu_in_place(sums, layers_[layer].bias, mask, extent);
            return;
        }
        add_bias(sums, layers_[layer].bias, extent);
        activate(room);
        if (mask != nullptr && unit_ == Unit::gelu) {
            multiply_in_place(room.outputs.mutable_data_ptr<float>(), mask, extent.rows * extent.units);
        } else if (mask != nullptr) {
            multiply(room.outputs.mutable_data_ptr<float>(), sums, mask, extent.rows * extent.units);
        }
    }

    void activate(LayerRoom& room) const {
        if (unit_ == Unit::gelu) {
            at::cpu::gelu_out(room.outputs, room.sums);
        } else if (unit_ == Unit::tanh) {
            at::cpu::tanh_out(room.sums, room.sums);
        } else {
            at::cpu::sigmoid_out(room.sums, room.sums);
        }
    }

    void backward(BatchViews& batch, std::size_t layer, std::int64_t from, std::int64_t count) {
        LayerRoom& room = batch.layers[layer];
        if (!is_last(layer)) {
            slope(room, mask_of(layer, from), count * layers_[layer].units);
        }
        const at::Tensor& inputs = layer == 0 ? batch.inputs : batch.layers[layer - 1].outputs;
        at::cpu::mm_out(layers_[layer].weight_gradient, room.turned_gradients, inputs);
        sum_rows(layers_[layer].bias_gradient, room.gradients.const_data_ptr<float>(), {count, layers_[layer].units});
        if (layer > 0) {
            at::cpu::mm_out(batch.layers[layer - 1].gradients, room.gradients, layers_[layer].weight);
        }
    }

    void slope(LayerRoom& room, const float* mask, std::int64_t count) const {
        auto* gradients = room.gradients.mutable_data_ptr<float>();
        switch (unit_) {
            case Unit::relu: return relu_slope(gradients, room.outputs.const_data_ptr<float>(), mask, count);
            case Unit::leaky_relu:
                return leaky_relu_slope(gradients, room.outputs.const_data_ptr<float>(), mask, count);
            case Unit::tanh: return tanh_slope(gradients, room.sums.const_data_ptr<float>(), mask, count);
            case Unit::sigmoid: return sigmoid_slope(gradients, room.sums.const_data_ptr<float>(), mask, count);
            case Unit::gelu: break;
        }
        if (mask != nullptr) {
            multiply_in_place(gradients, mask, count);
        }
        at::cpu::gelu_backward_out(room.gradients, room.gradients, room.sums);
    }

    const StepParts parts_;
    const Unit unit_;
    const std::int64_t columns_;
    const std::int64_t block_rows_;
    at::Tensor values_;
    std::vector<std::int64_t> labels_;
    std::vector<float> weights_;
    std::vector<at::Tensor> masks_;
    std::vector<DenseLayer> layers_{};
    /// By the batch's place in its block.
    std::vector<BatchViews> whole_{};
    BatchViews last_{};
    BatchSums sums_{};
};

}  // namespace

std::unique_ptr<GradientStep> make_mlp_step(const StepParts& parts, const std::string& activation) {
    return std::make_unique<MlpStep>(parts, activation);
}

}  // namespace ktrdr
