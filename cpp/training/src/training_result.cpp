#include <ktrdr/training/training_result.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

namespace ktrdr {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

double ratio(std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

ClassificationFigures classification_figures(const ConfusionMatrix& confusion) {
    std::int64_t rows = 0;
    for (const auto& row : confusion) {
        rows = std::accumulate(row.begin(), row.end(), rows);
    }
    if (rows == 0) {
        return {none, none, none, none};
    }
    ClassificationFigures figures;
    for (std::size_t k = 0; k < confusion.size(); ++k) {
        const ClassFigures one = class_figures(confusion, k);
        const double weight = ratio(one.rows, rows);
        figures.accuracy += ratio(confusion[k][k], rows);
        figures.precision += weight * one.precision;
        figures.recall += weight * one.recall;
        figures.f1 += weight * one.f1;
    }
    return figures;
}

ClassFigures class_figures(const ConfusionMatrix& confusion, std::size_t label) {
    const std::int64_t hits = confusion[label][label];
    const std::int64_t truly = std::accumulate(confusion[label].begin(), confusion[label].end(), std::int64_t{0});
    std::int64_t predicted = 0;
    for (const auto& row : confusion) {
        predicted += row[label];
    }
    return {truly, ratio(hits, predicted), ratio(hits, truly), ratio(2 * hits, truly + predicted)};
}

std::size_t most_frequent(const std::vector<std::int64_t>& labels) {
    std::map<std::int64_t, std::int64_t> counts;
    for (const std::int64_t label : labels) {
        ++counts[label];
    }
    return static_cast<std::size_t>(
        std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; })->first);
}

double class_prior(const std::vector<std::int64_t>& train, const std::vector<std::int64_t>& test) {
    if (train.empty() || test.empty()) {
        return none;
    }
    const auto most = static_cast<std::int64_t>(most_frequent(train));
    return ratio(std::ranges::count(test, most), static_cast<std::int64_t>(test.size()));
}

}  // namespace ktrdr
