#include <ktrdr/market/stamp_reader.hpp>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

/// `2024-01-31`.
constexpr std::size_t day_length = 10;

/// Two digits, or nothing.
int two_digits(const char* text) {
    const auto tens = static_cast<unsigned>(text[0] - '0');
    const auto ones = static_cast<unsigned>(text[1] - '0');
    return tens > 9 || ones > 9 ? -1 : static_cast<int>(tens * 10 + ones);
}

/// Nanoseconds after midnight of `T09:30:00Z` or `T09:30:00.000Z`; nothing for what is written otherwise.
std::optional<std::int64_t> usual_time_of_day(std::string_view text) {
    constexpr std::string_view shape = "T00:00:00";
    if (text.size() <= shape.size() || (text[0] != 'T' && text[0] != ' ') || text[3] != ':' || text[6] != ':') {
        return std::nullopt;
    }
    const std::string_view rest = text.substr(shape.size());
    if (rest != "Z" && rest != ".000Z") {
        return std::nullopt;
    }
    const int hour = two_digits(text.data() + 1);
    const int minute = two_digits(text.data() + 4);
    const int second = two_digits(text.data() + 7);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
        return std::nullopt;
    }
    return ((hour * 60LL + minute) * 60 + second) * 1'000'000'000;
}

}  // namespace

std::optional<std::int64_t> StampReader::read(std::string_view text) {
    const std::string_view day = text.substr(0, day_length);
    if (!day_text_.empty() && day == day_text_) {
        if (const auto time = usual_time_of_day(text.substr(day_length))) {
            return day_ + *time;
        }
    }
    const auto time = parse_time("value", text);
    if (!time) {
        return std::nullopt;
    }
    if (day != day_text_) {
        const auto midnight = parse_time("value", day);
        // The last day there is ends before its midnight.
        if (midnight && *midnight <= UtcTime::max() - std::chrono::days{1}) {
            day_text_ = day;
            day_ = midnight->time_since_epoch().count();
        }
    }
    return time->time_since_epoch().count();
}

}  // namespace ktrdr
