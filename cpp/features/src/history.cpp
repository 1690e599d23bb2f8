#include <ktrdr/features/history.hpp>

#include <algorithm>

namespace ktrdr {

WarmUp history_of(const FeaturePlan& plan) {
    WarmUp longest;
    for (const FeatureSource& source : plan.sources) {
        const WarmUp one = source.indicator.warm_up();
        longest.least = std::max(longest.least, one.least);
        longest.exact = std::max({longest.exact, one.exact, one.least});
    }
    return {longest.least + plan.lags, longest.exact + plan.lags};
}

}  // namespace ktrdr
