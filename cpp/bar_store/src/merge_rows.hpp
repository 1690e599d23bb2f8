#pragma once

#include "blocks.hpp"

namespace ktrdr {

/// What a write is, for the version that it makes where it changes rows.
struct WriteNote {
    TimeRange range;
    ChangeCause cause;
    UtcTime at;
};

/// Put the bars over those that are stored, which keep their rows where these have none. What it changes is kept as a
/// version first; bars that are there already, with these numbers, are not written again.
MergedRows merge_bars(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, const Bars& bars,
                      const WriteNote& note, const AfterChunk& after_chunk = {});

}  // namespace ktrdr
