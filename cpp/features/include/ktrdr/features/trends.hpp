#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/indicator.hpp>
#include <ktrdr/features/moving_averages.hpp>

namespace ktrdr {

/// How far a price went since the close of the bar before: high - low, widened to that close.
[[nodiscard]] inline double true_range(double high, double low, double close_before) {
    return std::max(high, close_before) - std::min(low, close_before);
}

/// Average true range after Wilder, begun with the plain mean of its first `period` ranges. The first bar has none.
class AverageTrueRange final {
public:
    explicit AverageTrueRange(std::size_t period) : average_(wilder_average(period)) {}

    double next(double high, double low, double close) {
        const double before = close_;
        close_ = close;
        if (!begun_) {
            begun_ = true;
            return no_value;
        }
        return average_.next(true_range(high, low, before));
    }

    /// `next` for bars that follow each other, to the bit: columns of highs, lows and closes.
    void run(const std::array<const double*, 3>& columns, double* to, std::size_t bars) {
        if (bars == 0) {
            return;
        }
        const auto [high, low, close] = columns;
        std::size_t first = 0;
        if (!begun_) {
            to[first++] = next(high[0], low[0], close[0]);
        } else {
            to[0] = true_range(high[0], low[0], close_);
        }
        for (std::size_t bar = 1; bar < bars; ++bar) {
            to[bar] = true_range(high[bar], low[bar], close[bar - 1]);
        }
        close_ = close[bars - 1];
        average_.run(to + first, to + first, bars - first);
    }

private:
    ForgettingAverage average_;
    bool begun_{false};
    double close_{0};
};

/// The registry's rows of this family.
///
/// atr: average true range after Wilder (1978), in units of price.
/// adx: Wilder's directional movement: adx, +DI, -DI, 0..100. A bar without any range or direction leaves adx as it is;
/// the sums begin one bar short, as TA-Lib's do.
/// parabolic_sar: Wilder's stop and reverse, in units of price. It begins upwards unless the second bar goes further
/// down than up. supertrend: the middle of a bar less (in an uptrend) or plus (in a downtrend) `multiplier` average
/// true ranges, moved in the trend's direction only, until a close lies beyond it (Seban 2008); and the trend, 1 or -1.
/// It begins upwards. zigzag: the last turn that is known by now, the direction since (1, -1; 0 before the first), and
/// how far the price is above that turn in percent of its amount. A turn is known when the price has gone back from it
/// by `threshold` percent, no earlier: what a chart draws looks ahead. Before the first turn, the first price stands
/// for one.
[[nodiscard]] KTRDR_EXPORT std::span<const IndicatorSpec> trend_specs() noexcept;

}  // namespace ktrdr
