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
        const std::int64_t hits = confusion[k][k];
        const std::int64_t truly = std::accumulate(confusion[k].begin(), confusion[k].end(), std::int64_t{0});
        std::int64_t predicted = 0;
        for (const auto& row : confusion) {
            predicted += row[k];
        }
        const double weight = ratio(truly, rows);
        figures.accuracy += ratio(hits, rows);
        figures.precision += weight * ratio(hits, predicted);
        figures.recall += weight * ratio(hits, truly);
        figures.f1 += weight * ratio(2 * hits, truly + predicted);
    }
    return figures;
}

double class_prior(const std::vector<std::int64_t>& train, const std::vector<std::int64_t>& test) {
    if (train.empty() || test.empty()) {
        return none;
    }
    std::map<std::int64_t, std::int64_t> counts;
    for (const std::int64_t label : train) {
        ++counts[label];
    }
    const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; })->first;
    return ratio(std::ranges::count(test, most), static_cast<std::int64_t>(test.size()));
}

}  // namespace ktrdr
