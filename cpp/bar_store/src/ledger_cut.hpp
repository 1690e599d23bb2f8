#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>
#include <string_view>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// Nothing in `range` is known of any more; of entries that reach beyond it the rest stays. `which`: SQL that says
/// which entries are meant.
void cut_ledger(SQLite::Database& connection, std::int64_t series, TimeRange range, std::string_view which = "true");
/// The entries that reach into `range`, whole, as JSON, whatever columns the ledger has.
[[nodiscard]] std::string ledger_text(SQLite::Database& connection, std::int64_t series, TimeRange range);
/// Put back what `ledger_text` said of `range`, which was cut before.
void put_ledger_back(SQLite::Database& connection, std::int64_t series, TimeRange range, const std::string& text);

/// Breaks of the basis inside `range` and at its end, as JSON, and as they were then.
[[nodiscard]] std::string breaks_text(SQLite::Database& connection, std::int64_t series, TimeRange range);
void put_breaks_back(SQLite::Database& connection, std::int64_t series, TimeRange range, const std::string& text);

}  // namespace ktrdr
