#pragma once

#include <cmath>
#include <vector>

#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// Value and slope of an activation at `x`.
struct ActivationPoint {
    double value;
    double slope;
};

inline ActivationPoint activate(const std::string& name, double x) {
    if (name == "tanh") {
        const double y = std::tanh(x);
        return {y, 1 - y * y};
    }
    if (name == "sigmoid") {
        const double y = 1 / (1 + std::exp(-x));
        return {y, y * (1 - y)};
    }
    if (name == "leaky_relu") {
        return {x > 0 ? x : 0.01 * x, x > 0 ? 1 : 0.01};
    }
    if (name == "gelu") {
        const double below = 0.5 * std::erfc(-x / std::sqrt(2.0));
        return {x * below, below + x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0))};
    }
    return {x > 0 ? x : 0, x > 0 ? 1.0 : 0.0};
}

/// The gradient of the mean weighted cross-entropy over all training rows, in double precision and plain loops: what
/// LibTorch's is held against. `parameters` are weight and bias of each layer in turn.
inline std::vector<std::vector<double>> plain_gradients(const std::vector<NamedTensor>& parameters,
                                                        const TrainerInput& input) {
    const std::size_t layers = parameters.size() / 2;
    std::vector<std::vector<double>> gradients;
    for (const NamedTensor& parameter : parameters) {
        gradients.emplace_back(parameter.values.size(), 0.0);
    }
    double total_weight = 0;
    for (const std::int64_t label : input.rows->train.labels) {
        total_weight +=
            input.options.class_weights.empty() ? 1 : input.options.class_weights[static_cast<std::size_t>(label)];
    }
    for (std::size_t row = 0; row < input.rows->train.rows; ++row) {
        std::vector<std::vector<ActivationPoint>> points(1);
        for (std::size_t k = 0; k < input.rows->train.columns; ++k) {
            points[0].push_back({input.rows->train.values[row * input.rows->train.columns + k], 1});
        }
        for (std::size_t layer = 0; layer < layers; ++layer) {
            const auto& weight = parameters[2 * layer].values;
            const auto& bias = parameters[2 * layer + 1].values;
            std::vector<ActivationPoint> next;
            for (std::size_t out = 0; out < bias.size(); ++out) {
                double sum = bias[out];
                for (std::size_t in = 0; in < points.back().size(); ++in) {
                    sum += static_cast<double>(weight[out * points.back().size() + in]) * points.back()[in].value;
                }
                next.push_back(layer + 1 < layers ? activate(input.model.activation, sum) : ActivationPoint{sum, 1});
            }
            points.push_back(std::move(next));
        }
        const auto label = static_cast<std::size_t>(input.rows->train.labels[row]);
        const double weight = input.options.class_weights.empty() ? 1 : input.options.class_weights[label];
        double sum = 0;
        for (const ActivationPoint& logit : points.back()) {
            sum += std::exp(logit.value);
        }
        std::vector<double> slope;
        for (std::size_t k = 0; k < points.back().size(); ++k) {
            const double chance = std::exp(points.back()[k].value) / sum;
            slope.push_back((chance - (k == label ? 1 : 0)) * weight / total_weight);
        }
        for (std::size_t layer = layers; layer-- > 0;) {
            const auto& inputs = points[layer];
            std::vector<double> back(inputs.size(), 0.0);
            for (std::size_t out = 0; out < slope.size(); ++out) {
                gradients[2 * layer + 1][out] += slope[out];
                for (std::size_t in = 0; in < inputs.size(); ++in) {
                    const std::size_t at = out * inputs.size() + in;
                    gradients[2 * layer][at] += slope[out] * inputs[in].value;
                    back[in] += slope[out] * static_cast<double>(parameters[2 * layer].values[at]) * inputs[in].slope;
                }
            }
            slope = std::move(back);
        }
    }
    return gradients;
}

}  // namespace ktrdr
