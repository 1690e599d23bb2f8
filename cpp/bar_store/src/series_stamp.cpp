// What is stored of a series, told by the heads of its blocks.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/checksum.hpp>

#include "blocks.hpp"
#include "chunk.hpp"
#include "series_rows.hpp"

namespace ktrdr {
namespace {

/// Adds the integers of each row, the first of which is how many bars it has.
void add_heads(SQLite::Statement& row, Checksum& sum, std::size_t& bars) {
    while (row.executeStep()) {
        bars += static_cast<std::size_t>(std::max<std::int64_t>(row.getColumn(0).getInt64(), 0));
        for (int column = 0; column < row.getColumnCount(); ++column) {
            sum.add_number(row.getColumn(column).getInt64());
        }
    }
    // So that the rows of one table do not run into those of the next.
    sum.add_bytes({});
}

void add_blocks(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, TimeRange range, Checksum& sum,
                std::size_t& bars) {
    const PartSpan parts = chunk_parts(key.timeframe, range);
    SQLite::Statement row(connection,
                          "SELECT rows, id, first, last, checksum FROM block WHERE series = ? AND part BETWEEN ? AND ? "
                          "AND first < ? AND last >= ? ORDER BY part, first");
    row.bind(1, series);
    row.bind(2, parts.first);
    row.bind(3, parts.last);
    row.bind(4, nanos(range.end));
    row.bind(5, nanos(range.start));
    add_heads(row, sum, bars);
}

void add_first_chunks(SQLite::Database& connection, std::int64_t series, TimeRange range, Checksum& sum,
                      std::size_t& bars) {
    SQLite::Statement row(connection,
                          "SELECT rows, part, first, last, checksum FROM chunk WHERE series = ? AND first < ? AND last "
                          ">= ? ORDER BY part");
    row.bind(1, series);
    row.bind(2, nanos(range.end));
    row.bind(3, nanos(range.start));
    add_heads(row, sum, bars);
}

void add_breaks(SQLite::Database& connection, std::int64_t series, Checksum& sum) {
    SQLite::Statement row(connection, "SELECT at, ratio FROM basis_break WHERE series = ? ORDER BY at");
    row.bind(1, series);
    while (row.executeStep()) {
        sum.add_number(row.getColumn(0).getInt64());
        sum.add_bytes(fmt::format("{}", row.getColumn(1).getDouble()));
    }
}

}  // namespace

Result<SeriesStamp> BarStore::stamp(const SeriesKey& key, TimeRange range) {
    SeriesStamp stamp;
    const auto done = database_->read(fmt::format("look at {} {}", key.symbol, key.timeframe.name()),
                                      [&](SQLite::Database& connection) -> Result<void> {
                                          Checksum sum;
                                          const auto series = find_series(connection, key);
                                          if (series && !range.empty()) {
                                              add_blocks(connection, *series, key, range, sum, stamp.bars);
                                              add_first_chunks(connection, *series, range, sum, stamp.bars);
                                              add_breaks(connection, *series, sum);
                                          }
                                          stamp.version = sum.text();
                                          return {};
                                      });
    return done ? Result<SeriesStamp>(std::move(stamp)) : Result<SeriesStamp>(done.error());
}

}  // namespace ktrdr
