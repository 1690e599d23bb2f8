#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {

/// The part of a series that one chunk holds: the year of an intraday stamp, 0 for longer timeframes.
[[nodiscard]] int chunk_part(const Timeframe& timeframe, std::int64_t stamp);

/// Parts of `[range)` in a series; `first` and `last` inclusive.
struct PartSpan {
    int first;
    int last;
};
[[nodiscard]] PartSpan chunk_parts(const Timeframe& timeframe, TimeRange range);

/// The stored chunks of a series from `parts`, in one series. Throws `ErrorException` for a damaged one.
[[nodiscard]] Bars read_chunks(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, PartSpan parts);

/// The stamp of the newest bar of a series; unset when it has none.
[[nodiscard]] std::optional<UtcTime> newest_bar(SQLite::Database& connection, std::int64_t series);

/// Replace chunk `part` by `bars`.
void write_chunk(SQLite::Database& connection, std::int64_t series, int part, const Bars& bars);

}  // namespace ktrdr
