#pragma once

#include <array>
#include <string_view>

namespace ktrdr {

/// How the file came to be what it is; what is released is never changed, only added to.
inline constexpr std::array<std::string_view, 7> bar_store_migrations{R"sql(
CREATE TABLE series(
    id INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    what_to_show TEXT NOT NULL,
    session TEXT NOT NULL,
    UNIQUE(provider, symbol, timeframe, what_to_show, session)
) STRICT;

-- Of the first files; what is written now goes into block. part: the year of an intraday series, 0 for the whole of a longer one. Stamps in nanoseconds since 1970 UTC.
CREATE TABLE chunk(
    series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    time BLOB NOT NULL,
    open BLOB NOT NULL,
    high BLOB NOT NULL,
    low BLOB NOT NULL,
    close BLOB NOT NULL,
    volume BLOB NOT NULL,
    PRIMARY KEY(series, part)
) STRICT;

CREATE TABLE ledger(
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    range_start INTEGER NOT NULL,
    range_end INTEGER NOT NULL CHECK(range_start < range_end),
    outcome TEXT NOT NULL CHECK(outcome IN ('bars', 'empty', 'failed', 'denied')),
    asked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_of_series ON ledger(series, range_start);

CREATE TABLE symbol_check(
    provider TEXT NOT NULL,
    symbol TEXT NOT NULL,
    checked_at INTEGER NOT NULL,
    PRIMARY KEY(provider, symbol)
) STRICT;

CREATE TABLE first_timestamp(
    series INTEGER PRIMARY KEY REFERENCES series(id) ON DELETE CASCADE,
    time INTEGER,
    asked_at INTEGER NOT NULL
) STRICT;
)sql",
                                                                      R"sql(
-- What earlier versions called covered was what was asked for, not what came: it is asked for again.
ALTER TABLE ledger RENAME TO first_ledger;
CREATE TABLE ledger(
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    range_start INTEGER NOT NULL,
    range_end INTEGER NOT NULL CHECK(range_start < range_end),
    outcome TEXT NOT NULL CHECK(outcome IN ('bars', 'empty', 'unconfirmed', 'failed', 'denied')),
    asked_at INTEGER NOT NULL
) STRICT;
INSERT INTO ledger SELECT id, series, range_start, range_end,
    CASE WHEN outcome IN ('bars', 'empty') THEN 'unconfirmed' ELSE outcome END, asked_at FROM first_ledger;
DROP TABLE first_ledger;
CREATE INDEX ledger_of_series ON ledger(series, range_start);

ALTER TABLE symbol_check ADD COLUMN asset_class TEXT NOT NULL DEFAULT '';
ALTER TABLE symbol_check ADD COLUMN exchange TEXT NOT NULL DEFAULT '';
ALTER TABLE symbol_check ADD COLUMN currency TEXT NOT NULL DEFAULT '';

CREATE TABLE basis_break(
    series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    ratio REAL NOT NULL,
    found_at INTEGER NOT NULL,
    PRIMARY KEY(series, at)
) STRICT;
)sql",
                                                                      R"sql(
-- Some bars of a chunk. part: the month (2024 * 100 + 1), the year, or 0 for the whole, by timeframe. Blocks of a series
-- do not overlap, and its parts are either in chunk or here.
CREATE TABLE block(
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    time BLOB NOT NULL,
    open BLOB NOT NULL,
    high BLOB NOT NULL,
    low BLOB NOT NULL,
    close BLOB NOT NULL,
    volume BLOB NOT NULL
) STRICT;
-- All that a list or a merge needs to know of a block that it does not read.
CREATE INDEX block_of_chunk ON block(series, part, first, last, rows);

-- What was changed or removed, and of each chunk that it touched what was in it before (nothing: no row).
CREATE TABLE change(
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    range_start INTEGER NOT NULL,
    range_end INTEGER NOT NULL CHECK(range_start < range_end),
    why TEXT NOT NULL CHECK(why IN ('loaded', 'stored', 'forgotten')),
    changed_at INTEGER NOT NULL,
    added INTEGER NOT NULL,
    revised INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    ledger TEXT NOT NULL,
    breaks TEXT NOT NULL
) STRICT;
CREATE INDEX change_of_series ON change(series);
CREATE TABLE changed_chunk(
    change INTEGER NOT NULL REFERENCES change(id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    PRIMARY KEY(change, part)
) STRICT;
CREATE TABLE old_block(
    id INTEGER PRIMARY KEY,
    change INTEGER NOT NULL REFERENCES change(id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    time BLOB NOT NULL,
    open BLOB NOT NULL,
    high BLOB NOT NULL,
    low BLOB NOT NULL,
    close BLOB NOT NULL,
    volume BLOB NOT NULL
) STRICT;
CREATE INDEX old_block_of_change ON old_block(change, part);
)sql",
                                                                      R"sql(
-- How the CSV file that was imported last writes numbers. without_point: bits by column, open to volume.
CREATE TABLE csv_style(
    series INTEGER PRIMARY KEY REFERENCES series(id) ON DELETE CASCADE,
    without_point INTEGER NOT NULL,
    minus_one INTEGER NOT NULL
) STRICT;
)sql",
                                                                      R"sql(
-- Of what did not come, the ledger tells what may have been cut off from what an answer was silent of.
ALTER TABLE ledger RENAME TO earlier_ledger;
DROP INDEX ledger_of_series;
CREATE TABLE ledger(
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    range_start INTEGER NOT NULL,
    range_end INTEGER NOT NULL CHECK(range_start < range_end),
    outcome TEXT NOT NULL CHECK(outcome IN ('bars', 'empty', 'unconfirmed', 'silent', 'failed', 'denied')),
    asked_at INTEGER NOT NULL
) STRICT;
INSERT INTO ledger SELECT id, series, range_start, range_end, outcome, asked_at FROM earlier_ledger;
DROP TABLE earlier_ledger;
CREATE INDEX ledger_of_series ON ledger(series, range_start);
)sql",
                                                                      R"sql(
-- A series is one of a contract, too: what its provider said of it, each empty where nobody has. Foreign keys are off
-- while a file is brought up to date, so what belongs to a series stays. Forex has no trades: what was loaded was midpoints.
CREATE TABLE new_series(
    id INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    symbol TEXT NOT NULL,
    timeframe TEXT NOT NULL,
    what_to_show TEXT NOT NULL,
    session TEXT NOT NULL,
    asset_class TEXT NOT NULL DEFAULT '',
    exchange TEXT NOT NULL DEFAULT '',
    currency TEXT NOT NULL DEFAULT '',
    UNIQUE(provider, symbol, timeframe, what_to_show, session, asset_class, exchange, currency)
) STRICT;
INSERT INTO new_series
    SELECT id, series.provider, series.symbol, timeframe,
        CASE WHEN asset_class = 'forex' AND what_to_show = 'TRADES' THEN 'MIDPOINT' ELSE what_to_show END, session,
        coalesce(asset_class, ''), coalesce(exchange, ''), coalesce(currency, '')
    FROM series LEFT JOIN symbol_check USING(provider, symbol);
DROP TABLE series;
ALTER TABLE new_series RENAME TO series;

-- A provider may have several contracts of one symbol.
CREATE TABLE new_symbol_check(
    provider TEXT NOT NULL,
    symbol TEXT NOT NULL,
    checked_at INTEGER NOT NULL,
    asset_class TEXT NOT NULL,
    exchange TEXT NOT NULL,
    currency TEXT NOT NULL,
    PRIMARY KEY(provider, symbol, asset_class, currency)
) STRICT;
INSERT INTO new_symbol_check SELECT provider, symbol, checked_at, asset_class, exchange, currency FROM symbol_check;
DROP TABLE symbol_check;
ALTER TABLE new_symbol_check RENAME TO symbol_check;
)sql",
                                                                      R"sql(
-- Numbers that a provider has given for bars that were stored already, which kept theirs. One that is none is NULL.
CREATE TABLE revision(
    series INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    time INTEGER NOT NULL,
    told_at INTEGER NOT NULL,
    open REAL,
    high REAL,
    low REAL,
    close REAL,
    volume REAL,
    PRIMARY KEY(series, time)
) STRICT, WITHOUT ROWID;
)sql"};

}  // namespace ktrdr
