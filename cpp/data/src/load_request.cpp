#include <ktrdr/data/load_request.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <ktrdr/calendar/request_times.hpp>
#include <ktrdr/market/symbol.hpp>
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

Result<TimeRange> parse_range(const LoadRequest& request, const BarGrid& grid) {
    auto range = parse_dates(request.start_date, request.end_date, grid, always);
    if (range && range->empty()) {
        return bad("start_date", *request.start_date,
                   fmt::format("start_date {} is not before end_date {}: choose an earlier start or a later end",
                               *request.start_date, *request.end_date));
    }
    return range;
}

Result<TimeRange> close_range(const LoadRequest& request, const BarGrid& grid, TimeRange range, UtcTime now) {
    const UtcTime closed = grid.closed_end(now);
    range.end = std::min(range.end, closed);
    if (range.empty()) {
        const std::string start = request.start_date.value_or("");
        return bad(
            "start_date", start,
            fmt::format("start_date {} is not before {}: no {} bar that starts there or later is closed yet: choose "
                        "an earlier start",
                        start, format_time(closed), grid.timeframe().name()));
    }
    return range;
}

}  // namespace

std::string_view to_string(LoadMode mode) noexcept {
    return mode_names[static_cast<std::size_t>(mode)];
}

Result<SeriesKey> check_series(const std::string& symbol, const std::string& timeframe, const std::string& provider) {
    auto named = parse_symbol(symbol);
    if (!named) {
        return named.error();
    }
    const auto known = Timeframe::parse(timeframe);
    if (!known) {
        return known.error();
    }
    return SeriesKey{.provider = provider, .symbol = std::move(*named), .timeframe = *known};
}

Result<LoadTask> check_request(const LoadRequest& request, const std::string& provider, UtcTime now) {
    const auto key = check_series(request.symbol, request.timeframe, provider);
    if (!key) {
        return key.error();
    }
    const auto mode = parse_mode(request.mode);
    if (!mode) {
        return mode.error();
    }
    const BarGrid grid(key->timeframe);
    auto range = parse_range(request, grid);
    if (*mode == LoadMode::local && request.refresh) {
        return bad("refresh", "true", "refresh asks the source, and mode local asks nobody: use mode full");
    }
    if (range && *mode != LoadMode::local) {
        range = close_range(request, grid, *range, now);
    }
    if (!range) {
        return range.error();
    }
    return LoadTask{*key, *mode, *range, request.refresh};
}

}  // namespace ktrdr
