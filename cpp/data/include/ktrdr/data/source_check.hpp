#pragma once

#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/data/bar_source.hpp>

namespace ktrdr {

/// The name under which a source's bars are stored: 1 to 64 printable bytes, else `invalid_argument`.
[[nodiscard]] KTRDR_EXPORT Result<void> check_provider(std::string_view provider);

/// Without the last bars, those that cannot be closed at `now`, whichever of their times they are stamped by.
[[nodiscard]] KTRDR_EXPORT Bars closed_part(Bars bars, const BarGrid& grid, UtcTime now);

/// What a source was asked for, as its answer is looked at.
struct AnswerWanted {
    BarGrid grid;
    TimeRange segment{};
    UtcTime now{};
    /// The question in words: messages begin with it.
    std::string asked{};
};

/// Look at an answer of a source that somebody else has written. A row without a price is moved to the dropped ones; a
/// volume that is no number becomes `Bars::no_volume`. Nothing is sorted, cut or guessed.
///
/// Errors: `protocol` naming the row, for columns of different lengths, stamps that do not rise, a bar or a dropped row
/// outside the segment, a bar that cannot be closed at `now`, and a volume below zero that is not -1.
/// Cost: one pass.
[[nodiscard]] KTRDR_EXPORT Result<SourceAnswer> checked_answer(SourceAnswer answer, const AnswerWanted& wanted);

}  // namespace ktrdr
