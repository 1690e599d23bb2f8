#pragma once

#include <map>
#include <memory>
#include <string>

#include <ktrdr/training/bar_provider.hpp>

namespace ktrdr {

/// Bars that nobody can learn from: at the stamps of the real ones, a random walk whose steps are as large as theirs.
///
/// One walk for each symbol: its steps are counted in bars of the timeframe that is asked for first, and bars of others
/// are cut out of the same walk, so they fit each other as real ones do. How far highs and lows stand out, and volumes,
/// are those of some real bar. Prices that are not all above 0 walk by differences, others by ratios. The same bars
/// give the same walk.
/// Errors: those of the real provider. Cancellation: as the real provider, and every few thousand bars. Thread safety:
/// none.
class RandomWalkBars final : public BarProvider {
public:
    explicit RandomWalkBars(std::shared_ptr<BarProvider> real) : real_(std::move(real)) {}

    [[nodiscard]] Result<BarsPtr> bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                                       const CancellationToken& token) override;
    [[nodiscard]] Result<SeriesBasis> basis(const std::string& symbol, const Timeframe& timeframe) override {
        return real_->basis(symbol, timeframe);
    }
    [[nodiscard]] Result<BarGrid> grid(const std::string& symbol, const Timeframe& timeframe) override {
        return real_->grid(symbol, timeframe);
    }
    /// Those of the real bars, which have the same stamps.
    [[nodiscard]] Result<std::vector<Hole>> holes(const std::string& symbol, const Timeframe& timeframe,
                                                  const Bars& bars, std::optional<UtcTime> until) override {
        return real_->holes(symbol, timeframe, bars, until);
    }

private:
    struct Walk;
    std::shared_ptr<BarProvider> real_;
    std::map<std::string, std::shared_ptr<Walk>> walks_{};
};

}  // namespace ktrdr
