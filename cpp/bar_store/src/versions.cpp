// Earlier versions of chunks: kept before a write changes or removes rows, put back by `undo`.

#include "versions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "blocks.hpp"
#include "chunk.hpp"
#include "columns.hpp"
#include "ledger_cut.hpp"
#include "merge_rows.hpp"
#include "revisions.hpp"
#include "series_rows.hpp"

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 3> cause_names{"loaded", "stored", "forgotten"};

ChangeCause cause_of(const std::string& name) {
    const auto found = std::find(cause_names.begin(), cause_names.end(), name);
    return found == cause_names.end() ? ChangeCause::stored : static_cast<ChangeCause>(found - cause_names.begin());
}

std::int64_t add_change(SQLite::Database& connection, std::int64_t series, const SeriesChange& change,
                        const std::string& ledger, const std::string& breaks) {
    SQLite::Statement row(
        connection,
        "INSERT INTO change(series, range_start, range_end, why, changed_at, added, revised, removed, "
        "ledger, breaks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    row.bind(1, series);
    row.bind(2, nanos(change.range.start));
    row.bind(3, nanos(change.range.end));
    row.bind(4, std::string(to_string(change.cause)));
    row.bind(5, nanos(change.changed_at));
    row.bind(6, static_cast<std::int64_t>(change.added));
    row.bind(7, static_cast<std::int64_t>(change.revised));
    row.bind(8, static_cast<std::int64_t>(change.removed));
    row.bind(9, ledger);
    row.bind(10, breaks);
    row.exec();
    return connection.getLastInsertRowid();
}

void keep_chunk(SQLite::Database& connection, std::int64_t series, std::int64_t change, int part) {
    SQLite::Statement touched(connection, "INSERT INTO changed_chunk VALUES (?, ?)");
    touched.bind(1, change);
    touched.bind(2, part);
    touched.exec();
    SQLite::Statement copy(connection, fmt::format("INSERT INTO old_block(change, part, {0}) SELECT ?1, part, {0} FROM "
                                                   "block WHERE series = ?2 AND part = ?3 ORDER BY first",
                                                   stored_columns));
    copy.bind(1, change);
    copy.bind(2, series);
    copy.bind(3, part);
    copy.exec();
}

/// Versions of the chunk beyond the newest go, and changes that none is left of.
void drop_old_versions(SQLite::Database& connection, std::int64_t series, int part) {
    SQLite::Statement old(connection,
                          "SELECT change FROM changed_chunk JOIN change ON change.id = change WHERE series = ? AND "
                          "part = ? ORDER BY change DESC LIMIT -1 OFFSET ?");
    old.bind(1, series);
    old.bind(2, part);
    old.bind(3, most_versions);
    std::vector<std::int64_t> changes;
    while (old.executeStep()) {
        changes.push_back(old.getColumn(0).getInt64());
    }
    for (const std::int64_t change : changes) {
        for (const char* const sql :
             {"DELETE FROM old_block WHERE change = ?1 AND part = ?2",
              "DELETE FROM changed_chunk WHERE change = ?1 AND part = ?2",
              "DELETE FROM change WHERE id = ?1 AND ?2 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
              "changed_chunk WHERE change = ?1)"}) {
            SQLite::Statement drop(connection, sql);
            drop.bind(1, change);
            drop.bind(2, part);
            drop.exec();
        }
    }
}

SeriesChange change_of(SQLite::Statement& row) {
    const auto count = [&row](int index) { return static_cast<std::size_t>(row.getColumn(index).getInt64()); };
    return {.range = {time_of(row.getColumn(1).getInt64()), time_of(row.getColumn(2).getInt64())},
            .cause = cause_of(row.getColumn(3).getString()),
            .changed_at = time_of(row.getColumn(4).getInt64()),
            .added = count(5),
            .revised = count(6),
            .removed = count(7)};
}

TimeRange hull(TimeRange a, TimeRange b) {
    return {std::min(a.start, b.start), std::max(a.end, b.end)};
}

TimeRange common(TimeRange a, TimeRange b) {
    return {std::max(a.start, b.start), std::min(a.end, b.end)};
}

void rewrite_chunk(SQLite::Database& connection, std::int64_t series, int part, const Bars& bars) {
    SQLite::Statement drop(connection, "DELETE FROM block WHERE series = ? AND part = ?");
    drop.bind(1, series);
    drop.bind(2, part);
    drop.exec();
    for (std::size_t first = 0; first < bars.size(); first += largest_block) {
        write_block(connection, series, part, bars, first, std::min(bars.size(), first + largest_block));
    }
}

/// Puts the newest change of a series back.
class Undo final {
public:
    Undo(SQLite::Database& connection, std::int64_t series, const SeriesKey& key)
        : connection_(connection), series_(series), key_(key) {}

    std::optional<SeriesChange> run() {
        SQLite::Statement newest(
            connection_,
            "SELECT id, range_start, range_end, why, changed_at, added, revised, removed, ledger, breaks "
            "FROM change WHERE series = ? ORDER BY id DESC LIMIT 1");
        newest.bind(1, series_);
        if (!newest.executeStep()) {
            return std::nullopt;
        }
        const std::int64_t id = newest.getColumn(0).getInt64();
        const SeriesChange change = change_of(newest);
        const std::string ledger = newest.getColumn(8).getString();
        const std::string breaks = newest.getColumn(9).getString();
        newest.reset();
        for (const TimeRange& scope : put_chunks_back(id, change)) {
            cut_ledger(connection_, series_, scope);
            put_ledger_back(connection_, series_, scope, ledger);
            put_breaks_back(connection_, series_, scope, breaks);
        }
        SQLite::Statement drop(connection_, "DELETE FROM change WHERE id = ?");
        drop.bind(1, id);
        drop.exec();
        return change;
    }

private:
    /// The ranges of which the bars are those of before.
    std::vector<TimeRange> put_chunks_back(std::int64_t id, const SeriesChange& change) {
        SQLite::Statement row(connection_, "SELECT part FROM changed_chunk WHERE change = ? ORDER BY part");
        row.bind(1, id);
        std::vector<int> parts;
        while (row.executeStep()) {
            parts.push_back(row.getColumn(0).getInt());
        }
        std::vector<TimeRange> scopes;
        for (const int part : parts) {
            const TimeRange scope = put_chunk_back(id, change, part);
            if (!scopes.empty() && scopes.back().end == scope.start) {
                scopes.back().end = scope.end;
            } else if (!scope.empty()) {
                scopes.push_back(scope);
            }
        }
        return scopes;
    }

    /// What came after the change, and lies beside it, stays; of a chunk that is damaged it is asked for again.
    TimeRange put_chunk_back(std::int64_t id, const SeriesChange& change, int part) {
        const Bars old = old_chunk(connection_, id, key_, part);
        const auto now = readable(part);
        const TimeRange inside = common(change.range, span_of_chunk(part));
        if (!now) {
            rewrite_chunk(connection_, series_, part, old);
            return span_of_chunk(part);
        }
        const Bars beside = merge(now->slice({UtcTime::min(), inside.start}), now->slice({inside.end, UtcTime::max()}));
        rewrite_chunk(connection_, series_, part, merge(beside, old.slice(inside)));
        if (change.cause == ChangeCause::loaded) {
            // The provider has given them all the same.
            keep_revisions(connection_, series_, revised(old.slice(inside), *now, change.changed_at));
        }
        return inside;
    }

    std::optional<Bars> readable(int part) {
        try {
            return read_chunk(connection_, series_, key_, part);
        } catch (const ErrorException&) {
            return std::nullopt;
        }
    }

    SQLite::Database& connection_;
    const std::int64_t series_;
    const SeriesKey& key_;
};

}  // namespace

std::string_view to_string(ChangeCause cause) noexcept {
    return cause_names[static_cast<std::size_t>(cause)];
}

void keep_versions(SQLite::Database& connection, std::int64_t series, const std::vector<int>& parts,
                   const SeriesChange& change) {
    TimeRange reach = change.range;
    for (const int part : parts) {
        reach = hull(reach, span_of_chunk(part));
    }
    const std::int64_t id = add_change(connection, series, change, ledger_text(connection, series, reach),
                                       breaks_text(connection, series, reach));
    for (const int part : parts) {
        keep_chunk(connection, series, id, part);
        drop_old_versions(connection, series, part);
    }
}

std::vector<KeptVersion> kept_versions(SQLite::Database& connection, std::int64_t series) {
    SQLite::Statement row(connection,
                          "SELECT change.id, part, range_start, range_end, why, changed_at FROM change JOIN "
                          "changed_chunk ON change = change.id WHERE series = ? ORDER BY part, change.id DESC");
    row.bind(1, series);
    std::vector<KeptVersion> versions;
    while (row.executeStep()) {
        versions.push_back({.change = row.getColumn(0).getInt64(),
                            .part = row.getColumn(1).getInt(),
                            .range = {time_of(row.getColumn(2).getInt64()), time_of(row.getColumn(3).getInt64())},
                            .cause = cause_of(row.getColumn(4).getString()),
                            .changed_at = time_of(row.getColumn(5).getInt64())});
    }
    return versions;
}

std::vector<SeriesChange> kept_changes(SQLite::Database& connection, std::int64_t series) {
    SQLite::Statement row(
        connection,
        "SELECT id, range_start, range_end, why, changed_at, added, revised, removed FROM change WHERE "
        "series = ? ORDER BY id DESC");
    row.bind(1, series);
    std::vector<SeriesChange> changes;
    while (row.executeStep()) {
        changes.push_back(change_of(row));
    }
    return changes;
}

Bars old_chunk(SQLite::Database& connection, std::int64_t change, const SeriesKey& key, int part) {
    SQLite::Statement row(
        connection,
        fmt::format("SELECT {} FROM old_block WHERE change = ? AND part = ? ORDER BY first", stored_columns));
    row.bind(1, change);
    row.bind(2, part);
    Bars all;
    while (row.executeStep()) {
        append(all, stored_bars(row, 0, [&](const std::string& how) {
                   throw_damaged(key, part, "its earlier version: " + how);
               }));
    }
    return all;
}

Result<SeriesChange> BarStore::undo(const SeriesKey& key) {
    std::optional<SeriesChange> undone;
    const std::string what = fmt::format("undo a change of {} {}", key.symbol, key.timeframe.name());
    const auto done = database_->write(what, [&](SQLite::Database& connection) -> Result<void> {
        if (const auto series = find_series(connection, key)) {
            undone = Undo(connection, *series, key).run();
        }
        return {};
    });
    if (!done) {
        return done.error();
    }
    if (!undone) {
        return fail(
            Errc::not_found,
            fmt::format("{} {}: there is no change to undo: none of its bars was changed or forgotten since its "
                        "versions were last freed (the last {} of each chunk are kept)",
                        key.symbol, key.timeframe.name(), most_versions),
            {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}});
    }
    return *undone;
}

Result<std::vector<SeriesChange>> BarStore::changes(const SeriesKey& key) {
    std::vector<SeriesChange> all;
    const auto done = database_->read(fmt::format("read {} {}", key.symbol, key.timeframe.name()),
                                      [&](SQLite::Database& connection) -> Result<void> {
                                          if (const auto series = find_series(connection, key)) {
                                              all = kept_changes(connection, *series);
                                          }
                                          return {};
                                      });
    return done ? Result<std::vector<SeriesChange>>(std::move(all)) : Result<std::vector<SeriesChange>>(done.error());
}

}  // namespace ktrdr
