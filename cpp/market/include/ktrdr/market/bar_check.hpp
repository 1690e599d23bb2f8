#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {

/// What is wrong with a bar that somebody brings.
struct BarFault {
    std::size_t row{0};
    /// As it is written: timestamp, open, high, low, close, volume.
    std::string_view column{};
    /// What it is, and what to change.
    std::string what{};

    friend bool operator==(const BarFault&, const BarFault&) = default;
};

/// The first row that no series can have, in the order in which they are read.
///
/// - stamps rise, and none is there twice;
/// - they are whole multiples of 15 minutes, for timeframes in minutes of what those and 15 minutes share (sessions
///   begin at quarters of an hour, whatever the zone), and no three bars lie within the length of one;
/// - prices are finite, high is the highest and low the lowest, up to a billionth, as adjusting rounds;
/// - a volume is finite and not negative, or -1 where there is none.
///
/// The columns must be of one length. Cost: one pass.
[[nodiscard]] KTRDR_EXPORT std::optional<BarFault> find_fault(const Bars& bars, const Timeframe& timeframe);
/// The first of rows `[first, last)`, each held against those before it, whatever those are like.
[[nodiscard]] KTRDR_EXPORT std::optional<BarFault> find_fault(const Bars& bars, const Timeframe& timeframe,
                                                              std::size_t first, std::size_t last);

/// What every stamp of a timeframe is a multiple of, whatever the session: offsets of zones and openings are quarters
/// of an hour.
[[nodiscard]] KTRDR_EXPORT std::chrono::nanoseconds stamp_step(const Timeframe& timeframe);

/// `invalid_argument` with row, stamp and column. `place` is how a person finds the row: `row 7`, `a.csv: line 9`.
[[nodiscard]] KTRDR_EXPORT Error to_error(const BarFault& fault, const Bars& bars, std::string_view place);

}  // namespace ktrdr
