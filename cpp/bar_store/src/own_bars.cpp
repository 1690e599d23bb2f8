// Bars that nobody was asked for, and the list of what is stored.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/bar_store/bar_store.hpp>

#include "merge_rows.hpp"
#include "series_rows.hpp"

namespace ktrdr {
namespace {

std::ptrdiff_t place_of(const Timeframe& timeframe) {
    const auto names = Timeframe::names();
    return std::find(names.begin(), names.end(), timeframe.name()) - names.begin();
}

/// From the first to the last that is said.
TimeRange reach_of(const Bars& bars, std::span<const TimeRange> covered) {
    TimeRange reach{UtcTime::max(), UtcTime::min()};
    if (!bars.empty()) {
        reach = {bars.start_of(0), time_of(bars.time.back() + 1)};
    }
    for (const TimeRange& range : covered) {
        reach = {std::min(reach.start, range.start), std::max(reach.end, range.end)};
    }
    return reach;
}

StoredSeries series_of(SQLite::Statement& row) {
    auto key = key_of(row);
    if (!key) {
        throw ErrorException(key.error());
    }
    return {std::move(*key), static_cast<std::size_t>(row.getColumn(series_column_count).getInt64()),
            time_of(row.getColumn(series_column_count + 1).getInt64()),
            time_of(row.getColumn(series_column_count + 2).getInt64())};
}

auto place_of(const SeriesKey& key) {
    return std::tuple(std::string_view(key.provider), std::string_view(key.symbol), place_of(key.timeframe),
                      std::string_view(key.what_to_show), std::string_view(key.session),
                      std::string_view(key.asset_class), std::string_view(key.exchange),
                      std::string_view(key.currency));
}

}  // namespace

Result<MergedRows> BarStore::store_own(const SeriesKey& key, const Bars& bars, std::span<const TimeRange> covered,
                                       UtcTime stored_at, const std::function<Result<void>(std::size_t)>& poll) {
    if (const auto checked = bars.check(); !checked) {
        return checked.error();
    }
    if (std::any_of(covered.begin(), covered.end(), [](const TimeRange& range) { return range.empty(); })) {
        return fail(Errc::invalid_argument, "a range that own bars cover is empty");
    }
    std::size_t written = 0;
    const Database::Poll wanted = [&] { return poll(written); };
    const AfterChunk after_chunk = [&](std::size_t so_far) {
        written = so_far;
        if (const auto goes_on = poll ? wanted() : Result<void>{}; !goes_on) {
            throw ErrorException(goes_on.error());
        }
    };
    const TimeRange reach = reach_of(bars, covered);
    MergedRows rows;
    const auto done = database_->write(
        fmt::format("store {} {}", key.symbol, key.timeframe.name()),
        [&](SQLite::Database& connection) -> Result<void> {
            const std::int64_t series = find_or_add_series(connection, key);
            rows = merge_bars(connection, series, key, bars, {reach, ChangeCause::stored, stored_at}, after_chunk);
            for (const TimeRange& range : covered) {
                add_to_ledger(connection, series, {range, AskOutcome::bars, stored_at});
            }
            return {};
        },
        Durability::synced, std::nullopt, poll ? wanted : Database::Poll{});
    return done ? Result<MergedRows>(rows) : Result<MergedRows>(done.error());
}

Result<std::vector<StoredSeries>> BarStore::list() {
    std::vector<StoredSeries> all;
    const auto done = database_->read("list what is stored", [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement row(connection,
                              fmt::format("SELECT {}, sum(rows), min(first), max(last) FROM (SELECT series, rows, "
                                          "first, last FROM chunk UNION ALL SELECT series, rows, first, last FROM "
                                          "block) AS piece JOIN series ON series.id = piece.series GROUP BY series",
                                          series_columns));
        while (row.executeStep()) {
            all.push_back(series_of(row));
        }
        return {};
    });
    if (!done) {
        return done.error();
    }
    std::sort(all.begin(), all.end(),
              [](const StoredSeries& a, const StoredSeries& b) { return place_of(a.key) < place_of(b.key); });
    return all;
}

}  // namespace ktrdr
