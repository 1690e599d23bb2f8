#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/models/named_tensor.hpp>

namespace ktrdr {

/// A trained multi-layer perceptron, computed without torch: linear, activation, …, linear, softmax.
///
/// Weights and the values between layers are float32; sums over a layer's inputs are kept in double and rounded once,
/// so chances differ from torch's by torch's own rounding only, by no more than 1e-6. Thread safety: a constant; each
/// thread has a `Scratch` of its own. Errors: no member but `make` has any.
class KTRDR_EXPORT Mlp final {
public:
    /// Room that a computation needs, kept between rows so that none is made for each.
    struct Scratch {
        std::vector<float> from{};
        std::vector<float> to{};
        std::vector<double> sums{};
    };

    /// The activations there are: relu, tanh, sigmoid, leaky_relu (slope 0.01), gelu (with erf).
    [[nodiscard]] static std::span<const std::string_view> activations() noexcept;
    /// Parameters named as `nn.Sequential` of linear, activation and dropout has it: `0.weight`, `0.bias`, `3.weight`,
    /// … `invalid_argument` naming the tensor for one that is missing, too many, of another shape or not finite.
    [[nodiscard]] static Result<Mlp> make(std::span<const NamedTensor> parameters, std::string_view activation);

    [[nodiscard]] std::size_t inputs() const noexcept { return layers_.front().inputs; }
    [[nodiscard]] std::size_t classes() const noexcept { return layers_.back().outputs; }
    /// Of the layers between, first to last.
    [[nodiscard]] std::vector<std::int64_t> hidden_layers() const;

    /// What the last layer gives for a row of `inputs()` values, into `classes()` ones. The same row gives the same
    /// bits wherever it stands.
    void logits(std::span<const float> row, std::span<float> result, Scratch& scratch) const;
    /// The chances of the classes that logits stand for, together 1, in their place.
    static void softmax(std::span<float> logits, Scratch& scratch);
    /// Both in one: the chances of a row.
    void chances(std::span<const float> row, std::span<float> result, Scratch& scratch) const;

private:
    struct Layer {
        std::size_t inputs{0};
        std::size_t outputs{0};
        /// By input and then by output: what one input adds lies side by side.
        std::vector<float> weights{};
        std::vector<float> bias{};
    };
    using Activation = float (*)(float);

    Mlp(std::vector<Layer> layers, Activation activation) : layers_(std::move(layers)), activation_(activation) {}
    static void apply(const Layer& layer, std::span<const float> from, std::span<float> to, std::vector<double>& sums);

    std::vector<Layer> layers_;
    Activation activation_;
};

/// The first of the largest.
[[nodiscard]] KTRDR_EXPORT std::size_t largest_of(std::span<const float> chances) noexcept;

}  // namespace ktrdr
