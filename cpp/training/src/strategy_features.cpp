#include <ktrdr/training/strategy_features.hpp>

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string_view>

#include <ktrdr/features/holes.hpp>

namespace ktrdr {

Result<FeatureMatrix> strategy_features(const Strategy& strategy, std::vector<FeatureSeries> series,
                                        const CancellationToken& token) {
    if (series.size() != strategy.timeframes.size()) {
        return fail(Errc::invalid_argument,
                    fmt::format("the strategy needs bars of {}, and {} series were given",
                                fmt::join(strategy.timeframes, ", "), series.size()),
                    {{"field", "bars"}});
    }
    for (std::size_t i = 0; i < series.size(); ++i) {
        if (series[i].grid.timeframe().name() != strategy.timeframes[i]) {
            return fail(Errc::invalid_argument,
                        fmt::format("the strategy needs bars of {} here, and these are {}", strategy.timeframes[i],
                                    series[i].grid.timeframe().name()),
                        {{"field", "bars"}});
        }
        if (auto checked = series[i].bars->check(); !checked) {
            return checked.error();
        }
        series[i].holes = find_holes(*series[i].bars, series[i].grid);
    }
    const auto base = std::ranges::find(strategy.timeframes, strategy.base_timeframe) - strategy.timeframes.begin();
    return build_features(strategy.features, series, static_cast<std::size_t>(base),
                          [&token](std::string_view step) { return token.check(fmt::format("computing {}", step)); });
}

}  // namespace ktrdr
