// What a row says by its own numbers, and rows that repeat each other.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "rounding.hpp"
#include "rules.hpp"

namespace ktrdr {
namespace {

constexpr std::array price_columns{BarColumn::open, BarColumn::high, BarColumn::low, BarColumn::close};
/// What adjusting leaves of a number in double precision.
constexpr double no_matter = 1e-9;
/// Fewer say nothing of how volumes are given.
constexpr std::size_t enough_bars = 10;

struct Row {
    std::size_t index;
    double open;
    double high;
    double low;
    double close;
    double volume;

    [[nodiscard]] double of(BarColumn column) const {
        switch (column) {
            case BarColumn::open: return open;
            case BarColumn::high: return high;
            case BarColumn::low: return low;
            case BarColumn::close: return close;
            default: return volume;
        }
    }
};

void check_finite(const Row& row, FindingList& found) {
    for (const BarColumn column :
         {BarColumn::open, BarColumn::high, BarColumn::low, BarColumn::close, BarColumn::volume}) {
        const double value = row.of(column);
        if (!std::isfinite(value)) {
            found.mark(QualityRule::not_finite, Severity::error, row.index, column, value,
                       [&] { return fmt::format("{} is {}", to_string(column), value); });
        }
    }
}

/// An extreme that another price of the bar lies beyond.
void check_extreme(const Row& row, BarColumn column, FindingList& found) {
    const double extreme = row.of(column);
    const double sign = column == BarColumn::high ? 1 : -1;
    BarColumn beyond = column;
    double by = 0;
    for (const BarColumn other : price_columns) {
        const double distance = sign * (row.of(other) - extreme);
        if (distance > by && std::isfinite(distance)) {
            by = distance;
            beyond = other;
        }
    }
    const double size = std::max(std::abs(extreme), std::abs(row.of(beyond)));
    if (by > no_matter * size) {
        const bool rounded = by <= rounding * size;
        found.mark(QualityRule::ohlc, rounded ? Severity::note : Severity::error, row.index, column, extreme, [&] {
            return fmt::format("{} {} is {} {} {}{}", to_string(column), extreme,
                               column == BarColumn::high ? "below" : "above", to_string(beyond), row.of(beyond),
                               rounded ? ", by rounding" : "");
        });
    }
}

void check_positive(const Row& row, bool negative_prices, FindingList& found) {
    for (const BarColumn column : price_columns) {
        const double price = row.of(column);
        if (!(price <= 0) || !std::isfinite(price)) {
            continue;
        }
        const auto others = std::count_if(price_columns.begin(), price_columns.end(),
                                          [&row](BarColumn other) { return row.of(other) > 0; });
        if (!negative_prices && others == 3 && (price == 0 || price == -1)) {
            found.mark(QualityRule::price, Severity::error, row.index, column, price, [&] {
                return fmt::format("{} is {} beside three prices above zero: a placeholder, no price",
                                   to_string(column), price);
            });
        } else if (!negative_prices && price == 0) {
            found.mark(QualityRule::price, Severity::error, row.index, column, price,
                       [&] { return fmt::format("{} is 0, which is no price", to_string(column)); });
        } else if (negative_prices) {
            found.mark(QualityRule::price, Severity::note, row.index, column, price,
                       [&] { return fmt::format("{} is {}, as this instrument's may be", to_string(column), price); });
        } else {
            found.mark(QualityRule::price, Severity::warning, row.index, column, price, [&] {
                return fmt::format(
                    "{} is {}: futures and spreads can fall below zero, as crude oil did in April 2020, "
                    "shares and currencies cannot; say negative_prices where they may",
                    to_string(column), price);
            });
        }
    }
}

void check_volume(const Row& row, FindingList& found) {
    if (row.volume < 0 && row.volume != Bars::no_volume && std::isfinite(row.volume)) {
        found.mark(QualityRule::volume, Severity::error, row.index, BarColumn::volume, row.volume, [&] {
            return fmt::format("volume is {}: it is 0 or more, or -1 where nobody has given it", row.volume);
        });
    }
}

/// Moving prices at a volume of 0: of a few bars as they are, of all of them it is a volume that nobody gives.
void check_zero_volumes(const Bars& bars, const RowPoll& wanted, FindingList& found) {
    const auto is_zero = [&bars](std::size_t i) { return bars.volume[i] == 0 && bars.high[i] > bars.low[i]; };
    bool all_zero = bars.size() >= enough_bars;
    bool moves = false;
    for (std::size_t i = 0; i < bars.size() && all_zero; ++i) {
        wanted.at(i);
        all_zero = bars.volume[i] == 0;
        moves = moves || bars.high[i] > bars.low[i];
    }
    if (all_zero && moves) {
        found.add({QualityRule::volume, Severity::note, 0, bars.size(), bars.start_of(0), BarColumn::volume, 0, {}},
                  [] {
                      return std::string(
                          "volume is 0 while prices move: it looks like one that nobody gives, which "
                          "is -1");
                  });
        return;
    }
    for (std::size_t i = 0; i < bars.size(); ++i) {
        wanted.at(i);
        if (is_zero(i)) {
            found.mark(QualityRule::volume, Severity::note, i, BarColumn::volume, 0,
                       [] { return std::string("volume is 0 while the price moves"); });
        }
    }
}

}  // namespace

void check_numbers(const Bars& bars, const QualityOptions& options, FindingList& found) {
    const RowPoll wanted(options.poll);
    for (std::size_t i = 0; i < bars.size(); ++i) {
        wanted.at(i);
        const Row row{i, bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume[i]};
        // What is no number fails each of these.
        const bool ordered =
            row.high >= row.open && row.high >= row.close && row.low <= row.open && row.low <= row.close;
        const bool in_range = row.low > 0 && row.high <= std::numeric_limits<double>::max() &&
                              (row.volume >= 0 || row.volume == Bars::no_volume) &&
                              row.volume <= std::numeric_limits<double>::max();
        if (ordered && in_range) {
            continue;
        }
        check_finite(row, found);
        check_extreme(row, BarColumn::high, found);
        check_extreme(row, BarColumn::low, found);
        check_positive(row, options.negative_prices, found);
        check_volume(row, found);
    }
    check_zero_volumes(bars, wanted, found);
}

void check_equal_bars(const Bars& bars, const QualityOptions& options, FindingList& found) {
    const auto equal = [&bars](std::size_t a, std::size_t b) {
        return bars.close[a] == bars.close[b] && bars.open[a] == bars.open[b] && bars.high[a] == bars.high[b] &&
               bars.low[a] == bars.low[b];
    };
    const RowPoll wanted(options.poll);
    std::size_t first = 0;
    for (std::size_t i = 1; i <= bars.size(); ++i) {
        wanted.at(i);
        if (i < bars.size() && equal(first, i) &&
            (bars.high[i] == bars.low[i] || bars.volume[first] == bars.volume[i])) {
            continue;
        }
        const std::size_t rows = i - first;
        const bool stands = bars.high[first] == bars.low[first];
        // Without volumes two bars are more easily equal.
        const std::size_t enough = stands                   ? options.still_bars
                                   : bars.volume[first] > 0 ? options.equal_bars
                                                            : 2 * options.equal_bars;
        if (rows >= enough) {
            found.add({QualityRule::equal_bars,
                       stands ? Severity::note : Severity::warning,
                       first,
                       rows,
                       bars.start_of(first),
                       std::nullopt,
                       bars.close[first],
                       {}},
                      [&] {
                          return stands
                                     ? fmt::format("{} bars in a row stand at {}: a halt, or no trades", rows,
                                                   bars.close[first])
                                     : fmt::format("{} bars in a row are the same, from {} to {}: copied, not traded",
                                                   rows, bars.low[first], bars.high[first]);
                      });
        }
        first = i;
    }
}

}  // namespace ktrdr
