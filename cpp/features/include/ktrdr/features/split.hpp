#pragma once

#include <span>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Shares of the rows, each above 0, together 1.
struct SplitShares {
    double train{0.7};
    double validation{0.15};
    double test{0.15};

    friend bool operator==(const SplitShares&, const SplitShares&) = default;
};

/// Row numbers of each part, in time.
struct SplitRows {
    std::vector<std::size_t> train{};
    std::vector<std::size_t> validation{};
    std::vector<std::size_t> test{};
    /// Rows left out because their label looks into the next part.
    std::size_t purged{0};
};

/// `invalid_argument` naming the share that is out of range.
[[nodiscard]] KTRDR_EXPORT Result<void> check_shares(SplitShares shares);

/// Oldest rows train, the next validate, the newest test. A row whose label ends after the next part's first bar starts
/// is purged, so that no bar of a later part has a say in an earlier one.
///
/// `starts` (when each row's bar starts) rise; `label_ends` is of the same length.
[[nodiscard]] KTRDR_EXPORT SplitRows split_in_time(std::span<const UtcTime> starts, std::span<const UtcTime> label_ends,
                                                   SplitShares shares);

}  // namespace ktrdr
