#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/data/own_bars.hpp>
#include <ktrdr/market/bars_view.hpp>

namespace ktrdr {

/// Which stored bars longer ones are made of.
struct ResampleRequest {
    std::string symbol{};
    std::string from{};
    std::string to{};
    SeriesWords series{};
    /// As in `LoadRequest`; unset: all there are.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
    /// On whose session boundaries; null: days begin at 00:00 UTC.
    SessionCalendarPtr calendar{};
    /// How its provider cuts sessions; the provider itself is the manager's.
    GridOptions grid{};
    /// Keep the longer bars as a series of the symbol, over those that are there.
    bool store{false};
    std::string parent_id{};
};

/// A request that was found sound.
struct ResampleTask {
    SeriesKey from;
    SeriesKey to;
    BarGrid from_grid;
    BarGrid to_grid;
    TimeRange range{};
    bool store{false};
};

/// Errors: `invalid_argument` of the request, and where `to` is not longer than `from`.
[[nodiscard]] KTRDR_EXPORT Result<ResampleTask> check_resample(const ResampleRequest& request,
                                                               const FoundSeries& series, UtcTime now);
[[nodiscard]] inline SeriesRequest series_of(const ResampleRequest& request) {
    return {request.symbol, request.from, request.series};
}

/// Make longer bars: only of periods that lie whole in a range of which the store knows what there is
/// (`known_ranges`), so that a hole is never hidden in one. A warning of the operation says how many bars were left out
/// and why.
///
/// Errors: `no_data` without a stored bar, or where no period is whole; those of `ktrdr::resample`; `storage`.
/// Cancellation: between ranges, and as `store_own_bars`; then nothing is stored.
[[nodiscard]] boost::asio::awaitable<Result<BarsView>> resample_stored(StoreMeans means, ResampleTask task);

}  // namespace ktrdr
