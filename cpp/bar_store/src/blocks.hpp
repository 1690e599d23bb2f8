#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {

/// Most bars of one block. A chunk is stored as blocks, so that a further minute writes 48 KiB and not a month.
inline constexpr std::size_t largest_block = 1024;

/// Where a block lies and which bars it has, without them.
struct BlockHead {
    std::int64_t id;
    std::size_t rows;
    std::int64_t first;
    std::int64_t last;
};

/// The blocks of a chunk, oldest first.
[[nodiscard]] std::vector<BlockHead> blocks_of(SQLite::Database& connection, std::int64_t series, int part);
/// Throws `ErrorException` for a damaged one.
[[nodiscard]] Bars read_block(SQLite::Database& connection, std::int64_t id, const SeriesKey& key, int part);
void drop_block(SQLite::Database& connection, std::int64_t id);
/// Rows `[first, last)` as one block.
void write_block(SQLite::Database& connection, std::int64_t series, int part, const Bars& bars, std::size_t first,
                 std::size_t last);

/// The stored bars that start inside `range`. Throws `ErrorException` for a damaged chunk.
[[nodiscard]] Bars read_range(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, TimeRange range);
/// Those of bars in order that start inside the range.
[[nodiscard]] Bars inside(Bars bars, TimeRange range);
/// All of one chunk.
[[nodiscard]] Bars read_chunk(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, int part);
/// Chunks of the first files (a year of any intraday series, undivided) that hold bars of `range` become chunks of
/// today. Throws `ErrorException` for a damaged one.
void divide_first_chunks(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, TimeRange range);
/// The chunks that have bars, by part, those of the first files too.
[[nodiscard]] std::vector<int> first_chunks_of(SQLite::Database& connection, std::int64_t series);
[[nodiscard]] std::vector<int> chunks_of(SQLite::Database& connection, std::int64_t series);

/// The stamp of the newest bar of a series; unset when it has none.
[[nodiscard]] std::optional<UtcTime> newest_bar(SQLite::Database& connection, std::int64_t series);

/// Told how many of the bars are written; what it throws undoes the transaction.
using AfterChunk = std::function<void(std::size_t)>;

}  // namespace ktrdr
