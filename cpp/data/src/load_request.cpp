#include <ktrdr/data/load_request.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <ktrdr/calendar/request_times.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

constexpr TimeRange always{UtcTime::min(), UtcTime::max()};
constexpr std::array<std::string_view, 4> mode_names{"local", "tail", "backfill", "full"};

Error bad(std::string_view field, std::string_view value, std::string message) {
    return fail(Errc::invalid_argument, std::move(message), {{"field", field}, {"value", value}});
}

Result<LoadMode> parse_mode(const std::string& mode) {
    const auto* const found = std::find(mode_names.begin(), mode_names.end(), mode);
    if (found != mode_names.end()) {
        return static_cast<LoadMode>(found - mode_names.begin());
    }
    return bad(
        "mode", mode,
        fmt::format("mode {:?} is not known: use local (what is stored), tail (what is newer), backfill (what is "
                    "older, and holes) or full (all that is not stored)",
                    mode.substr(0, 32)));
}

Result<TimeRange> parse_range(const std::optional<std::string>& start_date, const std::optional<std::string>& end_date,
                              const BarGrid& grid) {
    auto range = parse_dates(start_date, end_date, grid, always);
    if (range && range->empty()) {
        return bad("start_date", start_date.value_or(""),
                   fmt::format("start_date {} is not before end_date {}: choose an earlier start or a later end",
                               start_date.value_or("none"), end_date.value_or("none")));
    }
    return range;
}

Result<TimeRange> close_range(const std::optional<std::string>& start_date, const BarGrid& grid, TimeRange range,
                              UtcTime now) {
    const UtcTime closed = grid.closed_end(now);
    range.end = std::min(range.end, closed);
    if (range.empty()) {
        const std::string start = start_date.value_or("");
        return bad(
            "start_date", start,
            fmt::format("start_date {} is not before {}: no {} bar that starts there or later is closed yet: choose "
                        "an earlier start",
                        start, format_time(closed), grid.timeframe().name()));
    }
    return range;
}

/// A session begins no earlier than a day before its date does.
constexpr std::chrono::days earliest_open{1};

/// Whether the range may hold closed bars once it is known in whose sessions its dates are.
bool may_be_closed(const LoadRequest& request, const FoundSeries& series, TimeRange range, UtcTime now) {
    return series.key.asset_class.empty() && series.key.timeframe.is_intraday() && request.start_date &&
           is_date_only(*request.start_date) && range.start - earliest_open < series.grid.closed_end(now);
}

}  // namespace

std::string_view to_string(LoadMode mode) noexcept {
    return mode_names[static_cast<std::size_t>(mode)];
}

Result<LoadTask> check_request(const LoadRequest& request, const FoundSeries& series, UtcTime now) {
    const auto mode = parse_mode(request.mode);
    if (!mode) {
        return mode.error();
    }
    auto range = parse_range(request.start_date, request.end_date, series.grid);
    if (*mode == LoadMode::local && request.refresh) {
        return bad("refresh", "true", "refresh asks the source, and mode local asks nobody: use mode full");
    }
    if (range && *mode != LoadMode::local) {
        auto closed = close_range(request.start_date, series.grid, *range, now);
        // Else the load looks again when its source has said what the symbol stands for.
        if (closed || !may_be_closed(request, series, *range, now)) {
            range = std::move(closed);
        }
    }
    if (!range) {
        return range.error();
    }
    return LoadTask{series.key,         *mode,           *range, request.refresh, request.series, request.checks,
                    request.start_date, request.end_date};
}

Result<LoadTask> check_request(const LoadRequest& request, const std::string& provider, UtcTime now) {
    const auto series = find_series(series_of(request), provider, KnownSeries{}, SeriesUse::load);
    return series ? check_request(request, *series, now) : Result<LoadTask>(series.error());
}

Result<TimeRange> range_by(const LoadTask& task, const BarGrid& grid, UtcTime now) {
    if (!task.start_date && !task.end_date) {
        return task.range;
    }
    auto range = parse_range(task.start_date, task.end_date, grid);
    return range && task.mode != LoadMode::local ? close_range(task.start_date, grid, *range, now) : range;
}

}  // namespace ktrdr
