#pragma once

#include <cstdint>
#include <string>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {

/// The part of a series that one chunk holds: the month of a stamp of 1m to 5m (2024 * 100 + 1), the year of a longer
/// intraday one, 0 for longer timeframes.
[[nodiscard]] int chunk_part(const Timeframe& timeframe, std::int64_t stamp);
/// That of the first files: the year of every intraday stamp.
[[nodiscard]] int first_chunk_part(const Timeframe& timeframe, std::int64_t stamp);

/// Parts of `[range)` in a series; `first` and `last` inclusive.
struct PartSpan {
    int first;
    int last;
};
[[nodiscard]] PartSpan chunk_parts(const Timeframe& timeframe, TimeRange range);
/// When the bars of a chunk start.
[[nodiscard]] TimeRange span_of_chunk(int part);

/// `the chunk of 2024-01`.
[[nodiscard]] std::string name_of_chunk(int part);
[[noreturn]] void throw_damaged(const SeriesKey& key, int part, const std::string& how);

}  // namespace ktrdr
