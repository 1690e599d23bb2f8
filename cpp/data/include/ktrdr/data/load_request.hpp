#pragma once

#include <optional>
#include <string>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/data/series_words.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// What becomes of the bars before a load hands them out.
struct LoadChecks {
    /// Look for what is wrong, odd or missing, and warn of it.
    bool validate{false};
    /// Hand out what can be mended mended (see `ktrdr::repair`); what is stored stays as it is.
    bool repair{false};
    /// Fail where something is wrong for certain, or missing.
    bool strict{false};

    [[nodiscard]] bool any() const noexcept { return validate || repair || strict; }
    friend bool operator==(const LoadChecks&, const LoadChecks&) = default;
};

/// What a caller asks for, in the caller's own words.
struct LoadRequest {
    std::string symbol{};
    std::string timeframe{};
    /// ISO 8601, without an offset UTC. A date without a time is that session of the series' calendar (see
    /// `BarGrid::range_of`), and as an end included.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
    /// local, tail, backfill or full.
    std::string mode{"local"};
    SeriesWords series{};
    LoadChecks checks{};
    /// Ask for all of the range, what is stored too.
    bool refresh{false};
    /// Requests of loads with a higher one go first, where several wait for the source.
    int priority{0};
    /// The caller's own id, or empty.
    std::string operation_id{};
    /// The operation that the load belongs to, and is cancelled with; or empty.
    std::string parent_id{};
    /// Let the interrupted load `operation_id` go on. A load in full mode can: it asks only for what is missing.
    bool resume{false};
};

enum class LoadMode {
    /// Only what is stored; no network.
    local,
    /// From the newest stored bar on; of a series without bars the last 30 days.
    tail,
    /// Up to the newest stored bar, holes among them; of a series without bars the whole range.
    backfill,
    /// What the store lacks of the range.
    full,
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(LoadMode mode) noexcept;

/// A request that was found sound.
struct LoadTask {
    SeriesKey key;
    LoadMode mode{LoadMode::local};
    /// From the start of time where the request has none. But in local mode it ends no later than the last closed bar.
    TimeRange range{};
    bool refresh{false};
    SeriesWords words{};
    LoadChecks checks{};
    /// As the request has them: what a date stands for is known when the contract is.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
};

/// Errors: `invalid_argument` naming the argument, its value and what is allowed. Nothing is asked or stored.
[[nodiscard]] KTRDR_EXPORT Result<LoadTask> check_request(const LoadRequest& request, const FoundSeries& series,
                                                          UtcTime now);
/// The same as if nothing were known of the series.
[[nodiscard]] KTRDR_EXPORT Result<LoadTask> check_request(const LoadRequest& request, const std::string& provider,
                                                          UtcTime now);

[[nodiscard]] inline SeriesRequest series_of(const LoadRequest& request) {
    return {request.symbol, request.timeframe, request.series};
}

/// The range of a task by a grid: that of its dates, or as it is where it has none.
/// Errors: `invalid_argument` where no bar of it is closed at `now`.
[[nodiscard]] KTRDR_EXPORT Result<TimeRange> range_by(const LoadTask& task, const BarGrid& grid, UtcTime now);

}  // namespace ktrdr
