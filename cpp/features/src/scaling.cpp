#include <ktrdr/features/scaling.hpp>

#include <cmath>

namespace ktrdr {

FeatureScaling fit_scaling(std::span<const float> values, std::size_t columns) {
    FeatureScaling scaling{std::vector<double>(columns), std::vector<double>(columns)};
    const std::size_t rows = columns == 0 ? 0 : values.size() / columns;
    const auto each = [&](auto take) {
        for (std::size_t at = 0; at < rows * columns; at += columns) {
            for (std::size_t column = 0; column < columns; ++column) {
                take(column, static_cast<double>(values[at + column]));
            }
        }
    };
    each([&](std::size_t column, double value) { scaling.mean[column] += value / static_cast<double>(rows); });
    // Squares of distances from the mean: the mean of squares less the square of the mean loses all its digits.
    each([&](std::size_t column, double value) {
        const double distance = value - scaling.mean[column];
        scaling.deviation[column] += distance * distance / static_cast<double>(rows);
    });
    for (std::size_t column = 0; column < columns; ++column) {
        const double deviation = std::sqrt(scaling.deviation[column]);
        // What a constant column shows is the rounding of its mean.
        const bool varies = deviation > 1e-9 * std::abs(scaling.mean[column]);
        scaling.deviation[column] = varies ? deviation : 1;
    }
    return scaling;
}

void scale(const FeatureScaling& scaling, std::span<float> values) {
    const std::size_t columns = scaling.mean.size();
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t column = i % columns;
        values[i] =
            static_cast<float>((static_cast<double>(values[i]) - scaling.mean[column]) / scaling.deviation[column]);
    }
}

}  // namespace ktrdr
