#include "chunk.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ktrdr {
namespace {

/// Parts above it are months.
constexpr int months_from = 10'000;

std::chrono::year_month month_of(std::int64_t stamp) {
    const UtcTime time{std::chrono::nanoseconds{stamp}};
    const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
    return day.year() / day.month();
}

/// Where days are counted from before they are nanoseconds, which end in 1677 and 2262.
UtcTime clamped(std::chrono::year_month month) {
    const std::chrono::sys_days day{month / std::chrono::day{1}};
    const auto low = std::chrono::ceil<std::chrono::days>(UtcTime::min());
    const auto high = std::chrono::floor<std::chrono::days>(UtcTime::max());
    return day < low ? UtcTime::min() : day > high ? UtcTime::max() : UtcTime{day};
}

bool in_months(const Timeframe& timeframe) {
    return timeframe.is_intraday() && timeframe.shortest() <= std::chrono::minutes{5};
}

}  // namespace

int chunk_part(const Timeframe& timeframe, std::int64_t stamp) {
    if (!in_months(timeframe)) {
        return first_chunk_part(timeframe, stamp);
    }
    const std::chrono::year_month month = month_of(stamp);
    return static_cast<int>(month.year()) * 100 + static_cast<int>(static_cast<unsigned>(month.month()));
}

int first_chunk_part(const Timeframe& timeframe, std::int64_t stamp) {
    return timeframe.is_intraday() ? static_cast<int>(month_of(stamp).year()) : 0;
}

PartSpan chunk_parts(const Timeframe& timeframe, TimeRange range) {
    const std::int64_t start = range.start.time_since_epoch().count();
    const std::int64_t end = range.end.time_since_epoch().count();
    return {chunk_part(timeframe, start), chunk_part(timeframe, std::max(start, end - 1))};
}

TimeRange span_of_chunk(int part) {
    if (part == 0) {
        return {UtcTime::min(), UtcTime::max()};
    }
    const bool month = part > months_from;
    const std::chrono::year year{month ? part / 100 : part};
    const auto first = year / std::chrono::month{month ? static_cast<unsigned>(part % 100) : 1U};
    return {clamped(first), clamped(first + std::chrono::months{month ? 1 : 12})};
}

std::string name_of_chunk(int part) {
    if (part == 0) {
        return "the chunk of the whole series";
    }
    return part > months_from ? fmt::format("the chunk of {}-{:02}", part / 100, part % 100)
                              : fmt::format("the chunk of {}", part);
}

void throw_damaged(const SeriesKey& key, int part, const std::string& how) {
    throw ErrorException(fail(
        Errc::storage,
        fmt::format("{} {}: {} is damaged ({}); undo the last change of the series, or forget the range and load "
                    "it again, or restore the file from a copy",
                    key.symbol, key.timeframe.name(), name_of_chunk(part), how),
        {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}, {"provider", key.provider}, {"chunk", part}}));
}

}  // namespace ktrdr
