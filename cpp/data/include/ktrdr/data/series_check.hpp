#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ktrdr/data/series_words.hpp>
#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/quality/evidence.hpp>

namespace ktrdr {

/// What the ledger says, as checks take it.
[[nodiscard]] std::vector<Evidence> evidence_of(const std::vector<LedgerEntry>& ledger);

/// Which stored bars are to be checked.
struct CheckRequest {
    std::string symbol{};
    SeriesWords series{};
    /// ISO 8601, a date without a time as `BarGrid::range_of` says it; unset from the first stored bar, and to the end
    /// of the last.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
};

/// What a check of a stored series looks at.
struct SeriesToCheck {
    BarsView bars{};
    /// Between which times bars should exist: no later than the last that has closed.
    TimeRange range{};
    /// What its provider answered.
    std::vector<Evidence> evidence{};
    /// Which other numbers it has given for them.
    Revisions revisions{};
};

}  // namespace ktrdr
