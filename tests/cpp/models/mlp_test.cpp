#include <ktrdr/models/mlp.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace ktrdr {
namespace {

using ::testing::HasSubstr;

std::vector<NamedTensor> random_layers(const std::vector<std::int64_t>& widths, std::uint32_t seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> value(-1, 1);
    std::vector<NamedTensor> tensors;
    for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer) {
        NamedTensor weight{fmt::format("{}.weight", 3 * layer), {widths[layer + 1], widths[layer]}, {}};
        NamedTensor bias{fmt::format("{}.bias", 3 * layer), {widths[layer + 1]}, {}};
        weight.values.resize(static_cast<std::size_t>(widths[layer] * widths[layer + 1]));
        bias.values.resize(static_cast<std::size_t>(widths[layer + 1]));
        std::ranges::generate(weight.values, [&] { return value(random); });
        std::ranges::generate(bias.values, [&] { return value(random); });
        tensors.push_back(std::move(weight));
        tensors.push_back(std::move(bias));
    }
    return tensors;
}

double activated(std::string_view name, double x) {
    if (name == "relu") {
        return std::max(0.0, x);
    }
    if (name == "tanh") {
        return std::tanh(x);
    }
    if (name == "sigmoid") {
        return 1 / (1 + std::exp(-x));
    }
    if (name == "leaky_relu") {
        return x > 0 ? x : 0.01 * x;
    }
    return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}

/// By the definition, in double.
std::vector<double> plain_chances(const std::vector<NamedTensor>& tensors, std::string_view activation,
                                  std::vector<double> row) {
    for (std::size_t layer = 0; layer < tensors.size(); layer += 2) {
        const auto& [name, shape, weights] = tensors[layer];
        std::vector<double> next;
        for (std::size_t out = 0; out < static_cast<std::size_t>(shape[0]); ++out) {
            double sum = tensors[layer + 1].values[out];
            for (std::size_t in = 0; in < row.size(); ++in) {
                sum += row[in] * weights[out * row.size() + in];
            }
            next.push_back(layer + 2 < tensors.size() ? activated(activation, sum) : sum);
        }
        row = next;
    }
    double all = 0;
    for (double& value : row) {
        value = std::exp(value);
        all += value;
    }
    for (double& value : row) {
        value /= all;
    }
    return row;
}

TEST(Mlp, GivesTheChancesOfItsDefinition) {
    std::mt19937 random(7);
    std::uniform_real_distribution<float> value(0, 1);
    for (const std::string_view activation : Mlp::activations()) {
        for (const auto& widths :
             std::vector<std::vector<std::int64_t>>{{1, 2}, {4, 3}, {24, 50, 25, 3}, {5, 1, 1, 1, 4}, {300, 512, 3}}) {
            const auto tensors = random_layers(widths, 11);
            const Mlp mlp = Mlp::make(tensors, activation).value();
            EXPECT_EQ(mlp.inputs(), static_cast<std::size_t>(widths.front()));
            EXPECT_EQ(mlp.classes(), static_cast<std::size_t>(widths.back()));
            EXPECT_EQ(mlp.hidden_layers(), std::vector<std::int64_t>(widths.begin() + 1, widths.end() - 1));
            Mlp::Scratch scratch;
            for (int row = 0; row < 20; ++row) {
                std::vector<float> inputs(mlp.inputs());
                std::ranges::generate(inputs, [&] { return row % 3 == 0 ? 0 : value(random); });
                std::vector<float> chances(mlp.classes());
                mlp.chances(inputs, chances, scratch);
                const auto expected = plain_chances(tensors, activation, {inputs.begin(), inputs.end()});
                for (std::size_t k = 0; k < chances.size(); ++k) {
                    EXPECT_NEAR(chances[k], expected[k], 1e-6) << activation << " of " << widths.size() << " widths";
                }
                EXPECT_NEAR(std::accumulate(chances.begin(), chances.end(), 0.0), 1, 1e-6);
            }
        }
    }
}

TEST(Mlp, KeepsItsChancesFiniteForLargeLogits) {
    const std::vector<NamedTensor> tensors{{"0.weight", {2, 1}, {3e38F, -3e38F}}, {"0.bias", {2}, {0, 0}}};
    const Mlp mlp = Mlp::make(tensors, "relu").value();
    Mlp::Scratch scratch;
    std::vector<float> chances(2);
    mlp.chances(std::vector<float>{1}, chances, scratch);
    EXPECT_EQ(chances, (std::vector<float>{1, 0}));
    EXPECT_EQ(largest_of(chances), 0u);
}

TEST(Mlp, SaysWhichWeightsItCannotUse) {
    const auto good = random_layers({4, 5, 3}, 1);
    const auto refused = [&good](auto change, std::string_view activation = "relu") {
        auto tensors = good;
        change(tensors);
        const auto made = Mlp::make(tensors, activation);
        EXPECT_FALSE(made);
        return made ? std::string() : made.error().message;
    };
    using Tensors = std::vector<NamedTensor>;
    EXPECT_THAT(refused([](Tensors& t) { t.clear(); }), HasSubstr("no '0.weight'"));
    EXPECT_THAT(refused([](Tensors& t) { t.erase(t.begin() + 1); }), HasSubstr("'0.weight' needs a bias"));
    EXPECT_THAT(refused([](Tensors& t) { t[2].shape = {3, 4}; }), HasSubstr("'3.weight' has the shape [3, 4]"));
    EXPECT_THAT(refused([](Tensors& t) { t[0].shape = {20}; }), HasSubstr("[outputs, inputs]"));
    EXPECT_THAT(refused([](Tensors& t) { t[0].shape = {0, 4}; }), HasSubstr("[outputs, inputs]"));
    EXPECT_THAT(refused([](Tensors& t) { t[3].shape = {4}; }), HasSubstr("'3.weight' needs a bias"));
    EXPECT_THAT(refused([](Tensors& t) { t[0].name = "0.scale"; }), HasSubstr("no '0.weight'"));
    EXPECT_THAT(refused([](Tensors& t) { t.push_back({"9.weight", {1}, {1}}); }), HasSubstr("5 tensors"));
    EXPECT_THAT(refused([](Tensors& t) { t[2].values[3] = std::numeric_limits<float>::quiet_NaN(); }),
                HasSubstr("'3.weight' has a value that is not finite"));
    EXPECT_THAT(refused([](Tensors&) {}, "swish"), HasSubstr("no activation 'swish'; there are relu"));
}

}  // namespace
}  // namespace ktrdr
