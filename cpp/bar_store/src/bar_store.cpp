#include <ktrdr/bar_store/bar_store.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <ktrdr/market/time_text.hpp>

#include "blocks.hpp"
#include "merge_rows.hpp"
#include "revisions.hpp"
#include "schema.hpp"
#include "series_rows.hpp"

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, 6> outcome_names{"bars", "empty", "unconfirmed", "silent", "failed", "denied"};

AskOutcome outcome_of(const std::string& name) {
    const auto* const found = std::find(outcome_names.begin(), outcome_names.end(), name);
    return static_cast<AskOutcome>(found - outcome_names.begin());
}

std::vector<LedgerEntry> read_ledger(SQLite::Database& connection, std::int64_t series) {
    SQLite::Statement row(connection,
                          "SELECT range_start, range_end, outcome, asked_at FROM ledger WHERE series = ? "
                          "ORDER BY asked_at, id");
    row.bind(1, series);
    std::vector<LedgerEntry> ledger;
    while (row.executeStep()) {
        ledger.push_back({{time_of(row.getColumn(0).getInt64()), time_of(row.getColumn(1).getInt64())},
                          outcome_of(row.getColumn(2).getString()),
                          time_of(row.getColumn(3).getInt64())});
    }
    return ledger;
}

void read_symbol_check(SQLite::Database& connection, const SeriesKey& key, SeriesFacts& facts) {
    SQLite::Statement row(connection,
                          "SELECT checked_at, asset_class, exchange, currency FROM symbol_check WHERE provider = ? AND "
                          "symbol = ? ORDER BY checked_at DESC");
    row.bind(1, key.provider);
    row.bind(2, key.symbol);
    bool found = false;
    while (row.executeStep()) {
        Contract contract{row.getColumn(1).getString(), row.getColumn(2).getString(), row.getColumn(3).getString()};
        if (!fits(key, contract)) {
            continue;
        }
        if (found) {
            if (key.asset_class.empty()) {
                facts.symbol_checked_at.reset();
            }
            return;
        }
        found = true;
        facts.symbol_checked_at = time_of(row.getColumn(0).getInt64());
        facts.contract = std::move(contract);
    }
}

std::vector<BasisBreak> read_breaks(SQLite::Database& connection, std::int64_t series) {
    SQLite::Statement row(connection, "SELECT at, ratio, found_at FROM basis_break WHERE series = ? ORDER BY at");
    row.bind(1, series);
    std::vector<BasisBreak> breaks;
    while (row.executeStep()) {
        breaks.push_back(
            {time_of(row.getColumn(0).getInt64()), row.getColumn(1).getDouble(), time_of(row.getColumn(2).getInt64())});
    }
    return breaks;
}

void replace_breaks(SQLite::Database& connection, std::int64_t series, const Segment& segment) {
    delete_inside(connection, "DELETE FROM basis_break WHERE series = ? AND at >= ? AND at < ?", series,
                  segment.one_basis);
    for (const BasisBreak& found : segment.breaks) {
        SQLite::Statement add(connection, "INSERT OR REPLACE INTO basis_break VALUES (?, ?, ?, ?)");
        add.bind(1, series);
        add.bind(2, nanos(found.at));
        add.bind(3, found.ratio);
        add.bind(4, nanos(found.found_at));
        add.exec();
    }
}

/// A provider may publish late: what it did not have on the day itself says nothing.
constexpr std::chrono::hours publishing{24};

std::optional<FirstTimestamp> read_first_timestamp(SQLite::Database& connection, std::int64_t series) {
    SQLite::Statement row(connection, "SELECT time, asked_at FROM first_timestamp WHERE series = ?");
    row.bind(1, series);
    if (!row.executeStep()) {
        return std::nullopt;
    }
    FirstTimestamp first{.asked_at = time_of(row.getColumn(1).getInt64())};
    if (!row.getColumn(0).isNull()) {
        first.time = time_of(row.getColumn(0).getInt64());
    }
    return first;
}

Result<void> check_segment(TimeRange range, const Bars& bars) {
    if (range.empty()) {
        return fail(Errc::invalid_argument, fmt::format("the segment ends at {}, not after its start {}",
                                                        format_time(range.end), format_time(range.start)));
    }
    if (const auto checked = bars.check(); !checked) {
        return checked.error();
    }
    if (!bars.empty() && (!range.contains(time_of(bars.time.front())) || !range.contains(time_of(bars.time.back())))) {
        return fail(Errc::invalid_argument,
                    fmt::format("bars from {} to {} are not all inside the segment from {} to {}",
                                format_time(time_of(bars.time.front())), format_time(time_of(bars.time.back())),
                                format_time(range.start), format_time(range.end)));
    }
    return {};
}

std::string phrase(std::string_view verb, const SeriesKey& key) {
    return fmt::format("{} {} {}", verb, key.symbol, key.timeframe.name());
}

}  // namespace

std::string_view to_string(AskOutcome outcome) noexcept {
    return outcome_names[static_cast<std::size_t>(outcome)];
}

Schema BarStore::schema() noexcept {
    return {"bar_store", bar_store_migrations};
}

Result<std::shared_ptr<BarStore>> BarStore::open(std::filesystem::path file, DatabaseOptions options) {
    auto database = Database::open(std::move(file), {schema()}, options);
    if (!database) {
        return database.error();
    }
    return std::make_shared<BarStore>(std::move(*database));
}

Result<SeriesFacts> BarStore::facts(const SeriesKey& key) {
    SeriesFacts facts;
    const auto done = database_->read(phrase("read", key), [&](SQLite::Database& connection) -> Result<void> {
        read_symbol_check(connection, key, facts);
        if (const auto series = find_series(connection, key)) {
            facts.first_timestamp = read_first_timestamp(connection, *series);
            facts.newest_bar = newest_bar(connection, *series);
            facts.ledger = read_ledger(connection, *series);
            facts.breaks = read_breaks(connection, *series);
        }
        return {};
    });
    return done ? Result<SeriesFacts>(std::move(facts)) : Result<SeriesFacts>(done.error());
}

Result<CommittedSegment> BarStore::commit_segment(const SeriesKey& key, const Segment& segment, UtcTime load_began) {
    if (const auto checked = check_segment(segment.range, segment.bars); !checked) {
        return checked.error();
    }
    CommittedSegment committed;
    const auto done = database_->write(phrase("store", key), [&](SQLite::Database& connection) -> Result<void> {
        const std::int64_t series = find_or_add_series(connection, key);
        const UtcTime at = segment.entries.empty() ? system_clock().utc_now() : segment.entries.front().asked_at;
        committed.rows = merge_bars(connection, series, key, segment.bars, {segment.range, segment.cause, at});
        for (LedgerEntry entry : segment.entries) {
            if (entry.outcome == AskOutcome::silent && entry.asked_at - publishing < entry.range.end) {
                entry.outcome = AskOutcome::unconfirmed;
            } else if (entry.outcome == AskOutcome::silent && was_silent(connection, series, entry.range, load_began)) {
                entry.outcome = AskOutcome::empty;
            }
            if (did_not_come(entry.outcome)) {
                committed.unconfirmed.push_back(entry.range);
            }
            add_to_ledger(connection, series, entry);
        }
        replace_breaks(connection, series, segment);
        replace_revisions(connection, series, segment);
        return {};
    });
    return done ? Result<CommittedSegment>(std::move(committed)) : Result<CommittedSegment>(done.error());
}

Result<MergedRows> BarStore::commit_segment(const SeriesKey& key, TimeRange range, const Bars& bars, AskOutcome outcome,
                                            UtcTime asked_at) {
    const auto done = commit_segment(key, {.range = range, .bars = bars, .entries = {{range, outcome, asked_at}}});
    return done ? Result<MergedRows>(done->rows) : Result<MergedRows>(done.error());
}

Result<void> BarStore::remember_symbol(const SeriesKey& key, UtcTime checked_at, const Contract& contract) {
    return database_->write(phrase("store", key), [&](SQLite::Database& connection) -> Result<void> {
        // One of which nothing was said is the same one, said better now.
        SQLite::Statement unsaid(connection,
                                 "DELETE FROM symbol_check WHERE provider = ? AND symbol = ? AND asset_class = ''");
        unsaid.bind(1, key.provider);
        unsaid.bind(2, key.symbol);
        unsaid.exec();
        SQLite::Statement row(connection,
                              "INSERT OR REPLACE INTO symbol_check(provider, symbol, checked_at, asset_class, "
                              "exchange, currency) VALUES (?, ?, ?, ?, ?, ?)");
        row.bind(1, key.provider);
        row.bind(2, key.symbol);
        row.bind(3, nanos(checked_at));
        row.bind(4, contract.asset_class);
        row.bind(5, contract.exchange);
        row.bind(6, contract.currency);
        row.exec();
        return {};
    });
}

Result<void> BarStore::remember_first_timestamp(const SeriesKey& key, const FirstTimestamp& first) {
    return database_->write(phrase("store", key), [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement row(connection, "INSERT OR REPLACE INTO first_timestamp VALUES (?, ?, ?)");
        row.bind(1, find_or_add_series(connection, key));
        if (first.time) {
            row.bind(2, nanos(*first.time));
        }
        row.bind(3, nanos(first.asked_at));
        row.exec();
        return {};
    });
}

}  // namespace ktrdr
