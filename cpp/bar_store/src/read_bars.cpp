// Reading stored bars, a long series on several threads.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/in_parts.hpp>

#include "blocks.hpp"
#include "chunk.hpp"
#include "columns.hpp"
#include "series_rows.hpp"

namespace ktrdr {
namespace {

/// Fewer are read before a second thread has begun.
constexpr std::size_t fewest_blocks_in_parts = 64;
/// So that whoever is late takes less.
constexpr std::size_t blocks_in_a_part = 32;

/// What a row says of its block, and where its rows are to be.
struct PlacedBlock {
    std::int64_t id;
    int part;
    std::size_t rows;
    std::int64_t first;
    std::int64_t last;
    std::int64_t checksum;
    std::size_t place;
};

std::string phrase(const SeriesKey& key) {
    return fmt::format("read {} {}", key.symbol, key.timeframe.name());
}

/// Those that may have bars of the range, by place.
std::vector<PlacedBlock> placed_blocks(SQLite::Database& connection, std::int64_t series, const SeriesKey& key,
                                       TimeRange range) {
    const PartSpan parts = chunk_parts(key.timeframe, range);
    SQLite::Statement row(connection,
                          "SELECT id, part, rows, first, last, checksum FROM block WHERE series = ? AND part BETWEEN ? "
                          "AND ? AND first < ? AND last >= ? ORDER BY part, first");
    row.bind(1, series);
    row.bind(2, parts.first);
    row.bind(3, parts.last);
    row.bind(4, nanos(range.end));
    row.bind(5, nanos(range.start));
    std::vector<PlacedBlock> blocks;
    std::size_t place = 0;
    while (row.executeStep()) {
        const std::int64_t rows = row.getColumn(2).getInt64();
        if (rows < 1 || rows > static_cast<std::int64_t>(largest_block)) {
            // Damaged: who reads them one by one says how.
            return {};
        }
        blocks.push_back({row.getColumn(0).getInt64(), row.getColumn(1).getInt(), static_cast<std::size_t>(rows),
                          row.getColumn(3).getInt64(), row.getColumn(4).getInt64(), row.getColumn(5).getInt64(),
                          place});
        place += static_cast<std::size_t>(rows);
    }
    return blocks;
}

/// One series, its blocks read by several connections into one place.
class PartedRead final {
public:
    PartedRead(Database& database, const SeriesKey& key, const Database::Poll& poll, std::vector<PlacedBlock> blocks)
        : database_(database), key_(key), poll_(poll), blocks_(std::move(blocks)) {
        parts_.resize((blocks_.size() + blocks_in_a_part - 1) / blocks_in_a_part);
    }

    /// `connection` has the snapshot in which the blocks were listed.
    Bars run(SQLite::Database& connection, Executor& helpers) {
        const std::size_t rows = blocks_.back().place + blocks_.back().rows;
        bars_.reserve(rows);
        bars_.time.resize(rows);
        for (auto* column : price_columns(bars_)) {
            column->resize(rows);
        }
        in_parts(helpers, parts_.size(), [&](std::size_t part, bool here) {
            parts_[part] = here ? read(connection, part) : read_elsewhere(part);
        });
        for (std::size_t part = 0; part < parts_.size(); ++part) {
            // Another connection may have seen a later state, in which a block is another or gone.
            if (!parts_[part]) {
                if (const auto again = read(connection, part); !again) {
                    throw ErrorException(again.error());
                }
            }
        }
        const auto unordered = std::find_if(blocks_.begin() + 1, blocks_.end(), [this](const PlacedBlock& block) {
            return bars_.time[block.place] <= bars_.time[block.place - 1];
        });
        if (unordered != blocks_.end()) {
            throw_damaged(key_, unordered->part, "its bars are out of order");
        }
        return std::move(bars_);
    }

private:
    Result<void> read_elsewhere(std::size_t part) {
        const auto done = database_.read_if_free(
            phrase(key_), [&](SQLite::Database& connection) { return read(connection, part); }, poll_);
        if (!done) {
            return done.error();
        }
        return *done ? Result<void>() : Result<void>(fail(Errc::storage, "every connection is in use"));
    }

    Result<void> read(SQLite::Database& connection, std::size_t part) {
        try {
            SQLite::Statement row(connection, fmt::format("SELECT {} FROM block WHERE id = ?", stored_columns));
            const std::size_t last = std::min(blocks_.size(), (part + 1) * blocks_in_a_part);
            for (std::size_t i = part * blocks_in_a_part; i < last; ++i) {
                if (const auto wanted = poll_ ? poll_() : Result<void>{}; !wanted) {
                    return wanted;
                }
                read_block(row, blocks_[i]);
            }
            return {};
        } catch (const ErrorException& damage) {
            return damage.error();
        } catch (const SQLite::Exception& error) {
            return fail(Errc::storage, error.what());
        }
    }

    void read_block(SQLite::Statement& row, const PlacedBlock& block) {
        const auto damaged = [&](const std::string& how) { throw_damaged(key_, block.part, how); };
        row.bind(1, block.id);
        if (!row.executeStep()) {
            damaged("a block of it is missing");
        }
        // By its sum, too: it may be one that was written since.
        if (row.getColumn(1).getInt64() != block.first || row.getColumn(2).getInt64() != block.last ||
            row.getColumn(3).getInt64() != block.checksum) {
            damaged("a block of it is another one");
        }
        place_stored(bars_, block.place, block.rows, row, 0, damaged);
        row.reset();
    }

    Database& database_;
    const SeriesKey& key_;
    const Database::Poll& poll_;
    const std::vector<PlacedBlock> blocks_;
    std::vector<Result<void>> parts_{};
    Bars bars_{};
};

}  // namespace

Result<Bars> BarStore::read(const SeriesKey& key, TimeRange range, const Database::Poll& poll, Executor* helpers) {
    Bars bars;
    const auto done = database_->read(
        phrase(key),
        [&](SQLite::Database& connection) -> Result<void> {
            const auto series = find_series(connection, key);
            if (!series || range.empty()) {
                return {};
            }
            if (helpers != nullptr && first_chunks_of(connection, *series).empty()) {
                auto blocks = placed_blocks(connection, *series, key, range);
                if (blocks.size() >= fewest_blocks_in_parts) {
                    bars = PartedRead(*database_, key, poll, std::move(blocks)).run(connection, *helpers);
                    bars = inside(std::move(bars), range);
                    return {};
                }
            }
            bars = read_range(connection, *series, key, range);
            return {};
        },
        poll);
    return done ? Result<Bars>(std::move(bars)) : Result<Bars>(done.error());
}

}  // namespace ktrdr
