#include <ktrdr/calendar/request_times.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

constexpr int least_year = 1678;
constexpr int most_year = 2261;
/// After so many years dates have the weekdays that they had, and leap years come again.
constexpr int cycle = 400;

/// Ranges may be asked for that reach beyond what stamps can tell ("9999-12-31" is a date): as far as they can then.
Result<UtcTime> parse_bound(std::string_view field, std::string_view text) {
    constexpr std::size_t digits = 4;
    const bool has_year = text.size() > digits && text[digits] == '-' &&
                          std::all_of(text.begin(), text.begin() + digits, [](char c) { return c >= '0' && c <= '9'; });
    const int year = has_year ? std::stoi(std::string(text.substr(0, digits))) : most_year;
    if (year >= least_year && year <= most_year) {
        return parse_time(field, text);
    }
    constexpr int known = least_year + 2;
    const int same = known + ((year - known) % cycle + cycle) % cycle;
    if (!parse_time(field, fmt::format("{}{}", same, text.substr(digits)))) {
        return parse_time(field, text);
    }
    return parse_time(field, year < least_year ? "1678-01-01" : "2261-12-31");
}

Result<TimeRange> parse_bounds(std::string_view field, std::string_view text, const BarGrid& grid) {
    const auto time = parse_bound(field, text);
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
