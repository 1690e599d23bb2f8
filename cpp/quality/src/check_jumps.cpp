// Moves that are out of all proportion to those around them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "rules.hpp"

namespace ktrdr {
namespace {

/// For so many bars the usual move is taken together, with half as many on both sides; of many moves every second.
constexpr std::size_t block_rows = 128;
constexpr std::size_t beside = block_rows / 2;
/// A ratio so near that of a split is named as one.
constexpr double near_split = 0.04;
/// So much of a move has to come back for it to be a spike.
constexpr double comes_back = 0.25;
/// A high or low so far from open and close is hardly one.
constexpr double far_wick = 0.5;

struct Split {
    int shares;
    int of;
};
constexpr std::array splits{Split{2, 1},  Split{3, 1},  Split{4, 1},   Split{5, 1},  Split{6, 1},  Split{7, 1},
                            Split{8, 1},  Split{10, 1}, Split{15, 1},  Split{20, 1}, Split{25, 1}, Split{30, 1},
                            Split{40, 1}, Split{50, 1}, Split{100, 1}, Split{3, 2}};

/// How far apart two prices are, 1 where one is twice the other; no number where one is none or not above zero.
double distance(double one, double other) noexcept {
    const double ratio = one > other ? one / other : other / one;
    return one > 0 && other > 0 && ratio <= std::numeric_limits<double>::max() ? ratio - 1 : std::nan("");
}

/// A bar behind a pause, and how far it opened from the close before.
struct Opening {
    std::size_t row;
    double moved;
    double usual;
};

class JumpChecker final {
public:
    JumpChecker(const Bars& bars, const BarGrid& grid, const QualityOptions& options, FindingList& found)
        : bars_(bars),
          options_(options),
          found_(found),
          wanted_(options.poll),
          pause_(grid.timeframe().is_intraday() ? grid.timeframe().shortest().count() * 3 / 2
                                                : std::numeric_limits<std::int64_t>::max()) {}

    void check() {
        collect_openings();
        check_openings();
        usual_.reserve(bars_.size() / block_rows + 1);
        for (std::size_t first = 0; first < bars_.size(); first += block_rows) {
            wanted_.at(first);
            check_block(first, std::min(bars_.size(), first + block_rows));
        }
        check_wicks();
    }

private:
    void collect_openings() {
        for (std::size_t row = 1; row < bars_.size(); ++row) {
            wanted_.at(row);
            if (is_behind_a_pause(row)) {
                openings_.push_back({row, distance(bars_.close[row - 1], bars_.open[row]), 0});
            }
        }
    }

    [[nodiscard]] bool is_behind_a_pause(std::size_t row) const noexcept {
        const auto [before, now] = std::pair(bars_.time[row - 1], bars_.time[row]);
        return now > before && static_cast<std::uint64_t>(now) - static_cast<std::uint64_t>(before) >
                                   static_cast<std::uint64_t>(pause_);
    }

    void check_openings() {
        for (std::size_t first = 0; first < openings_.size(); first += block_rows) {
            wanted_.at(first);
            const std::size_t last = std::min(openings_.size(), first + block_rows);
            scratch_.clear();
            for (std::size_t i = first - std::min(first, beside); i < std::min(openings_.size(), last + beside); ++i) {
                add_move(openings_[i].moved);
            }
            const double usual = usual_move();
            for (std::size_t i = first; i < last; ++i) {
                openings_[i].usual = usual;
                check_move(openings_[i].row, openings_[i].moved, usual);
            }
        }
    }

    void check_block(std::size_t first, std::size_t last) {
        const std::size_t from = first - std::min(first, beside);
        const std::size_t to = std::min(bars_.size(), last + beside);
        const std::size_t step = to - from > block_rows ? 2 : 1;
        scratch_.clear();
        for (std::size_t row = from; row < to; row += step) {
            if (row > 0 && !is_behind_a_pause(row)) {
                add_move(distance(bars_.close[row - 1], bars_.close[row]));
            }
        }
        const double usual = usual_move();
        usual_.push_back(usual);
        for (std::size_t row = std::max<std::size_t>(1, first); row < last; ++row) {
            if (!is_behind_a_pause(row)) {
                check_move(row, distance(bars_.close[row - 1], bars_.close[row]), usual);
            }
        }
    }

    void add_move(double moved) {
        if (!std::isnan(moved)) {
            scratch_.push_back(static_cast<float>(moved));
        }
    }

    void check_move(std::size_t row, double moved, double usual) {
        // The way back from a spike is no jump of its own. What is no number is no jump.
        if (moved >= std::max(options_.jump * usual, options_.least_jump) && !ways_back_.contains(row) &&
            !std::isnan(distance(bars_.close[row - 1], bars_.close[row])) && mark_jump(row, usual)) {
            ways_back_.insert(row + 1);
        }
    }

    /// The median, or the smallest step where that is larger: prices of few digits stand still or jump by one.
    double usual_move() {
        if (scratch_.empty()) {
            return 0;
        }
        float smallest = std::numeric_limits<float>::max();
        std::size_t steps = 0;
        for (const float move : scratch_) {
            steps += move > 0 ? 1 : 0;
            smallest = move > 0 ? std::min(smallest, move) : smallest;
        }
        const auto middle = scratch_.begin() + static_cast<std::ptrdiff_t>(scratch_.size() / 2);
        std::nth_element(scratch_.begin(), middle, scratch_.end());
        return steps < 3 ? *middle : std::max(*middle, smallest);
    }

    /// True where it is a spike, so that the next move leads back.
    bool mark_jump(std::size_t row, double usual) {
        const double before = bars_.close[row - 1];
        const double close = bars_.close[row];
        const double ratio = close / before;
        const double moved = distance(before, close);
        const auto times = usual > 0 ? fmt::format(", {:.0f} times the usual move", moved / usual) : std::string();
        const Finding finding{QualityRule::jump,   Severity::warning, row,   1,
                              bars_.start_of(row), BarColumn::close,  ratio, {}};
        if (row + 1 < bars_.size() && distance(before, bars_.close[row + 1]) < comes_back * moved) {
            found_.add(finding, [&] {
                return fmt::format("close goes from {} to {} and back to {}: a spike{}", before, close,
                                   bars_.close[row + 1], times);
            });
            return true;
        }
        if (const auto split = split_near(before / bars_.open[row])) {
            found_.add(finding, [&] {
                return fmt::format("from {} to {}, as a {} split not adjusted for moves prices{}", before,
                                   bars_.open[row], *split, times);
            });
            return false;
        }
        Finding note = finding;
        note.severity = Severity::note;
        found_.add(note, [&] {
            return fmt::format("close goes from {} to {} ({:+.1f} %){}", before, close, 100 * (ratio - 1), times);
        });
        return false;
    }

    /// `4:1`, and `1:4` where shares were put together.
    static std::optional<std::string> split_near(double ratio) {
        for (const Split& split : splits) {
            const double exact = static_cast<double>(split.shares) / split.of;
            if (distance(ratio, exact) <= near_split) {
                return fmt::format("{}:{}", split.shares, split.of);
            }
            if (distance(ratio, 1 / exact) <= near_split) {
                return fmt::format("{}:{}", split.of, split.shares);
            }
        }
        return std::nullopt;
    }

    /// Where high or low stands alone, far from open and close.
    void check_wicks() {
        const double least = 1 + options_.least_jump;
        for (std::size_t i = 0; i < bars_.size(); ++i) {
            wanted_.at(i);
            const double top = std::max(bars_.open[i], bars_.close[i]);
            const double bottom = std::min(bars_.open[i], bars_.close[i]);
            if (bars_.high[i] > top * least) {
                check_wick(i, BarColumn::high, bars_.high[i], top);
            }
            if (bars_.low[i] * least < bottom) {
                check_wick(i, BarColumn::low, bars_.low[i], bottom);
            }
        }
    }

    /// Behind a pause a bar is measured by others that are.
    [[nodiscard]] double usual_at(std::size_t row) const {
        const auto opening = std::lower_bound(openings_.begin(), openings_.end(), row,
                                              [](const Opening& one, std::size_t at) { return one.row < at; });
        return opening != openings_.end() && opening->row == row ? opening->usual : usual_[row / block_rows];
    }

    void check_wick(std::size_t row, BarColumn column, double extreme, double body) {
        const double usual = usual_at(row);
        const double reach = distance(extreme, body);
        if (reach >= std::max(options_.jump * usual, options_.least_jump)) {
            // No price comes back from there within one bar.
            const Severity severity = reach >= far_wick ? Severity::warning : Severity::note;
            found_.mark(QualityRule::jump, severity, row, column, extreme / body, [&] {
                return fmt::format("{} {} is {:.1f} % {} {}, the nearer of open and close{}", to_string(column),
                                   extreme, 100 * std::abs(extreme / body - 1), extreme > body ? "above" : "below",
                                   body, usual > 0 ? fmt::format(", {:.0f} times the usual move", reach / usual) : "");
            });
        }
    }

    const Bars& bars_;
    const QualityOptions& options_;
    FindingList& found_;
    const RowPoll wanted_;
    /// Nanoseconds between two stamps behind which the market was closed.
    const std::int64_t pause_;
    std::vector<Opening> openings_{};
    /// By block, of bars that follow the one before.
    std::vector<double> usual_{};
    std::vector<float> scratch_{};
    /// Rows behind a spike.
    std::set<std::size_t> ways_back_{};
};

}  // namespace

void check_jumps(const Bars& bars, const BarGrid& grid, const QualityOptions& options, FindingList& found) {
    JumpChecker(bars, grid, options, found).check();
}

}  // namespace ktrdr
