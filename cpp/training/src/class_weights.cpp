// Weights of classes from how often their labels occur.

#include <algorithm>

#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

std::vector<double> balanced_class_weights(const std::vector<std::int64_t>& labels, std::size_t classes) {
    std::vector<double> weights(classes, 1.0);
    std::vector<std::int64_t> counts(classes, 0);
    for (const std::int64_t label : labels) {
        ++counts[static_cast<std::size_t>(label)];
    }
    const auto there = static_cast<double>(std::ranges::count_if(counts, [](std::int64_t rows) { return rows > 0; }));
    for (std::size_t k = 0; k < classes; ++k) {
        if (counts[k] > 0) {
            weights[k] = static_cast<double>(labels.size()) / (there * static_cast<double>(counts[k]));
        }
    }
    return weights;
}

}  // namespace ktrdr
