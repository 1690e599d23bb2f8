#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>
#include <span>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {

[[nodiscard]] inline std::int64_t nanos(UtcTime time) {
    return time.time_since_epoch().count();
}

[[nodiscard]] inline UtcTime time_of(std::int64_t stamp) {
    return UtcTime{std::chrono::nanoseconds{stamp}};
}

/// As `key_of` reads them.
inline constexpr const char* series_columns =
    "provider, symbol, timeframe, what_to_show, session, asset_class, exchange, currency";
inline constexpr int series_column_count = 8;
/// From that column of a row on. Errors: a timeframe that is not known.
[[nodiscard]] Result<SeriesKey> key_of(SQLite::Statement& row, int first = 0);

[[nodiscard]] std::optional<std::int64_t> find_series(SQLite::Database& connection, const SeriesKey& key);
[[nodiscard]] std::int64_t find_or_add_series(SQLite::Database& connection, const SeriesKey& key);

/// Carry out a deletion of rows of a series inside each of the ranges: its parameters are the series, a range's start
/// and its end.
void delete_inside(SQLite::Database& connection, const char* deletion, std::int64_t series,
                   std::span<const TimeRange> ranges);

/// Write the entry. What was said of its range before and was no answer is obsolete; an answer is so where another
/// covers it.
void add_to_ledger(SQLite::Database& connection, std::int64_t series, const LedgerEntry& entry);
/// Whether answers from before `before` left all of `range` unconfirmed.
[[nodiscard]] bool was_silent(SQLite::Database& connection, std::int64_t series, TimeRange range, UtcTime before);

}  // namespace ktrdr
