#include "trained_bars.hpp"

namespace ktrdr {
namespace {

bool holds_nothing(BarProvider& bars, const std::string& symbol, const Timeframe& timeframe) {
    using std::chrono::sys_days;
    using std::chrono::year;
    const TimeRange always{UtcTime{sys_days{year{1900} / 1 / 1}}, UtcTime{sys_days{year{2200} / 1 / 1}}};
    const auto stamp = bars.stamp(symbol, timeframe, always);
    return stamp && *stamp && (*stamp)->bars == 0;
}

}  // namespace

Result<BarProvider*> TrainedBars::of(const std::string& symbol, const Timeframe& timeframe) {
    const std::pair place{symbol, std::string(timeframe.name())};
    auto known = chosen_.find(place);
    if (known == chosen_.end()) {
        const SeriesChoice choice = model_.choose_series(symbol, timeframe.name(), asked_);
        std::shared_ptr<BarProvider> bars;
        for (const SeriesChoice& tried : {choice, asked_}) {
            bars = nullptr;
            if (!tried.empty()) {
                auto made = stored_.choose(tried);
                if (!made) {
                    return made.error();
                }
                bars = std::move(*made);
            }
            if (choice == asked_ || (bars != nullptr && !holds_nothing(*bars, symbol, timeframe))) {
                break;
            }
        }
        known = chosen_.emplace(place, std::move(bars)).first;
    }
    return known->second == nullptr ? &stored_ : known->second.get();
}

Result<BarGrid> TrainedBars::grid(const std::string& symbol, const Timeframe& timeframe) {
    const auto series = of(symbol, timeframe);
    return series ? (*series)->grid(symbol, timeframe) : series.error();
}

Result<SeriesBasis> TrainedBars::basis(const std::string& symbol, const Timeframe& timeframe) {
    const auto series = of(symbol, timeframe);
    return series ? (*series)->basis(symbol, timeframe) : series.error();
}

Result<BarsPtr> TrainedBars::bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                                  const CancellationToken& token) {
    const auto series = of(symbol, timeframe);
    return series ? (*series)->bars(symbol, timeframe, range, token) : series.error();
}

Result<std::vector<BarBreak>> TrainedBars::breaks(const std::string& symbol, const Timeframe& timeframe,
                                                  TimeRange range) {
    const auto series = of(symbol, timeframe);
    return series ? (*series)->breaks(symbol, timeframe, range) : series.error();
}

Result<std::vector<Hole>> TrainedBars::holes(const std::string& symbol, const Timeframe& timeframe, const Bars& bars,
                                             std::optional<UtcTime> until) {
    const auto series = of(symbol, timeframe);
    return series ? (*series)->holes(symbol, timeframe, bars, until) : series.error();
}

}  // namespace ktrdr
