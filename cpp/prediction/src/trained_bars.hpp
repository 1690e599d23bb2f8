#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include <ktrdr/prediction/predictor.hpp>
#include <ktrdr/training/bar_provider.hpp>

namespace ktrdr {

/// Of each symbol and timeframe the stored series that a model was trained on, where that is one; what somebody has
/// asked for comes first. Where nothing of the kind is stored, whatever is: who looks at its basis is told why it does
/// not do.
///
/// Errors: those of the provider. Lifetime: model and provider outlive it. Thread safety: none.
class TrainedBars final : public BarProvider {
public:
    TrainedBars(const Predictor& model, BarProvider& stored, SeriesChoice asked)
        : model_(model), stored_(stored), asked_(std::move(asked)) {}

    [[nodiscard]] Result<BarGrid> grid(const std::string& symbol, const Timeframe& timeframe) override;
    [[nodiscard]] Result<SeriesBasis> basis(const std::string& symbol, const Timeframe& timeframe) override;
    [[nodiscard]] Result<BarsPtr> bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                                       const CancellationToken& token) override;
    [[nodiscard]] Result<std::vector<BarBreak>> breaks(const std::string& symbol, const Timeframe& timeframe,
                                                       TimeRange range) override;
    [[nodiscard]] Result<std::vector<Hole>> holes(const std::string& symbol, const Timeframe& timeframe,
                                                  const Bars& bars, std::optional<UtcTime> until) override;

private:
    [[nodiscard]] Result<BarProvider*> of(const std::string& symbol, const Timeframe& timeframe);

    const Predictor& model_;
    BarProvider& stored_;
    const SeriesChoice asked_;
    /// By symbol and timeframe; null for the provider itself.
    std::map<std::pair<std::string, std::string>, std::shared_ptr<BarProvider>> chosen_{};
};

}  // namespace ktrdr
