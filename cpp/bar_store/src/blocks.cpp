#include "blocks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chunk.hpp"
#include "columns.hpp"
#include "series_rows.hpp"

namespace ktrdr {
namespace {

OnDamage damage_of(const SeriesKey& key, int part) {
    return [&key, part](const std::string& how) { throw_damaged(key, part, how); };
}

/// Bars of rows whose first column is the part.
Bars read_rows(SQLite::Statement& row, const SeriesKey& key, std::size_t expected = 0) {
    Bars all;
    all.reserve(expected);
    while (row.executeStep()) {
        append_stored(all, row, 1, damage_of(key, row.getColumn(0).getInt()));
    }
    return all;
}

Bars read_first_chunks(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, PartSpan parts) {
    SQLite::Statement row(
        connection, fmt::format("SELECT part, {} FROM chunk WHERE series = ? AND part BETWEEN ? AND ? ORDER BY part",
                                stored_columns));
    row.bind(1, series);
    row.bind(2, parts.first);
    row.bind(3, parts.last);
    return read_rows(row, key);
}

std::vector<int> parts_in(SQLite::Database& connection, const char* table, std::int64_t series) {
    SQLite::Statement row(connection,
                          fmt::format("SELECT DISTINCT part FROM {} WHERE series = ? ORDER BY part", table));
    row.bind(1, series);
    std::vector<int> parts;
    while (row.executeStep()) {
        parts.push_back(row.getColumn(0).getInt());
    }
    return parts;
}

void write_whole_chunks(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, const Bars& bars) {
    for (std::size_t first = 0; first < bars.size();) {
        const int part = chunk_part(key.timeframe, bars.time[first]);
        std::size_t last = first;
        while (last < bars.size() && last - first < largest_block &&
               chunk_part(key.timeframe, bars.time[last]) == part) {
            ++last;
        }
        write_block(connection, series, part, bars, first, last);
        first = last;
    }
}

}  // namespace

std::vector<BlockHead> blocks_of(SQLite::Database& connection, std::int64_t series, int part) {
    SQLite::Statement row(connection,
                          "SELECT id, rows, first, last FROM block WHERE series = ? AND part = ? ORDER BY first");
    row.bind(1, series);
    row.bind(2, part);
    std::vector<BlockHead> heads;
    while (row.executeStep()) {
        heads.push_back({row.getColumn(0).getInt64(), static_cast<std::size_t>(row.getColumn(1).getInt64()),
                         row.getColumn(2).getInt64(), row.getColumn(3).getInt64()});
    }
    return heads;
}

Bars read_block(SQLite::Database& connection, std::int64_t id, const SeriesKey& key, int part) {
    SQLite::Statement row(connection, fmt::format("SELECT {} FROM block WHERE id = ?", stored_columns));
    row.bind(1, id);
    if (!row.executeStep()) {
        throw_damaged(key, part, "a block of it is missing");
    }
    return stored_bars(row, 0, damage_of(key, part));
}

void drop_block(SQLite::Database& connection, std::int64_t id) {
    SQLite::Statement row(connection, "DELETE FROM block WHERE id = ?");
    row.bind(1, id);
    row.exec();
}

void write_block(SQLite::Database& connection, std::int64_t series, int part, const Bars& bars, std::size_t first,
                 std::size_t last) {
    SQLite::Statement row(connection, fmt::format("INSERT INTO block(series, part, {}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
                                                  "?, ?, ?, ?)",
                                                  stored_columns));
    row.bind(1, series);
    row.bind(2, part);
    bind_bars(row, 3, bars, first, last);
    row.exec();
}

Bars read_range(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, TimeRange range) {
    if (range.empty()) {
        return {};
    }
    const PartSpan parts = chunk_parts(key.timeframe, range);
    const auto of_range = [&](const std::string& columns) {
        SQLite::Statement row(connection, fmt::format("SELECT {} FROM block WHERE series = ? AND part BETWEEN ? AND ? "
                                                      "AND first < ? AND last >= ? ORDER BY part, first",
                                                      columns));
        row.bind(1, series);
        row.bind(2, parts.first);
        row.bind(3, parts.last);
        row.bind(4, nanos(range.end));
        row.bind(5, nanos(range.start));
        return row;
    };
    SQLite::Statement count = of_range(fmt::format("total(min(rows, {}))", largest_block));
    const double expected = count.executeStep() ? count.getColumn(0).getDouble() : 0;
    SQLite::Statement row = of_range(fmt::format("part, {}", stored_columns));
    Bars bars = read_rows(row, key, static_cast<std::size_t>(std::max(0.0, expected)));
    const Bars first =
        read_first_chunks(connection, series, key,
                          {first_chunk_part(key.timeframe, nanos(range.start)),
                           first_chunk_part(key.timeframe, std::max(nanos(range.start), nanos(range.end) - 1))});
    if (!first.empty()) {
        bars = merge(first, bars);
    }
    return inside(std::move(bars), range);
}

Bars inside(Bars bars, TimeRange range) {
    const bool all =
        bars.empty() || (range.contains(bars.start_of(0)) && range.contains(bars.start_of(bars.size() - 1)));
    return all ? std::move(bars) : bars.slice(range);
}

Bars read_chunk(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, int part) {
    SQLite::Statement row(
        connection,
        fmt::format("SELECT part, {} FROM block WHERE series = ? AND part = ? ORDER BY first", stored_columns));
    row.bind(1, series);
    row.bind(2, part);
    return read_rows(row, key);
}

void divide_first_chunks(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, TimeRange range) {
    const int first = first_chunk_part(key.timeframe, nanos(range.start));
    const int last = first_chunk_part(key.timeframe, nanos(range.end) - 1);
    for (const int part : first_chunks_of(connection, series)) {
        if (part < first || part > last) {
            continue;
        }
        write_whole_chunks(connection, series, key, read_first_chunks(connection, series, key, {part, part}));
        SQLite::Statement drop(connection, "DELETE FROM chunk WHERE series = ? AND part = ?");
        drop.bind(1, series);
        drop.bind(2, part);
        drop.exec();
    }
}

std::vector<int> first_chunks_of(SQLite::Database& connection, std::int64_t series) {
    return parts_in(connection, "chunk", series);
}

std::vector<int> chunks_of(SQLite::Database& connection, std::int64_t series) {
    return parts_in(connection, "block", series);
}

std::optional<UtcTime> newest_bar(SQLite::Database& connection, std::int64_t series) {
    SQLite::Statement row(connection,
                          "SELECT max(last) FROM (SELECT last FROM chunk WHERE series = ?1 UNION ALL "
                          "SELECT last FROM block WHERE series = ?1)");
    row.bind(1, series);
    const bool there = row.executeStep() && !row.getColumn(0).isNull();
    return there ? std::optional(time_of(row.getColumn(0).getInt64())) : std::nullopt;
}

}  // namespace ktrdr
