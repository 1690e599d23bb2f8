// Shorter bars against longer ones of the same series.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <ktrdr/calendar/resample.hpp>
#include <ktrdr/market/time_text.hpp>

#include "rules.hpp"

namespace ktrdr {
namespace {

constexpr double same_price = 1e-6;
/// Feeds count odd lots and late reports differently.
constexpr double same_volume = 0.02;
constexpr double same_ratio = 1e-4;
/// Fewer that differ by one ratio may do so by chance.
constexpr std::size_t enough_ratios = 5;

bool agree(double one, double other, double tolerance) {
    return std::abs(one - other) <= tolerance * std::max(std::abs(one), std::abs(other));
}

/// A longer bar, and what the shorter ones make of it.
struct Pair {
    std::size_t made;
    std::size_t given;
    Period period;
    /// Every shorter bar that should exist does.
    bool complete;
};

class LongerChecker final {
public:
    LongerChecker(const Bars& bars, const std::vector<std::size_t>& rows, const BarGrid& grid, const Bars& made,
                  const LongerBars& longer, const GapReport& gaps, const RowPoll& wanted, FindingList& found)
        : bars_(bars),
          rows_(rows),
          grid_(grid),
          made_(made),
          longer_(longer),
          gaps_(gaps),
          wanted_(wanted),
          found_(found) {}

    void check() {
        const auto pairs = pairs_of_a_stamp();
        if (const auto ratio = one_ratio(pairs)) {
            const std::size_t row = row_of(pairs.front());
            found_.add({QualityRule::disagreement,
                        Severity::warning,
                        row,
                        bars_.size(),
                        bars_.start_of(row),
                        std::nullopt,
                        *ratio,
                        {}},
                       [&] {
                           return fmt::format(
                               "the {} bars are {:.6g} times what these make: one of the two was adjusted "
                               "for splits or dividends otherwise",
                               longer_.grid.timeframe().name(), *ratio);
                       });
            return;
        }
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            wanted_.at(i);
            compare(pairs[i]);
        }
    }

private:
    [[nodiscard]] std::vector<Pair> pairs_of_a_stamp() const {
        std::vector<Pair> pairs;
        std::size_t given = 0;
        auto gap = gaps_.gaps.begin();
        for (std::size_t made = 0; made < made_.size(); ++made) {
            wanted_.at(made);
            while (given < longer_.bars->size() && longer_.bars->time[given] < made_.time[made]) {
                ++given;
            }
            if (given == longer_.bars->size() || longer_.bars->time[given] != made_.time[made]) {
                continue;
            }
            const Period period = longer_.grid.period_of(made_.start_of(made));
            while (gap != gaps_.gaps.end() && (gap->bars == 0 || gap->range.end <= period.start)) {
                ++gap;
            }
            const bool complete = gap == gaps_.gaps.end() || gap->range.start >= period.end;
            pairs.push_back({made, given, period, complete});
        }
        return pairs;
    }

    [[nodiscard]] std::optional<double> one_ratio(const std::vector<Pair>& pairs) const {
        std::vector<double> ratios;
        for (const Pair& pair : pairs) {
            if (pair.complete) {
                ratios.push_back(longer_.bars->close[pair.given] / made_.close[pair.made]);
            }
        }
        if (ratios.size() < enough_ratios) {
            return std::nullopt;
        }
        const double ratio = ratios.front();
        const bool one = std::all_of(ratios.begin(), ratios.end(),
                                     [ratio](double other) { return agree(ratio, other, same_ratio); });
        return one && !agree(ratio, 1, same_ratio) ? std::optional(ratio) : std::nullopt;
    }

    void compare(const Pair& pair) {
        const Bars& given = *longer_.bars;
        // Where bars are missing, those there are still lie between the longer one's high and low.
        const double high = made_.high[pair.made];
        const double low = made_.low[pair.made];
        differ(pair, BarColumn::high, high, given.high[pair.given], pair.complete || high > given.high[pair.given]);
        differ(pair, BarColumn::low, low, given.low[pair.given], pair.complete || low < given.low[pair.given]);
        differ(pair, BarColumn::open, made_.open[pair.made], given.open[pair.given], pair.complete);
        differ(pair, BarColumn::close, made_.close[pair.made], given.close[pair.given], pair.complete);
        const bool both = made_.volume[pair.made] >= 0 && given.volume[pair.given] >= 0;
        differ(pair, BarColumn::volume, made_.volume[pair.made], given.volume[pair.given], pair.complete && both);
    }

    void differ(const Pair& pair, BarColumn column, double made, double given, bool looks) {
        const bool prices = column != BarColumn::volume;
        if (!looks || agree(made, given, prices ? same_price : same_volume)) {
            return;
        }
        const std::size_t row = row_of(pair);
        const auto count = static_cast<std::size_t>(
            std::lower_bound(bars_.time.begin(), bars_.time.end(), pair.period.end.time_since_epoch().count()) -
            (bars_.time.begin() + static_cast<std::ptrdiff_t>(first_of(pair))));
        found_.add({QualityRule::disagreement,
                    prices ? Severity::warning : Severity::note,
                    row,
                    count,
                    bars_.start_of(first_of(pair)),
                    column,
                    given,
                    {}},
                   [&] {
                       return fmt::format("the {} bar of {} has {} {}, these make {}", longer_.grid.timeframe().name(),
                                          format_time(pair.period.stamp), to_string(column), given, made);
                   });
    }

    [[nodiscard]] std::size_t first_of(const Pair& pair) const {
        const auto start = pair.period.start.time_since_epoch().count();
        const auto row = static_cast<std::size_t>(std::lower_bound(bars_.time.begin(), bars_.time.end(), start) -
                                                  bars_.time.begin());
        // Cut by the full hour, the bar that the open is in begins before it.
        return row > 0 && grid_.end_of(bars_.start_of(row - 1)) > pair.period.start ? row - 1 : row;
    }
    [[nodiscard]] std::size_t row_of(const Pair& pair) const {
        return rows_.empty() ? first_of(pair) : rows_[first_of(pair)];
    }

    const Bars& bars_;
    const std::vector<std::size_t>& rows_;
    const BarGrid& grid_;
    const Bars& made_;
    const LongerBars& longer_;
    const GapReport& gaps_;
    const RowPoll& wanted_;
    FindingList& found_;
};

}  // namespace

Result<void> check_longer(const Bars& bars, const std::vector<std::size_t>& rows, const BarGrid& grid,
                          const LongerBars& longer, const GapReport& gaps, const RowPoll& wanted, FindingList& found) {
    if (auto checked = longer.bars->check(); !checked) {
        return checked.error();
    }
    const auto made = resample(bars, grid, longer.grid, std::nullopt, wanted.poll());
    if (!made) {
        return made.error();
    }
    if (!bars.empty()) {
        LongerChecker(bars, rows, grid, made->bars, longer, gaps, wanted, found).check();
    }
    return {};
}

}  // namespace ktrdr
