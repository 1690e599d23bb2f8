#include "dense_loops.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace ktrdr {
namespace {

constexpr float leak = 0.01F;

/// `step(value, bias)` of each value, times its mask.
template <class Step>
void each_unit(float* __restrict values, const float* __restrict bias, const float* __restrict mask, Extent2 extent,
               Step step) {
    for (std::int64_t row = 0; row < extent.rows; ++row, values += extent.units) {
        for (std::int64_t unit = 0; unit < extent.units; ++unit) {
            values[unit] = step(values[unit] + bias[unit]);
        }
        if (mask != nullptr) {
            for (std::int64_t unit = 0; unit < extent.units; ++unit) {
                values[unit] *= mask[unit];
            }
            mask += extent.units;
        }
    }
}

/// Each gradient times its mask and the slope that `slope(output)` gives.
template <class Slope>
void each_gradient(float* __restrict gradients, const float* __restrict outputs, const float* __restrict mask,
                   std::int64_t count, Slope slope) {
    if (mask == nullptr) {
        for (std::int64_t i = 0; i < count; ++i) {
            gradients[i] *= slope(outputs[i]);
        }
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
        gradients[i] *= mask[i] * slope(outputs[i]);
    }
}

}  // namespace

void add_bias(float* values, const float* bias, Extent2 extent) {
    each_unit(values, bias, nullptr, extent, [](float sum) { return sum; });
}

void relu_in_place(float* values, const float* bias, const float* mask, Extent2 extent) {
    each_unit(values, bias, mask, extent, [](float sum) { return sum < 0 ? 0.0F : sum; });
}

void leaky_relu_in_place(float* values, const float* bias, const float* mask, Extent2 extent) {
    each_unit(values, bias, mask, extent, [](float sum) { return sum < 0 ? leak * sum : sum; });
}

void multiply(float* __restrict out, const float* __restrict values, const float* __restrict mask, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        out[i] = values[i] * mask[i];
    }
}

void multiply_in_place(float* __restrict values, const float* __restrict mask, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
        values[i] *= mask[i];
    }
}

void relu_slope(float* gradients, const float* outputs, const float* mask, std::int64_t count) {
    each_gradient(gradients, outputs, mask, count, [](float output) { return output > 0 ? 1.0F : 0.0F; });
}

void leaky_relu_slope(float* gradients, const float* outputs, const float* mask, std::int64_t count) {
    each_gradient(gradients, outputs, mask, count, [](float output) { return output > 0 ? 1.0F : leak; });
}

void tanh_slope(float* gradients, const float* outputs, const float* mask, std::int64_t count) {
    each_gradient(gradients, outputs, mask, count, [](float output) { return 1.0F - output * output; });
}

void sigmoid_slope(float* gradients, const float* outputs, const float* mask, std::int64_t count) {
    each_gradient(gradients, outputs, mask, count, [](float output) { return output * (1.0F - output); });
}

void sum_rows(float* __restrict sums, const float* __restrict values, Extent2 extent) {
    // In double precision: thousands of floats added one by one would be less exact than autograd's sum is.
    constexpr std::int64_t tile = 64;
    for (std::int64_t first = 0; first < extent.units; first += tile) {
        const std::int64_t units = std::min(tile, extent.units - first);
        std::array<double, tile> sum{};
        for (std::int64_t row = 0; row < extent.rows; ++row) {
            const float* const line = values + row * extent.units + first;
            for (std::int64_t unit = 0; unit < units; ++unit) {
                sum[static_cast<std::size_t>(unit)] += static_cast<double>(line[unit]);
            }
        }
        std::transform(sum.begin(), sum.begin() + units, sums + first,
                       [](double one) { return static_cast<float>(one); });
    }
}

CrossEntropy cross_entropy_in_place(float* logits, const std::int64_t* labels, const float* weights, Extent2 extent) {
    double whole = static_cast<double>(extent.rows);
    if (weights != nullptr) {
        whole = 0;
        for (std::int64_t row = 0; row < extent.rows; ++row) {
            whole += static_cast<double>(weights[row]);
        }
    }
    double loss = 0;
    CrossEntropy result;
    for (std::int64_t row = 0; row < extent.rows; ++row, logits += extent.units) {
        const std::int64_t label = labels[row];
        const std::int64_t largest = std::max_element(logits, logits + extent.units) - logits;
        result.hits += largest == label ? 1 : 0;
        const float top = logits[largest];
        const float truth = logits[label] - top;
        float sum = 0;
        for (std::int64_t unit = 0; unit < extent.units; ++unit) {
            logits[unit] = std::exp(logits[unit] - top);
            sum += logits[unit];
        }
        const double weight = weights == nullptr ? 1.0 : static_cast<double>(weights[row]);
        loss += weight * static_cast<double>(std::log(sum) - truth);
        const auto share = static_cast<float>(weight / whole);
        for (std::int64_t unit = 0; unit < extent.units; ++unit) {
            logits[unit] *= share / sum;
        }
        logits[label] -= share;
    }
    result.loss = static_cast<float>(loss / whole);
    return result;
}

}  // namespace ktrdr
