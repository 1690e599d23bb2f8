#pragma once

#include <optional>
#include <string>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// What a caller asks for, in the caller's own words.
struct LoadRequest {
    std::string symbol{};
    std::string timeframe{};
    /// ISO 8601, without an offset UTC. An end that is a date without a time includes that day.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
    /// local, tail, backfill or full.
    std::string mode{"local"};
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
};

/// Errors: `invalid_argument` naming the argument, its value and what is allowed. Nothing is asked or stored.
[[nodiscard]] KTRDR_EXPORT Result<LoadTask> check_request(const LoadRequest& request, const std::string& provider,
                                                          UtcTime now);

/// Symbol (see `parse_symbol`) and timeframe as a series of `provider`. Errors: `invalid_argument`.
[[nodiscard]] KTRDR_EXPORT Result<SeriesKey> check_series(const std::string& symbol, const std::string& timeframe,
                                                          const std::string& provider);

}  // namespace ktrdr
