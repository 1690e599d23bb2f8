#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/features/dropped_rows.hpp>
#include <ktrdr/features/holes.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// The classes a model tells apart, by their number in labels and confusion matrices.
enum class Signal : std::int64_t { buy = 0, hold = 1, sell = 2 };
inline constexpr std::array<std::string_view, 3> signal_names{"buy", "hold", "sell"};

/// What the class of a bar is taken from. All look at closes only.
enum class LabelSource {
    /// The close `lookahead` bars later: buy where it has moved up by more than `threshold`, sell where down, else
    /// hold.
    forward_return,
    /// The leg of the zigzag that the bar is in. A turn is a close from which the price goes back by more than
    /// `zigzag_threshold`. Buy where the price still rises by more than `threshold` up to the next turn, but no further
    /// than `lookahead` bars; sell where it falls; else hold. Known once the turn is: when the price has gone back.
    zigzag,
    /// Which barrier a close passes first: `threshold` above the bar's own is buy, `stop_threshold` below is sell,
    /// `lookahead` bars without either is hold. Known at that close.
    /// López de Prado, Advances in Financial Machine Learning (2018), chapter 3.
    triple_barrier,
};
inline constexpr std::array<std::string_view, 3> label_source_names{"forward_return", "zigzag", "triple_barrier"};

/// How bars are labelled. Moves are fractions of the absolute price they begin at (0.02 is 2 %).
struct LabelRule {
    /// 0 <= threshold < 1.
    double threshold{0.02};
    /// At least 1.
    std::size_t lookahead{5};
    LabelSource source{LabelSource::forward_return};
    /// Of zigzag alone: 0 < zigzag_threshold < 1.
    double zigzag_threshold{0.05};
    /// Of the triple barrier alone, 0 <= stop_threshold < 1; unset: `threshold`.
    std::optional<double> stop_threshold{};
};

/// What one bar's label is, when it is known, and how much it counts; columns of one length, a row a bar.
struct Labels {
    static constexpr std::int64_t undecided = -1;
    /// A `Signal`, or `undecided` where `reasons` says why; such a row is to be dropped.
    std::vector<std::int64_t> classes{};
    /// When the label is known: the end of the last bar it looks at; of an undecided one the end of time.
    std::vector<UtcTime> ends{};
    /// Which bar that is; of an undecided one the bar itself.
    std::vector<std::size_t> last{};
    /// How much of its label is its own: the mean, over the bars it looks at, of one over the number of labels that
    /// look at them; scaled to a mean of 1 over all that are decided, 0 for the others.
    /// López de Prado, Advances in Financial Machine Learning (2018), chapter 4.
    std::vector<double> weights{};
    std::vector<DropReason> reasons{};
};

/// Whether the price has moved up by more than the share `threshold` of |from|. Down is the same with both signs
/// turned, so both are told alike. A move of exactly the threshold is none: what differs by no more than the rounding
/// of prices that were read as decimals counts as the same.
[[nodiscard]] KTRDR_EXPORT bool has_risen(double from, double to, double threshold) noexcept;

/// `invalid_argument` naming the field for what is outside its range.
[[nodiscard]] KTRDR_EXPORT Result<void> check_rule(const LabelRule& rule);

/// A price of 0 has no moves in share of itself, so its bar is undecided. No label looks across a hole.
///
/// Errors: those of `check_rule`.
/// Cost: one pass, with the triple barrier and a long lookahead one more of a 64th of it for each bar.
[[nodiscard]] KTRDR_EXPORT Result<Labels> make_labels(const Bars& bars, const BarGrid& grid, const LabelRule& rule,
                                                      std::span<const Hole> holes = {});

}  // namespace ktrdr
