#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/features/holes.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {

/// The prices of a series from `at` on are `ratio` times what those before are on: a split that nobody undid.
struct BarBreak {
    std::string symbol{};
    Timeframe timeframe;
    UtcTime at{};
    double ratio{1};

    friend bool operator==(const BarBreak&, const BarBreak&) = default;
};

/// Where a training gets its bars. The runtime wires `DataManager` in here, since `training` never sees `data`.
class KTRDR_EXPORT BarProvider {
public:
    virtual ~BarProvider() = default;
    /// The stored bars of a series inside `range`, blocking; called on a training thread.
    /// Errors: `no_data` when nothing is stored, naming how to load it.
    [[nodiscard]] virtual Result<BarsPtr> bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                                               const CancellationToken& token) = 0;
    /// Where the basis of its prices breaks inside `range`, as far as anybody knows; called after `bars`, and blocking.
    [[nodiscard]] virtual Result<std::vector<BarBreak>> breaks(const std::string&, const Timeframe&, TimeRange) {
        return std::vector<BarBreak>{};
    }
    /// Where bars are missing between `bars` of a series, and behind them up to `until` where that is set, by whatever
    /// is known of when its market trades; blocking.
    [[nodiscard]] virtual Result<std::vector<Hole>> holes(const std::string&, const Timeframe& timeframe,
                                                          const Bars& bars, std::optional<UtcTime> until) {
        return find_holes(bars, BarGrid(timeframe), until);
    }
};

}  // namespace ktrdr
