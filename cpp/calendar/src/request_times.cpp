#include <ktrdr/calendar/request_times.hpp>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

Result<TimeRange> parse_bounds(std::string_view field, std::string_view text, const BarGrid& grid) {
    const auto time = parse_time(field, text);
    if (!time) {
        return time.error();
    }
    return is_date_only(text) ? grid.range_of(std::chrono::floor<std::chrono::days>(*time)) : TimeRange{*time, *time};
}

}  // namespace

Result<UtcTime> parse_start(std::string_view field, std::string_view text, const BarGrid& grid) {
    const auto bounds = parse_bounds(field, text, grid);
    return bounds ? Result<UtcTime>(bounds->start) : Result<UtcTime>(bounds.error());
}

Result<UtcTime> parse_end(std::string_view field, std::string_view text, const BarGrid& grid) {
    const auto bounds = parse_bounds(field, text, grid);
    return bounds ? Result<UtcTime>(bounds->end) : Result<UtcTime>(bounds.error());
}

Result<TimeRange> parse_dates(const std::optional<std::string>& start_date, const std::optional<std::string>& end_date,
                              const BarGrid& grid, TimeRange otherwise) {
    TimeRange range = otherwise;
    if (start_date) {
        const auto start = parse_start("start_date", *start_date, grid);
        if (!start) {
            return start.error();
        }
        range.start = *start;
    }
    if (end_date) {
        const auto end = parse_end("end_date", *end_date, grid);
        if (!end) {
            return end.error();
        }
        range.end = *end;
    }
    return range;
}

}  // namespace ktrdr
