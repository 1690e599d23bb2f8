#pragma once

#include <string>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/data/load_request.hpp>

namespace ktrdr {

/// What a load has read, and what there is to know of it.
struct LoadedSeries {
    BarsPtr bars{};
    /// The range that was asked for, from the first bar and to the last where it is open.
    TimeRange range{};
    BarGrid grid;
    SeriesFacts facts{};
    UtcTime now{};
    /// What is missing was told of where it was asked for.
    bool missing_is_told{false};
};

/// What is handed out, and what is to be said of it.
struct CheckedBars {
    BarsPtr bars{};
    std::vector<std::string> warnings{};
};

/// Check what was loaded, mend it where that is asked for, and sum up what was found: what a person has to look at, not
/// the notes.
///
/// Errors: `not_enough_data` where the load is strict and something is wrong for certain, or missing: bars that should
/// exist, without a calendar what was asked for and did not come. Cancellation: every few thousand bars of each pass.
[[nodiscard]] Result<CheckedBars> check_loaded(const LoadedSeries& series, LoadChecks checks,
                                               const CancellationToken& token);

}  // namespace ktrdr
