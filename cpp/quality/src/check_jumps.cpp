// Moves that are out of all proportion to those around them.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <span>

#include "rules.hpp"

namespace ktrdr {
namespace {

/// Over so many moves the usual one is taken, and as many on both sides.
constexpr std::size_t block_moves = 64;
/// A ratio so near that of a split is named as one.
constexpr double near_split = 0.04;
/// So much of a move has to come back for it to be a spike.
constexpr double comes_back = 0.25;

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

/// Moves of one kind, in their order: from bar to bar, or over a pause.
struct Moves {
    std::vector<std::size_t> row{};
    std::vector<float> size{};

    void add(std::size_t at, double moved) {
        row.push_back(at);
        size.push_back(static_cast<float>(moved));
    }
};

class JumpChecker final {
public:
    JumpChecker(const Bars& bars, const BarGrid& grid, const QualityOptions& options, FindingList& found)
        : bars_(bars),
          options_(options),
          found_(found),
          pause_(grid.timeframe().is_intraday() ? grid.timeframe().shortest().count() * 3 / 2
                                                : std::numeric_limits<std::int64_t>::max()) {}

    void check() {
        usual_.assign(bars_.size(), 0);
        Moves inside;
        Moves over_pauses;
        inside.row.reserve(bars_.size());
        inside.size.reserve(bars_.size());
        for (std::size_t i = 1; i < bars_.size(); ++i) {
            const bool paused = is_behind_a_pause(i);
            const double moved = distance(bars_.close[i - 1], paused ? bars_.open[i] : bars_.close[i]);
            if (!std::isnan(moved)) {
                (paused ? over_pauses : inside).add(i, moved);
            }
        }
        check_moves(over_pauses);
        check_moves(inside);
        if (usual_.size() > 1) {
            usual_[0] = usual_[1];
        }
        check_wicks();
    }

private:
    [[nodiscard]] bool is_behind_a_pause(std::size_t row) const noexcept {
        const auto [before, now] = std::pair(bars_.time[row - 1], bars_.time[row]);
        return now > before && static_cast<std::uint64_t>(now) - static_cast<std::uint64_t>(before) >
                                   static_cast<std::uint64_t>(pause_);
    }

    void check_moves(const Moves& moves) {
        const std::size_t count = moves.size.size();
        for (std::size_t first = 0; first < count; first += block_moves) {
            const std::size_t last = std::min(count, first + block_moves);
            const std::size_t from = first - std::min(first, block_moves);
            const std::size_t to = std::min(count, last + block_moves);
            const double usual = usual_move(std::span(moves.size).subspan(from, to - from));
            const double most = std::max(options_.jump * usual, options_.least_jump);
            for (std::size_t i = first; i < last; ++i) {
                usual_[moves.row[i]] = usual;
                // The way back from a spike is no jump of its own.
                if (moves.size[i] >= most && !ways_back_.contains(moves.row[i]) && mark_jump(moves.row[i], usual)) {
                    ways_back_.insert(moves.row[i] + 1);
                }
            }
        }
    }

    /// The median, or the smallest step where that is larger: prices of few digits stand still or jump by one.
    double usual_move(std::span<const float> around) {
        scratch_.assign(around.begin(), around.end());
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

    void check_wick(std::size_t row, BarColumn column, double extreme, double body) {
        const double usual = usual_[row];
        const double reach = distance(extreme, body);
        if (reach >= std::max(options_.jump * usual, options_.least_jump)) {
            found_.mark(QualityRule::jump, Severity::note, row, column, extreme / body, [&] {
                return fmt::format("{} {} is {:.1f} % from {}, the nearer of open and close{}", to_string(column),
                                   extreme, 100 * reach, body,
                                   usual > 0 ? fmt::format(", {:.0f} times the usual move", reach / usual) : "");
            });
        }
    }

    const Bars& bars_;
    const QualityOptions& options_;
    FindingList& found_;
    /// Nanoseconds between two stamps behind which the market was closed.
    const std::int64_t pause_;
    /// By row.
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
