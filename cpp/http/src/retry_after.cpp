#include "retry_after.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <clocale>
#include <ctime>
#include <string>

#include <ktrdr/http/date.hpp>
#include <ktrdr/http/message.hpp>

namespace ktrdr {
namespace {

constexpr std::chrono::seconds longest = std::chrono::hours{24 * 365};

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

std::optional<std::chrono::seconds> parse_seconds(std::string_view text) {
    if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return std::nullopt;
    }
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    return error == std::errc{} ? std::min(std::chrono::seconds{seconds}, longest) : longest;
}

/// Days and months are English whatever the process's locale is.
std::optional<std::time_t> parse_date(std::string_view text) {
    static const locale_t english = newlocale(LC_ALL_MASK, "C", nullptr);
    constexpr std::array forms{"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"};
    const std::string date(text);
    for (const char* const form : forms) {
        std::tm parts{};
        const char* const rest = strptime_l(date.c_str(), form, &parts, english);
        if (rest != nullptr && *rest == '\0') {
            return timegm(&parts);
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<UtcTime> date_of(const Headers& headers) {
    const std::string* const field = find_header(headers, "Date");
    const auto date = field == nullptr ? std::nullopt : parse_date(trimmed(*field));
    // What nanoseconds cannot hold is no clock.
    constexpr std::time_t latest = 9'000'000'000;
    return date && *date >= 0 && *date < latest ? std::optional(UtcTime{std::chrono::seconds{*date}}) : std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value, UtcTime now) {
    const std::string_view text = trimmed(value);
    if (const auto seconds = parse_seconds(text)) {
        return *seconds;
    }
    const auto date = parse_date(text);
    if (!date) {
        return std::nullopt;
    }
    // In whole seconds, which cannot overflow where nanoseconds would.
    const auto from = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
    return std::clamp(std::chrono::seconds{*date} - from, std::chrono::seconds{0}, longest);
}

std::optional<std::chrono::milliseconds> retry_after(const Response& response, UtcTime now) {
    const std::string* const asked = find_header(response.headers, "Retry-After");
    return asked == nullptr ? std::nullopt : parse_retry_after(*asked, now);
}

}  // namespace ktrdr
