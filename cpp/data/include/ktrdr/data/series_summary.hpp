#pragma once

#include <optional>
#include <span>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// What is known of a stored series without looking at each bar oneself.
struct SeriesSummary {
    StoredSeries series;
    double lowest{0};
    double highest{0};
    double last_close{0};
    /// The sum of those that are given; unset where none is.
    std::optional<double> volume{};
    /// Bars without a volume.
    std::size_t without_volume{0};
    /// For which times it is known what there is, oldest first; none touches the next.
    std::vector<TimeRange> known{};
};

/// The ranges of which the ledger says what came, be it nothing; joined where they touch.
[[nodiscard]] KTRDR_EXPORT std::vector<TimeRange> known_ranges(std::span<const LedgerEntry> ledger);

}  // namespace ktrdr
