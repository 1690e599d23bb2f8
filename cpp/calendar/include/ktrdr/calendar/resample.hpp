#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// Longer bars, and the bars they were not made of.
struct Resampled {
    Bars bars{};
    /// Bars outside of every period of the longer timeframe: of extended hours, where days are regular sessions.
    std::size_t outside{0};
    /// Bars of periods that `covered` does not hold whole: the first and the last, mostly.
    std::size_t partial{0};

    friend bool operator==(const Resampled&, const Resampled&) = default;
};

/// Longer bars out of shorter ones: 1m to anything, 1h to 4h or 1d, each ending where its session does.
///
/// The first open, the highest high, the lowest low, the last close, the sum of volumes (-1 where one is not given).
/// Only periods that lie wholly in `covered` have a bar, so none is made of half its time; unset it reaches from the
/// start of the first bar to the end of the last. A period without bars has none.
///
/// Errors: `invalid_argument` for bars out of order, and for one that reaches over the end of a period: the longer
/// timeframe is no multiple of the shorter, or cut otherwise. Cancellation: an error of `poll`, which is asked every
/// few thousand bars.
[[nodiscard]] KTRDR_EXPORT Result<Resampled> resample(const Bars& bars, const BarGrid& from, const BarGrid& to,
                                                      std::optional<TimeRange> covered = std::nullopt,
                                                      const std::function<Result<void>()>& poll = {});

}  // namespace ktrdr
