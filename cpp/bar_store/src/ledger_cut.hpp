#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// Nothing in `range` is known of any more; of entries that reach beyond it the rest stays.
void cut_ledger(SQLite::Database& connection, std::int64_t series, TimeRange range);
/// The entries that reach into `range`, whole, as JSON, whatever columns the ledger has.
[[nodiscard]] std::string ledger_text(SQLite::Database& connection, std::int64_t series, TimeRange range);
/// Put back what `ledger_text` said of `range`, which was cut before.
void put_ledger_back(SQLite::Database& connection, std::int64_t series, TimeRange range, const std::string& text);

}  // namespace ktrdr
