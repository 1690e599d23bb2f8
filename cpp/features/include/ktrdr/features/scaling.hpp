#pragma once

#include <span>
#include <vector>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// A column becomes (value - mean) / deviation: 0 on average and 1 in spread over the rows that it was fitted on.
struct FeatureScaling {
    std::vector<double> mean{};
    /// The standard deviation; 1 of a column that does not vary, which becomes 0.
    std::vector<double> deviation{};

    friend bool operator==(const FeatureScaling&, const FeatureScaling&) = default;
};

/// Of row-major values, `columns` wide. Without rows it changes nothing.
[[nodiscard]] KTRDR_EXPORT FeatureScaling fit_scaling(std::span<const float> values, std::size_t columns);
/// In place, of rows of as many columns as it was fitted on.
KTRDR_EXPORT void scale(const FeatureScaling& scaling, std::span<float> values);

}  // namespace ktrdr
