#include <ktrdr/models/mlp.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 5> names{"relu", "tanh", "sigmoid", "leaky_relu", "gelu"};

float relu(float x) {
    return x > 0 ? x : 0;
}
float tangent(float x) {
    return std::tanh(x);
}
float sigmoid(float x) {
    return 1 / (1 + std::exp(-x));
}
float leaky_relu(float x) {
    return x > 0 ? x : 0.01F * x;
}
float gelu(float x) {
    const double value = x;
    return static_cast<float>(0.5 * value * (1 + std::erf(value / std::numbers::sqrt2)));
}

constexpr std::array<float (*)(float), names.size()> functions{relu, tangent, sigmoid, leaky_relu, gelu};

Error refuse(std::string what) {
    return fail(Errc::invalid_argument, "these are not the weights of such a model: " + std::move(what));
}

const NamedTensor* find(std::span<const NamedTensor> parameters, const std::string& name) {
    const auto found = std::ranges::find(parameters, name, &NamedTensor::name);
    return found == parameters.end() ? nullptr : &*found;
}

std::string shape_of(const NamedTensor& tensor) {
    return fmt::format("[{}]", fmt::join(tensor.shape, ", "));
}

Result<void> check_values(const NamedTensor& tensor) {
    const bool finite = std::ranges::all_of(tensor.values, [](float value) { return std::isfinite(value); });
    return finite ? Result<void>()
                  : Result<void>(refuse(fmt::format("'{}' has a value that is not finite", tensor.name)));
}

Result<void> check_shapes(const NamedTensor& weight, const NamedTensor* bias, std::size_t inputs) {
    const auto count = [](const NamedTensor& tensor) { return static_cast<std::int64_t>(tensor.values.size()); };
    if (weight.shape.size() != 2 || weight.shape[0] < 1 || weight.shape[1] < 1 ||
        count(weight) / weight.shape[1] != weight.shape[0]) {
        return refuse(
            fmt::format("'{}' has the shape {} where [outputs, inputs] is needed", weight.name, shape_of(weight)));
    }
    if (inputs != 0 && static_cast<std::size_t>(weight.shape[1]) != inputs) {
        return refuse(fmt::format("'{}' has the shape {}, but the layer before gives {} values", weight.name,
                                  shape_of(weight), inputs));
    }
    if (bias == nullptr || bias->shape.size() != 1 || bias->shape[0] != weight.shape[0] ||
        count(*bias) != weight.shape[0]) {
        return refuse(fmt::format("'{}' needs a bias of the shape [{}] beside it", weight.name, weight.shape[0]));
    }
    return {};
}

}  // namespace

std::span<const std::string_view> Mlp::activations() noexcept {
    return names;
}

Result<Mlp> Mlp::make(std::span<const NamedTensor> parameters, std::string_view activation) {
    const auto known = std::ranges::find(names, activation);
    if (known == names.end()) {
        return fail(Errc::invalid_argument,
                    fmt::format("there is no activation '{}'; there are {}", activation, fmt::join(names, ", ")),
                    {{"activation", activation}});
    }
    std::vector<Layer> layers;
    for (std::size_t at = 0;; at += 3) {
        const NamedTensor* const weight = find(parameters, fmt::format("{}.weight", at));
        if (weight == nullptr) {
            break;
        }
        const NamedTensor* const bias = find(parameters, fmt::format("{}.bias", at));
        if (auto fits = check_shapes(*weight, bias, layers.empty() ? 0 : layers.back().outputs); !fits) {
            return fits.error();
        }
        for (const NamedTensor* const one : {weight, bias}) {
            if (auto finite = check_values(*one); !finite) {
                return finite.error();
            }
        }
        Layer layer{
            static_cast<std::size_t>(weight->shape[1]), static_cast<std::size_t>(weight->shape[0]), {}, bias->values};
        layer.weights.resize(weight->values.size());
        for (std::size_t out = 0; out < layer.outputs; ++out) {
            for (std::size_t in = 0; in < layer.inputs; ++in) {
                layer.weights[in * layer.outputs + out] = weight->values[out * layer.inputs + in];
            }
        }
        layers.push_back(std::move(layer));
    }
    if (layers.empty()) {
        return refuse("there is no '0.weight'");
    }
    if (parameters.size() != 2 * layers.size()) {
        return refuse(fmt::format("there are {} tensors where {} layers have {}", parameters.size(), layers.size(),
                                  2 * layers.size()));
    }
    return Mlp(std::move(layers), functions[static_cast<std::size_t>(known - names.begin())]);
}

std::vector<std::int64_t> Mlp::hidden_layers() const {
    std::vector<std::int64_t> widths;
    for (std::size_t layer = 0; layer + 1 < layers_.size(); ++layer) {
        widths.push_back(static_cast<std::int64_t>(layers_[layer].outputs));
    }
    return widths;
}

void Mlp::apply(const Layer& layer, std::span<const float> from, std::span<float> to, std::vector<double>& sums) {
    sums.assign(layer.bias.begin(), layer.bias.end());
    for (std::size_t in = 0; in < layer.inputs; ++in) {
        const double value = from[in];
        // Most memberships are 0, and so is much of what relu lets through.
        if (value == 0) {
            continue;
        }
        const float* const weights = layer.weights.data() + in * layer.outputs;
        for (std::size_t out = 0; out < layer.outputs; ++out) {
            sums[out] += value * static_cast<double>(weights[out]);
        }
    }
    std::ranges::transform(sums, to.begin(), [](double sum) { return static_cast<float>(sum); });
}

void Mlp::logits(std::span<const float> row, std::span<float> result, Scratch& scratch) const {
    std::span<const float> from = row;
    for (std::size_t layer = 0; layer + 1 < layers_.size(); ++layer) {
        scratch.to.resize(layers_[layer].outputs);
        apply(layers_[layer], from, scratch.to, scratch.sums);
        std::ranges::transform(scratch.to, scratch.to.begin(), activation_);
        std::swap(scratch.from, scratch.to);
        from = scratch.from;
    }
    apply(layers_.back(), from, result, scratch.sums);
}

void Mlp::softmax(std::span<float> logits, Scratch& scratch) {
    const double most = *std::ranges::max_element(logits);
    double sum = 0;
    scratch.sums.resize(logits.size());
    for (std::size_t k = 0; k < logits.size(); ++k) {
        scratch.sums[k] = std::exp(static_cast<double>(logits[k]) - most);
        sum += scratch.sums[k];
    }
    for (std::size_t k = 0; k < logits.size(); ++k) {
        logits[k] = static_cast<float>(scratch.sums[k] / sum);
    }
}

void Mlp::chances(std::span<const float> row, std::span<float> result, Scratch& scratch) const {
    logits(row, result, scratch);
    softmax(result, scratch);
}

std::size_t largest_of(std::span<const float> chances) noexcept {
    return static_cast<std::size_t>(std::ranges::max_element(chances) - chances.begin());
}

}  // namespace ktrdr
