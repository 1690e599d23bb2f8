#include "head_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include <ktrdr/base/text.hpp>
#include <ktrdr/calendar/session_calendar.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t longest = 64;
/// No zone is further ahead of UTC.
constexpr std::chrono::hours furthest_east{14};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t";
    const std::size_t first = text.find_first_not_of(blanks);
    return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<UtcTime> iso(std::string_view text) {
    const auto time = parse_time("timestamp", text);
    return time ? std::optional(*time) : std::nullopt;
}

/// The time at which a clock in New York shows it.
UtcTime from_new_york(UtcTime local) {
    const auto calendar = SessionCalendar::shipped("XNYS");
    if (!calendar) {
        return local;
    }
    // By the clock some hours before, which is another one only in the hour of a change.
    return local - (*calendar)->offset_at(local - (*calendar)->offset_at(local));
}

/// The time at which a clock of that zone shows it; nothing where it can be no zone's name.
std::optional<UtcTime> from_zone(UtcTime local, std::string_view zone) {
    constexpr std::array<std::string_view, 7> utc{"", "utc", "gmt", "z", "etc/utc", "etc/gmt", "universal"};
    constexpr std::array<std::string_view, 5> new_york{"us/eastern", "america/new_york", "est", "edt", "est5edt"};
    const std::string name = lower_ascii(zone);
    const auto one_of = [&name](const auto& names) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (one_of(utc)) {
        return local;
    }
    if (one_of(new_york)) {
        return from_new_york(local);
    }
    const bool is_name = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || is_digit(c) || c == '/' || c == '_' || c == '-' || c == '+';
    });
    const bool has_letter = std::any_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; });
    return is_name && has_letter ? std::optional(local - furthest_east) : std::nullopt;
}

/// A date of eight digits as ISO has it.
std::string with_dashes(std::string_view date) {
    return fmt::format("{}-{}-{}", date.substr(0, 4), date.substr(4, 2), date.substr(6, 2));
}

/// A count since 1970: of seconds, or of milliseconds where those would lie beyond all dates. As eight digits it is a
/// date.
std::optional<UtcTime> from_count(std::int64_t count) {
    constexpr std::int64_t first_date = 1678'01'01;
    constexpr std::int64_t last_date = 2261'12'31;
    constexpr std::int64_t last_second = 9'214'646'400;
    if (count >= first_date && count <= last_date) {
        return iso(with_dashes(std::to_string(count)));
    }
    // Sooner than that only what is no time at all.
    if (count <= last_date || count >= last_second * 1000) {
        return std::nullopt;
    }
    return UtcTime{} + (count < last_second ? milliseconds{seconds{count}} : milliseconds{count});
}

std::optional<UtcTime> read_text(std::string_view given) {
    const std::string_view text = trimmed(given.substr(0, longest));
    if (const auto time = iso(text)) {
        return time;
    }
    const auto* const behind = std::find_if_not(text.begin(), text.end(), is_digit);
    const auto digits = static_cast<std::size_t>(behind - text.begin());
    if (digits == text.size() && digits > 0) {
        std::int64_t count = 0;
        const auto read = std::from_chars(text.begin(), text.end(), count);
        return read.ec == std::errc{} ? from_count(count) : std::nullopt;
    }
    // The date, as ISO has it.
    const bool dashed = digits == 4;
    const std::size_t length = dashed ? 10 : 8;
    if ((digits != 8 && !dashed) || text.size() <= length) {
        return std::nullopt;
    }
    const std::string date = dashed ? std::string(text.substr(0, length)) : with_dashes(text.substr(0, length));
    const bool is_utc = !dashed && text[length] == '-';
    std::string_view rest = trimmed(text.substr(length + (is_utc || text[length] == 'T' ? 1 : 0)));
    const std::size_t end = std::min(rest.find_first_of(" \t"), rest.size());
    if (rest.empty()) {
        return std::nullopt;
    }
    if (is_digit(rest.front())) {
        const auto time = iso(fmt::format("{}T{}", date, rest.substr(0, end)));
        return time ? from_zone(*time, trimmed(rest.substr(end))) : std::nullopt;
    }
    const auto time = iso(date);
    return time ? from_zone(*time, rest) : std::nullopt;
}

}  // namespace

std::optional<UtcTime> read_head_time(const boost::json::value& value) {
    if (const boost::json::string* const text = value.if_string()) {
        return read_text(std::string_view(*text));
    }
    const std::int64_t* const count = value.if_int64();
    return count != nullptr ? from_count(*count) : std::nullopt;
}

}  // namespace ktrdr
