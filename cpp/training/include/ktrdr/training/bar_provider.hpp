#pragma once

#include <functional>
#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {

/// Where a training gets its bars. The runtime wires `DataManager` in here, since `training` never sees `data`.
class KTRDR_EXPORT BarProvider {
public:
    virtual ~BarProvider() = default;
    /// The stored bars of a series inside `range`, blocking; called on a training thread.
    /// Errors: `no_data` when nothing is stored, naming how to load it.
    [[nodiscard]] virtual Result<BarsPtr> bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                                               const CancellationToken& token) = 0;
};

}  // namespace ktrdr
