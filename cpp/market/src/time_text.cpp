#include <ktrdr/market/time_text.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "beyond_years.hpp"

namespace ktrdr {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Reads from the front of a text; every member answers nothing, and the parse ends, where the text does not fit.
class Reader final {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at_end() const { return text_.empty(); }

    bool take(char c) {
        if (text_.empty() || text_.front() != c) {
            return false;
        }
        text_.remove_prefix(1);
        return true;
    }

    std::optional<int> number(std::size_t digits, int least, int most) {
        if (text_.size() < digits) {
            return std::nullopt;
        }
        int value = 0;
        for (const char c : text_.substr(0, digits)) {
            if (!is_digit(c)) {
                return std::nullopt;
            }
            value = value * 10 + (c - '0');
        }
        text_.remove_prefix(digits);
        return value >= least && value <= most ? std::optional(value) : std::nullopt;
    }

    /// One to nine digits after the point.
    std::optional<nanoseconds> fraction() {
        std::int64_t value = 0;
        std::int64_t scale = 1'000'000'000;
        while (!text_.empty() && is_digit(text_.front()) && scale > 1) {
            value = value * 10 + (text_.front() - '0');
            scale /= 10;
            text_.remove_prefix(1);
        }
        return scale == 1'000'000'000 ? std::nullopt : std::optional(nanoseconds{value * scale});
    }

private:
    std::string_view text_;
};

// Nanoseconds in 64 bits reach from 1677 to 2262; whole years inside leave room for sums.
constexpr int least_year = 1678;
constexpr int most_year = 2261;

std::optional<std::chrono::sys_days> read_date(Reader& reader) {
    const auto year = reader.number(4, least_year, most_year);
    if (!year || !reader.take('-')) {
        return std::nullopt;
    }
    const auto month = reader.number(2, 1, 12);
    if (!month || !reader.take('-')) {
        return std::nullopt;
    }
    const auto day = reader.number(2, 1, 31);
    if (!day) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    return date.ok() ? std::optional(std::chrono::sys_days{date}) : std::nullopt;
}

std::optional<nanoseconds> read_time_of_day(Reader& reader) {
    const auto hour = reader.number(2, 0, 23);
    if (!hour || !reader.take(':')) {
        return std::nullopt;
    }
    const auto minute = reader.number(2, 0, 59);
    if (!minute) {
        return std::nullopt;
    }
    nanoseconds time = hours{*hour} + minutes{*minute};
    if (!reader.take(':')) {
        return time;
    }
    const auto second = reader.number(2, 0, 59);
    if (!second) {
        return std::nullopt;
    }
    time += seconds{*second};
    if (!reader.take('.')) {
        return time;
    }
    const auto fraction = reader.fraction();
    return fraction ? std::optional(time + *fraction) : std::nullopt;
}

std::optional<nanoseconds> read_offset(Reader& reader) {
    if (reader.at_end() || reader.take('Z') || reader.take('z')) {
        return nanoseconds{0};
    }
    const bool west = reader.take('-');
    if (!west && !reader.take('+')) {
        return std::nullopt;
    }
    const auto hour = reader.number(2, 0, 23);
    if (!hour || !reader.take(':')) {
        return std::nullopt;
    }
    const auto minute = reader.number(2, 0, 59);
    if (!minute) {
        return std::nullopt;
    }
    const nanoseconds offset = hours{*hour} + minutes{*minute};
    return west ? -offset : offset;
}

std::optional<UtcTime> read_time(std::string_view text) {
    Reader reader(text);
    const auto date = read_date(reader);
    if (!date) {
        return std::nullopt;
    }
    if (reader.at_end()) {
        return UtcTime{*date};
    }
    if (!reader.take('T') && !reader.take('t') && !reader.take(' ')) {
        return std::nullopt;
    }
    const auto time = read_time_of_day(reader);
    if (!time) {
        return std::nullopt;
    }
    const auto offset = read_offset(reader);
    if (!offset || !reader.at_end()) {
        return std::nullopt;
    }
    return UtcTime{*date} + *time - *offset;
}

}  // namespace

Result<UtcTime> parse_time(std::string_view field, std::string_view text) {
    if (const auto time = read_time(text)) {
        return *time;
    }
    return fail(Errc::invalid_argument,
                fmt::format("{} {:?} {}", field, text.substr(0, 64),
                            is_beyond_years(text) ? "lies outside of the years 1678 to 2261"
                                                  : "is not a date: write it like 2024-01-31 or 2024-01-31T09:30:00Z"),
                {{"field", field}, {"value", text.substr(0, 64)}});
}

bool is_beyond_years(std::string_view text) {
    constexpr std::string_view leap_year = "2000";
    const bool has_year =
        text.size() > leap_year.size() && std::all_of(text.begin(), text.begin() + leap_year.size(), is_digit);
    return has_year && !read_time(text) && read_time(std::string(leap_year).append(text.substr(leap_year.size())));
}

Result<UtcTime> parse_end_time(std::string_view field, std::string_view text) {
    auto end = parse_time(field, text);
    return end && is_date_only(text) ? Result<UtcTime>(*end + std::chrono::days{1}) : end;
}

bool is_date_only(std::string_view text) noexcept {
    constexpr std::string_view shape = "dddd-dd-dd";
    if (text.size() != shape.size()) {
        return false;
    }
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i]) {
            return false;
        }
    }
    return true;
}

std::string format_date(UtcTime time) {
    const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(time)};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
}

std::string format_short(UtcTime time) {
    return time == std::chrono::floor<std::chrono::days>(time) ? format_date(time) : format_time(time);
}

std::string format_time(UtcTime time) {
    const auto since_midnight = time - std::chrono::floor<std::chrono::days>(time);
    const auto millis = std::chrono::floor<std::chrono::milliseconds>(since_midnight).count();
    return fmt::format("{}T{:02}:{:02}:{:02}.{:03}Z", format_date(time), millis / 3'600'000, millis / 60'000 % 60,
                       millis / 1000 % 60, millis % 1000);
}

}  // namespace ktrdr
