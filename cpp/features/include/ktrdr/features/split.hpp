#pragma once

#include <optional>
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

/// `invalid_argument` naming the share that is out of range.
[[nodiscard]] KTRDR_EXPORT Result<void> check_shares(SplitShares shares);

/// When rows begin and when the last thing they know has ended, of equal length; a row's times may be in any order.
struct RowTimes {
    /// When the bar of each row starts.
    std::span<const UtcTime> starts{};
    /// When the label of each row is known, and the embargo behind it is over. Never before the row starts.
    std::span<const UtcTime> ends{};
};

/// Where the parts of a split begin, for all symbols alike.
struct CutTimes {
    UtcTime validation{UtcTime::max()};
    UtcTime test{UtcTime::max()};

    friend bool operator==(const CutTimes&, const CutTimes&) = default;
};

/// Row numbers of each part, each rising.
struct SplitRows {
    std::vector<std::size_t> train{};
    std::vector<std::size_t> validation{};
    std::vector<std::size_t> test{};
    /// Rows left out because their label reaches into the next part.
    std::size_t purged{0};
};

/// The times at which the shares of all rows together have begun; rows of several symbols are told by nothing but
/// their times. Rows that begin at one time are never parted.
///
/// One pair of times for all symbols: cut each by itself, a symbol that began later would train on days that another
/// one is tested on, and symbols move alike.
[[nodiscard]] KTRDR_EXPORT CutTimes cut_times(std::vector<UtcTime> starts, SplitShares shares);

/// The same where it is known when the test begins: the rows before it train and validate, as their shares are to each
/// other.
[[nodiscard]] KTRDR_EXPORT CutTimes cut_times_before(std::vector<UtcTime> starts, SplitShares shares, UtcTime test);

/// What begins before `cuts.validation` trains, what begins before `cuts.test` validates, the rest tests. A row whose
/// end lies behind the beginning of the next part is purged, so that no bar of a later part has a say in an earlier
/// one.
[[nodiscard]] KTRDR_EXPORT SplitRows split_at(RowTimes rows, CutTimes cuts);

/// Both in one, for rows that are all there.
[[nodiscard]] KTRDR_EXPORT SplitRows split_in_time(RowTimes rows, SplitShares shares);

}  // namespace ktrdr
