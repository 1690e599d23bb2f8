#include "ledger_cut.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "series_rows.hpp"

namespace ktrdr {
namespace {

struct LedgerColumn {
    std::string name;
    /// What SQL says where nothing else does; may be empty.
    std::string otherwise;
};

/// But its key and its series.
std::vector<LedgerColumn> ledger_columns(SQLite::Database& connection) {
    SQLite::Statement row(connection, "SELECT name, dflt_value FROM pragma_table_info('ledger')");
    std::vector<LedgerColumn> columns;
    while (row.executeStep()) {
        if (std::string name = row.getColumn(0).getString(); name != "id" && name != "series") {
            columns.push_back({std::move(name), row.getColumn(1).getString()});
        }
    }
    return columns;
}

/// The column, cut to the range between parameters ?1 and ?2 where it is an end of one.
std::string cut(const std::string& name, const std::string& value) {
    if (name.ends_with("_start")) {
        return fmt::format("max({}, ?1)", value);
    }
    return name.ends_with("_end") ? fmt::format("min({}, ?2)", value) : value;
}

/// A copy of an entry, of which only what lies in `range` is left; none where nothing does.
void copy_part(SQLite::Database& connection, const std::vector<LedgerColumn>& columns, std::int64_t id,
               TimeRange range) {
    std::vector<std::string> names{"series"};
    std::vector<std::string> values{"series"};
    for (const LedgerColumn& column : columns) {
        names.push_back(column.name);
        values.push_back(cut(column.name, column.name));
    }
    SQLite::Statement copy(connection,
                           fmt::format("INSERT INTO ledger({}) SELECT {} FROM ledger WHERE id = ?3 AND range_start < "
                                       "?2 AND range_end > ?1",
                                       fmt::join(names, ", "), fmt::join(values, ", ")));
    copy.bind(1, nanos(range.start));
    copy.bind(2, nanos(range.end));
    copy.bind(3, id);
    copy.exec();
}

}  // namespace

void cut_ledger(SQLite::Database& connection, std::int64_t series, TimeRange range, std::string_view which) {
    SQLite::Statement row(connection, fmt::format("SELECT id FROM ledger WHERE series = ? AND range_start < ? AND "
                                                  "range_end > ? AND {}",
                                                  which));
    row.bind(1, series);
    row.bind(2, nanos(range.end));
    row.bind(3, nanos(range.start));
    std::vector<std::int64_t> ids;
    while (row.executeStep()) {
        ids.push_back(row.getColumn(0).getInt64());
    }
    const std::vector<LedgerColumn> columns = ledger_columns(connection);
    for (const std::int64_t id : ids) {
        copy_part(connection, columns, id, {UtcTime::min(), range.start});
        copy_part(connection, columns, id, {range.end, UtcTime::max()});
        SQLite::Statement drop(connection, "DELETE FROM ledger WHERE id = ?");
        drop.bind(1, id);
        drop.exec();
    }
}

std::string ledger_text(SQLite::Database& connection, std::int64_t series, TimeRange range) {
    std::vector<std::string> fields;
    for (const LedgerColumn& column : ledger_columns(connection)) {
        fields.push_back(fmt::format("'{0}', {0}", column.name));
    }
    SQLite::Statement row(
        connection, fmt::format("SELECT json_group_array(json_object({})) FROM (SELECT * FROM ledger WHERE series "
                                "= ? AND range_start < ? AND range_end > ? ORDER BY id)",
                                fmt::join(fields, ", ")));
    row.bind(1, series);
    row.bind(2, nanos(range.end));
    row.bind(3, nanos(range.start));
    return row.executeStep() ? row.getColumn(0).getString() : "[]";
}

void put_ledger_back(SQLite::Database& connection, std::int64_t series, TimeRange range, const std::string& text) {
    std::vector<std::string> names{"series"};
    std::vector<std::string> values{"?3"};
    for (const LedgerColumn& column : ledger_columns(connection)) {
        std::string value = fmt::format("value ->> '$.{}'", column.name);
        if (!column.otherwise.empty()) {
            value = fmt::format("coalesce({}, {})", value, column.otherwise);
        }
        names.push_back(column.name);
        values.push_back(cut(column.name, value));
    }
    SQLite::Statement add(connection, fmt::format("INSERT INTO ledger({}) SELECT {} FROM json_each(?4) WHERE value ->> "
                                                  "'$.range_start' < ?2 AND value ->> '$.range_end' > ?1 ORDER BY key",
                                                  fmt::join(names, ", "), fmt::join(values, ", ")));
    add.bind(1, nanos(range.start));
    add.bind(2, nanos(range.end));
    add.bind(3, series);
    add.bind(4, text);
    add.exec();
}

std::string breaks_text(SQLite::Database& connection, std::int64_t series, TimeRange range) {
    SQLite::Statement row(connection,
                          "SELECT json_group_array(json_array(at, ratio, found_at)) FROM basis_break WHERE series = ? "
                          "AND at BETWEEN ? AND ?");
    row.bind(1, series);
    row.bind(2, nanos(range.start));
    row.bind(3, nanos(range.end));
    return row.executeStep() ? row.getColumn(0).getString() : "[]";
}

void put_breaks_back(SQLite::Database& connection, std::int64_t series, TimeRange range, const std::string& text) {
    SQLite::Statement drop(connection, "DELETE FROM basis_break WHERE series = ? AND at BETWEEN ? AND ?");
    drop.bind(1, series);
    drop.bind(2, nanos(range.start));
    drop.bind(3, nanos(range.end));
    drop.exec();
    SQLite::Statement add(connection,
                          "INSERT INTO basis_break SELECT ?1, value ->> 0, value ->> 1, value ->> 2 FROM "
                          "json_each(?4) WHERE value ->> 0 BETWEEN ?2 AND ?3");
    add.bind(1, series);
    add.bind(2, nanos(range.start));
    add.bind(3, nanos(range.end));
    add.bind(4, text);
    add.exec();
}

}  // namespace ktrdr
