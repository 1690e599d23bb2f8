#include "series_rows.hpp"

#include <algorithm>

#include "chunk.hpp"

namespace ktrdr {
namespace {

void bind_key(SQLite::Statement& statement, const SeriesKey& key) {
    statement.bind(1, key.provider);
    statement.bind(2, key.symbol);
    statement.bind(3, std::string(key.timeframe.name()));
    statement.bind(4, key.what_to_show);
    statement.bind(5, key.session);
}

}  // namespace

std::optional<std::int64_t> find_series(SQLite::Database& connection, const SeriesKey& key) {
    SQLite::Statement find(connection,
                           "SELECT id FROM series WHERE provider = ? AND symbol = ? AND timeframe = ? AND "
                           "what_to_show = ? AND session = ?");
    bind_key(find, key);
    return find.executeStep() ? std::optional(find.getColumn(0).getInt64()) : std::nullopt;
}

std::int64_t find_or_add_series(SQLite::Database& connection, const SeriesKey& key) {
    if (const auto found = find_series(connection, key)) {
        return *found;
    }
    SQLite::Statement add(connection,
                          "INSERT INTO series(provider, symbol, timeframe, what_to_show, session) "
                          "VALUES (?, ?, ?, ?, ?)");
    bind_key(add, key);
    add.exec();
    return connection.getLastInsertRowid();
}

MergedRows merge_bars(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, const Bars& bars,
                      const AfterChunk& after_chunk) {
    MergedRows rows;
    std::size_t first = 0;
    while (first < bars.size()) {
        const int part = chunk_part(key.timeframe, bars.time[first]);
        std::size_t last = first + 1;
        while (last < bars.size() && chunk_part(key.timeframe, bars.time[last]) == part) {
            ++last;
        }
        const Bars stored = read_chunks(connection, series, key, {part, part});
        const Bars merged = merge(stored, bars.rows(first, last));
        write_chunk(connection, series, part, merged);
        const std::size_t added = merged.size() - stored.size();
        rows.added += added;
        rows.replaced += last - first - added;
        first = last;
        if (after_chunk) {
            after_chunk(first);
        }
    }
    return rows;
}

void add_to_ledger(SQLite::Database& connection, std::int64_t series, const LedgerEntry& entry) {
    const bool answered = entry.outcome == AskOutcome::bars || entry.outcome == AskOutcome::empty;
    SQLite::Statement obsolete(connection,
                               "DELETE FROM ledger WHERE series = ? AND range_start >= ? AND range_end <= ? "
                               "AND (? OR outcome IN ('failed', 'denied'))");
    obsolete.bind(1, series);
    obsolete.bind(2, nanos(entry.range.start));
    obsolete.bind(3, nanos(entry.range.end));
    obsolete.bind(4, answered ? 1 : 0);
    obsolete.exec();
    SQLite::Statement add(connection,
                          "INSERT INTO ledger(series, range_start, range_end, outcome, asked_at) "
                          "VALUES (?, ?, ?, ?, ?)");
    add.bind(1, series);
    add.bind(2, nanos(entry.range.start));
    add.bind(3, nanos(entry.range.end));
    add.bind(4, std::string(to_string(entry.outcome)));
    add.bind(5, nanos(entry.asked_at));
    add.exec();
}

}  // namespace ktrdr
