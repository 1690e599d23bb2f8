#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {

/// Keep what a segment says of bars that were stored already, in place of what was kept of those.
void replace_revisions(SQLite::Database& connection, std::int64_t series, const Segment& segment);

/// The numbers that `other` has for bars of `stored`, where they are others.
[[nodiscard]] std::vector<BarRevision> revised(const Bars& stored, const Bars& other, UtcTime at);
/// Keep them in place of what was kept of those bars.
void keep_revisions(SQLite::Database& connection, std::int64_t series, const std::vector<BarRevision>& revisions);

}  // namespace ktrdr
