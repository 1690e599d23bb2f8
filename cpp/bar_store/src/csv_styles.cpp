// How files write the numbers of a series.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <ktrdr/bar_store/bar_store.hpp>

#include "series_rows.hpp"

namespace ktrdr {

Result<CsvStyle> BarStore::csv_style(const SeriesKey& key) {
    CsvStyle style;
    const auto done = database_->read(
        fmt::format("read how files write {} {}", key.symbol, key.timeframe.name()),
        [&](SQLite::Database& connection) -> Result<void> {
            const auto series = find_series(connection, key);
            SQLite::Statement row(connection, "SELECT without_point, minus_one FROM csv_style WHERE series = ?");
            row.bind(1, series.value_or(0));
            if (row.executeStep()) {
                const int bits = row.getColumn(0).getInt();
                for (std::size_t i = 0; i < style.without_point.size(); ++i) {
                    style.without_point.at(i) = ((bits >> i) & 1) != 0;
                }
                style.minus_one = row.getColumn(1).getInt() != 0;
            }
            return {};
        });
    return done ? Result<CsvStyle>(style) : Result<CsvStyle>(done.error());
}

Result<void> BarStore::remember_csv_style(const SeriesKey& key, const CsvStyle& style) {
    // Asked nothing; but it follows the bars, and with a poll it leaves them in the log, as storing them did.
    const Database::Poll goes_on = [] { return Result<void>{}; };
    return database_->write(
        fmt::format("remember how files write {} {}", key.symbol, key.timeframe.name()),
        [&](SQLite::Database& connection) -> Result<void> {
            const auto series = find_series(connection, key);
            if (!series) {
                return {};
            }
            int bits = 0;
            for (std::size_t i = 0; i < style.without_point.size(); ++i) {
                bits |= (style.without_point.at(i) ? 1 : 0) << i;
            }
            SQLite::Statement row(connection, "INSERT OR REPLACE INTO csv_style VALUES (?, ?, ?)");
            row.bind(1, *series);
            row.bind(2, bits);
            row.bind(3, style.minus_one ? 1 : 0);
            row.exec();
            return {};
        },
        Durability::synced, std::nullopt, goes_on);
}

}  // namespace ktrdr
