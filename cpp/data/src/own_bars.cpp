#include <ktrdr/data/own_bars.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/base/file_names.hpp>
#include <ktrdr/base/in_parts.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/data/load_request.hpp>
#include <ktrdr/market/time_text.hpp>

#include "closed_rows.hpp"

namespace ktrdr {
namespace {

constexpr std::size_t rows_between_polls = 64 * 1024;

/// What a file's name says of its bars.
struct NamedSeries {
    std::string symbol{};
    std::optional<std::string> timeframe{};
};

NamedSeries named_by(const std::filesystem::path& file) {
    const std::string stem = file.stem().string();
    const std::size_t bar = stem.rfind('_');
    const bool has_timeframe = bar != std::string::npos && Timeframe::parse(stem.substr(bar + 1));
    std::string symbol = has_timeframe ? stem.substr(0, bar) : stem;
    symbol = percent_decoded(symbol).value_or(symbol);
    return {std::move(symbol), has_timeframe ? std::optional(stem.substr(bar + 1)) : std::nullopt};
}

/// The first of bars in order that is not closed at `now`. Whoever has a day of a market that never closes has all of
/// it at midnight, though its period goes on until the market opens again.
std::optional<BarFault> find_unclosed(const Bars& bars, const BarGrid& grid, UtcTime now) {
    const BarGrid always_open(grid.timeframe());
    const auto is_closed = [&](UtcTime stamp) {
        return grid.may_be_closed(stamp, now) || always_open.is_closed(stamp, now);
    };
    const std::size_t closed = closed_rows(bars, 0, bars.size(), is_closed);
    if (closed == bars.size()) {
        return std::nullopt;
    }
    const UtcTime first = bars.start_of(closed);
    return BarFault{
        closed, "timestamp",
        fmt::format("the bar is not closed before {}, and now is {}: drop what is not closed",
                    format_time(std::min(grid.end_of(first), always_open.end_of(first))), format_time(now))};
}

std::chrono::nanoseconds longest_pause(UtcTime start, UtcTime end) {
    return std::max<std::chrono::nanoseconds>(std::chrono::days{7}, 2 * (end - start));
}

}  // namespace

Result<SeriesRequest> series_of(const ImportRequest& request) {
    const NamedSeries named = named_by(request.file);
    if (!request.timeframe && !named.timeframe) {
        return fail(Errc::invalid_argument,
                    fmt::format("{} does not say in its name which timeframe it has: name it SYMBOL_timeframe.csv, for "
                                "example AAPL_1d.csv, or give timeframe (and symbol)",
                                request.file.filename().string()),
                    {{"field", "timeframe"}, {"file", request.file.string()}});
    }
    return SeriesRequest{request.symbol.value_or(named.symbol),
                         request.timeframe ? *request.timeframe : *named.timeframe, request.series};
}

Result<SeriesKey> check_series(const ImportRequest& request, const std::string& provider) {
    const auto series = series_of(request);
    return series ? check_series(*series, provider) : Result<SeriesKey>(series.error());
}

std::optional<BarFault> fault_of_own(const Bars& bars, const BarGrid& grid, UtcTime now) {
    auto fault = find_fault(bars, grid.timeframe());
    return fault ? fault : find_unclosed(bars, grid, now);
}

Result<std::optional<BarFault>> fault_of_own(const Bars& bars, const BarGrid& grid, UtcTime now,
                                             const CancellationToken& token, Executor* helpers) {
    const std::size_t parts = (bars.size() + rows_between_polls - 1) / rows_between_polls;
    std::vector<std::optional<BarFault>> faults(parts);
    const auto look = [&](std::size_t part, bool /*here*/) {
        if (!token.is_cancelled()) {
            const std::size_t first = part * rows_between_polls;
            faults[part] = find_fault(bars, grid.timeframe(), first, std::min(bars.size(), first + rows_between_polls));
        }
    };
    if (helpers != nullptr) {
        in_parts(*helpers, parts, look);
    } else {
        for (std::size_t part = 0; part < parts; ++part) {
            look(part, true);
        }
    }
    if (const auto alive = token.check("checking bars"); !alive) {
        return alive.error();
    }
    const auto first = std::find_if(faults.begin(), faults.end(), [](const auto& fault) { return fault.has_value(); });
    return first != faults.end() ? std::move(*first) : find_unclosed(bars, grid, now);
}

std::vector<TimeRange> covered_by(const Bars& bars, const Timeframe& timeframe, const CancellationToken& token) {
    const BarGrid grid(timeframe);
    std::vector<TimeRange> covered;
    for (std::size_t row = 0; row < bars.size(); ++row) {
        if (row % rows_between_polls == 0 && token.is_cancelled()) {
            break;
        }
        const UtcTime start = bars.start_of(row);
        const UtcTime end = grid.end_of(start);
        if (covered.empty() || start - covered.back().end > longest_pause(start, end)) {
            covered.push_back({start, end});
        } else {
            covered.back().end = std::max(covered.back().end, end);
        }
    }
    return covered;
}

}  // namespace ktrdr
