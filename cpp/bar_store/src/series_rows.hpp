#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <optional>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {

[[nodiscard]] inline std::int64_t nanos(UtcTime time) {
    return time.time_since_epoch().count();
}

[[nodiscard]] inline UtcTime time_of(std::int64_t stamp) {
    return UtcTime{std::chrono::nanoseconds{stamp}};
}

[[nodiscard]] std::optional<std::int64_t> find_series(SQLite::Database& connection, const SeriesKey& key);
[[nodiscard]] std::int64_t find_or_add_series(SQLite::Database& connection, const SeriesKey& key);

/// Write the entry; those that it covers are obsolete, but a failure never makes one of bars or empty so.
void add_to_ledger(SQLite::Database& connection, std::int64_t series, const LedgerEntry& entry);

}  // namespace ktrdr
