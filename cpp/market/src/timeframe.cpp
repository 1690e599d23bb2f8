#include <ktrdr/market/timeframe.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <vector>

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 16> all_names{"1m", "2m", "3m", "5m", "10m", "15m", "20m", "30m",
                                                     "1h", "2h", "3h", "4h", "8h",  "1d",  "1w",  "1M"};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Edit distance (Levenshtein 1966) that does not tell case apart.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
        }
    }
    return row.back();
}

Error unknown(std::string_view name) {
    const std::string_view start = name.substr(0, 32);
    const auto nearest = std::min_element(all_names.begin(), all_names.end(),
                                          [start](auto a, auto b) { return distance(start, a) < distance(start, b); });
    const std::string hint =
        name.size() <= 16 && distance(start, *nearest) <= 2 ? fmt::format(" (did you mean {}?)", *nearest) : "";
    return fail(Errc::invalid_argument,
                fmt::format("timeframe {:?} is not known{}: use one of {}", start, hint, fmt::join(all_names, " ")),
                {{"field", "timeframe"}, {"value", start}});
}

}  // namespace

std::span<const std::string_view> Timeframe::names() noexcept {
    return all_names;
}

Result<Timeframe> Timeframe::parse(std::string_view name) {
    const auto found = std::find(all_names.begin(), all_names.end(), name);
    if (found == all_names.end()) {
        return unknown(name);
    }
    int count = 0;
    for (const char digit : found->substr(0, found->size() - 1)) {
        count = count * 10 + (digit - '0');
    }
    switch (found->back()) {
        case 'm': return Timeframe(*found, Unit::minute, count);
        case 'h': return Timeframe(*found, Unit::hour, count);
        case 'd': return Timeframe(*found, Unit::day, count);
        case 'w': return Timeframe(*found, Unit::week, count);
        default: return Timeframe(*found, Unit::month, count);
    }
}

bool Timeframe::is_intraday() const noexcept {
    return unit_ == Unit::minute || unit_ == Unit::hour;
}

std::chrono::nanoseconds Timeframe::shortest() const noexcept {
    switch (unit_) {
        case Unit::minute: return std::chrono::minutes{count_};
        case Unit::hour: return std::chrono::hours{count_};
        case Unit::day: return std::chrono::days{count_};
        case Unit::week: return std::chrono::weeks{count_};
        case Unit::month: break;
    }
    return std::chrono::days{28} * count_;
}

}  // namespace ktrdr
