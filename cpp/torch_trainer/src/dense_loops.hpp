#pragma once

#include <cstdint>

namespace ktrdr {

// The loops over plain numbers between the matrix products of `mlp_step`: no torch in sight, so that a compiler has
// only them to look at. `mask` may be null: then nothing is left out.

/// A batch of rows by the units of a layer, row-major.
struct Extent2 {
    std::int64_t rows{0};
    std::int64_t units{0};
};

/// values += bias, in each row.
void add_bias(float* values, const float* bias, Extent2 extent);
/// values = max(values + bias, 0) * mask. NaN stays.
void relu_in_place(float* values, const float* bias, const float* mask, Extent2 extent);
/// The same with 0.01 times what is below 0.
void leaky_relu_in_place(float* values, const float* bias, const float* mask, Extent2 extent);
/// out = values * mask; `out` lies elsewhere.
void multiply(float* out, const float* values, const float* mask, std::int64_t count);
/// values *= mask.
void multiply_in_place(float* values, const float* mask, std::int64_t count);

// Each turns the gradient of a layer's masked output into that of its sum, in place.
/// `outputs`: masked.
void relu_slope(float* gradients, const float* outputs, const float* mask, std::int64_t count);
void leaky_relu_slope(float* gradients, const float* outputs, const float* mask, std::int64_t count);
/// `outputs`: without the mask.
void tanh_slope(float* gradients, const float* outputs, const float* mask, std::int64_t count);
void sigmoid_slope(float* gradients, const float* outputs, const float* mask, std::int64_t count);

/// sums = the sum of `values` over the rows.
void sum_rows(float* sums, const float* values, Extent2 extent);

struct CrossEntropy {
    /// Mean of the rows, weighted.
    float loss{0};
    /// Rows whose largest logit is that of their label.
    std::int64_t hits{0};
};

/// Turns logits into the gradient of their mean cross-entropy, in place. `weights` may be null: all rows alike.
CrossEntropy cross_entropy_in_place(float* logits, const std::int64_t* labels, const float* weights, Extent2 extent);

}  // namespace ktrdr
