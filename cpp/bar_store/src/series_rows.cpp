#include "series_rows.hpp"

#include "ledger_cut.hpp"

namespace ktrdr {
namespace {

void bind_key(SQLite::Statement& statement, const SeriesKey& key) {
    statement.bind(1, key.provider);
    statement.bind(2, key.symbol);
    statement.bind(3, std::string(key.timeframe.name()));
    statement.bind(4, key.what_to_show);
    statement.bind(5, key.session);
    statement.bind(6, key.asset_class);
    statement.bind(7, key.exchange);
    statement.bind(8, key.currency);
}

}  // namespace

Result<SeriesKey> key_of(SQLite::Statement& row, int first) {
    const auto timeframe = Timeframe::parse(row.getColumn(first + 2).getString());
    if (!timeframe) {
        return timeframe.error();
    }
    return SeriesKey{.provider = row.getColumn(first).getString(),
                     .symbol = row.getColumn(first + 1).getString(),
                     .timeframe = *timeframe,
                     .what_to_show = row.getColumn(first + 3).getString(),
                     .session = row.getColumn(first + 4).getString(),
                     .asset_class = row.getColumn(first + 5).getString(),
                     .exchange = row.getColumn(first + 6).getString(),
                     .currency = row.getColumn(first + 7).getString()};
}

std::optional<std::int64_t> find_series(SQLite::Database& connection, const SeriesKey& key) {
    SQLite::Statement find(connection,
                           "SELECT id FROM series WHERE provider = ? AND symbol = ? AND timeframe = ? AND "
                           "what_to_show = ? AND session = ? AND asset_class = ? AND exchange = ? AND currency = ?");
    bind_key(find, key);
    return find.executeStep() ? std::optional(find.getColumn(0).getInt64()) : std::nullopt;
}

std::int64_t find_or_add_series(SQLite::Database& connection, const SeriesKey& key) {
    if (const auto found = find_series(connection, key)) {
        return *found;
    }
    SQLite::Statement add(connection,
                          "INSERT INTO series(provider, symbol, timeframe, what_to_show, session, asset_class, "
                          "exchange, currency) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    bind_key(add, key);
    add.exec();
    return connection.getLastInsertRowid();
}

void add_to_ledger(SQLite::Database& connection, std::int64_t series, const LedgerEntry& entry) {
    cut_ledger(connection, series, entry.range, "outcome IN ('unconfirmed', 'silent', 'failed', 'denied')");
    if (entry.outcome == AskOutcome::bars || entry.outcome == AskOutcome::empty) {
        SQLite::Statement obsolete(connection,
                                   "DELETE FROM ledger WHERE series = ? AND range_start >= ? AND range_end <= ?");
        obsolete.bind(1, series);
        obsolete.bind(2, nanos(entry.range.start));
        obsolete.bind(3, nanos(entry.range.end));
        obsolete.exec();
    }
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

void delete_inside(SQLite::Database& connection, const char* deletion, std::int64_t series,
                   std::span<const TimeRange> ranges) {
    SQLite::Statement row(connection, deletion);
    for (const TimeRange& range : ranges) {
        row.bind(1, series);
        row.bind(2, nanos(range.start));
        row.bind(3, nanos(range.end));
        row.exec();
        row.reset();
    }
}

bool was_silent(SQLite::Database& connection, std::int64_t series, TimeRange range, UtcTime before) {
    SQLite::Statement row(connection,
                          "SELECT range_start, range_end FROM ledger WHERE series = ? AND outcome = 'silent' AND "
                          "asked_at < ? AND range_end > ? ORDER BY range_start");
    row.bind(1, series);
    row.bind(2, nanos(before));
    row.bind(3, nanos(range.start));
    UtcTime reached = range.start;
    while (reached < range.end && row.executeStep() && time_of(row.getColumn(0).getInt64()) <= reached) {
        reached = std::max(reached, time_of(row.getColumn(1).getInt64()));
    }
    return reached >= range.end;
}

}  // namespace ktrdr
