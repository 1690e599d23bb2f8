#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// `confusion[true class][predicted class]`.
using ConfusionMatrix = std::vector<std::vector<std::int64_t>>;

/// Figures of a confusion matrix; precision, recall and f1 are the classes' own, weighted by how often each is true.
///
/// NaN where there is no row. A class that is never predicted has precision 0, one that is never true no weight, as in
/// scikit-learn with zero_division=0.
struct ClassificationFigures {
    double accuracy{0};
    double precision{0};
    double recall{0};
    double f1{0};
};

[[nodiscard]] KTRDR_EXPORT ClassificationFigures classification_figures(const ConfusionMatrix& confusion);

/// The same of one class; each 0 where nothing is predicted or true.
struct ClassFigures {
    /// In which it is true.
    std::int64_t rows{0};
    double precision{0};
    double recall{0};
    double f1{0};
};

[[nodiscard]] KTRDR_EXPORT ClassFigures class_figures(const ConfusionMatrix& confusion, std::size_t label);

/// The smallest of the classes that are most frequent; there must be a label.
[[nodiscard]] KTRDR_EXPORT std::size_t most_frequent(const std::vector<std::int64_t>& labels);

/// How often the most frequent class of `train` is true in `test`: what one scores who always says it. NaN without
/// rows.
[[nodiscard]] KTRDR_EXPORT double class_prior(const std::vector<std::int64_t>& train,
                                              const std::vector<std::int64_t>& test);

}  // namespace ktrdr
