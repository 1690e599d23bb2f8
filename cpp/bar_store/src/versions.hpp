#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {

/// So many versions of a chunk are kept; of a change that only older ones belong to nothing is left.
inline constexpr int most_versions = 3;

/// Keep what is in the chunks now, and what the ledger says of them, before `change` is made.
void keep_versions(SQLite::Database& connection, std::int64_t series, const std::vector<int>& parts,
                   const SeriesChange& change);
/// Newest first.
[[nodiscard]] std::vector<SeriesChange> kept_changes(SQLite::Database& connection, std::int64_t series);

/// What a chunk was before a change.
struct KeptVersion {
    std::int64_t change;
    int part;
    TimeRange range;
    ChangeCause cause;
    UtcTime changed_at;
};

/// Chunk by chunk, of each the newest first.
[[nodiscard]] std::vector<KeptVersion> kept_versions(SQLite::Database& connection, std::int64_t series);

/// The rows of an earlier version of a chunk, without the bars: of all of them, for whoever looks at each.
[[nodiscard]] Bars old_chunk(SQLite::Database& connection, std::int64_t change, const SeriesKey& key, int part);

}  // namespace ktrdr
