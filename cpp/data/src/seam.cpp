#include "seam.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace ktrdr {
namespace {

/// Prices are rounded to it where they are re-based; most markets' is finer.
constexpr double coarsest_tick = 0.01;
/// What the ratios of re-based prices may differ by, as a share of what they are away from 1.
constexpr double most_spread = 0.02;

std::array<double, 4> prices_of(const Bars& bars, std::size_t i) {
    return {bars.open[i], bars.high[i], bars.low[i], bars.close[i]};
}

struct Pair {
    double stored{0};
    double came{0};
};

/// The one ratio of all pairs; 1 where there is none.
double ratio_of(const std::vector<Pair>& pairs) {
    const auto [low, high] = std::minmax_element(pairs.begin(), pairs.end(),
                                                 [](const Pair& a, const Pair& b) { return a.stored < b.stored; });
    if (pairs.empty() || low->stored <= 0 || low->stored == high->stored) {
        return 1;
    }
    std::vector<double> ratios(pairs.size());
    std::transform(pairs.begin(), pairs.end(), ratios.begin(),
                   [](const Pair& pair) { return pair.came / pair.stored; });
    std::sort(ratios.begin(), ratios.end());
    const double median = ratios[ratios.size() / 2];
    const double spread = ratios.back() - ratios.front();
    const double away = std::abs(median - 1);
    const double lowest = std::min(low->stored, low->stored * median);
    const bool one = spread <= std::max(most_spread * away, coarsest_tick / lowest) && away > 3 * spread;
    return one && median > 0 ? median : 1;
}

}  // namespace

Seam compare(const Bars& stored, const Bars& came) {
    Seam seam;
    std::vector<Pair> pairs;
    std::size_t in_common = 0;
    for (std::size_t i = 0; i < stored.size(); ++i) {
        const auto found = std::lower_bound(came.time.begin(), came.time.end(), stored.time[i]);
        if (found == came.time.end() || *found != stored.time[i]) {
            continue;
        }
        const auto j = static_cast<std::size_t>(found - came.time.begin());
        const auto before = prices_of(stored, i);
        const auto now = prices_of(came, j);
        for (std::size_t k = 0; k < before.size(); ++k) {
            pairs.push_back({before.at(k), now.at(k)});
        }
        ++in_common;
        seam.different += before != now || stored.volume[i] != came.volume[j] ? 1 : 0;
    }
    if (in_common == 0) {
        return seam;
    }
    seam.kind = seam.different == 0 ? Seam::Kind::same : Seam::Kind::revised;
    if (const double ratio = ratio_of(pairs); seam.different == in_common && ratio != 1) {
        seam.kind = Seam::Kind::rebased;
        seam.ratio = ratio;
    }
    return seam;
}

}  // namespace ktrdr
