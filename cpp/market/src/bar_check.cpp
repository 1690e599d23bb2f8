#include <ktrdr/market/bar_check.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

/// The rules of one series, asked row by row.
class RowCheck final {
public:
    RowCheck(const Bars& bars, const Timeframe& timeframe)
        : bars_(bars),
          timeframe_(timeframe),
          step_(stamp_step(timeframe).count()),
          shortest_(timeframe.shortest().count()) {}

    [[nodiscard]] std::optional<BarFault> fault(std::size_t row) const {
        if (is_sound(row)) {
            return std::nullopt;
        }
        if (auto wrong = stamp_fault(row)) {
            return wrong;
        }
        auto wrong = price_fault(row);
        return wrong ? wrong : volume_fault(row);
    }

private:
    /// Everything at once, without words: nearly every row is sound.
    [[nodiscard]] bool is_sound(std::size_t row) const {
        const std::int64_t* const time = bars_.time.data();
        const bool in_order = row == 0 || time[row] > time[row - 1];
        const bool apart = row < 2 || time[row] - time[row - 2] >= shortest_;
        const double high = bars_.high[row];
        const double low = bars_.low[row];
        const double open = bars_.open[row];
        const double close = bars_.close[row];
        const bool inside = low <= open && low <= close && high >= open && high >= close;
        const double volume = bars_.volume[row];
        return in_order && apart && time[row] % step_ == 0 && inside && std::isfinite(high) && std::isfinite(low) &&
               (volume >= 0 || volume == Bars::no_volume) && std::isfinite(volume);
    }

    [[nodiscard]] std::optional<BarFault> stamp_fault(std::size_t row) const {
        const auto wrong = [row](std::string what) { return BarFault{row, "timestamp", std::move(what)}; };
        const std::int64_t time = bars_.time[row];
        if (row > 0 && time == bars_.time[row - 1]) {
            return wrong("the row before has the same stamp: keep one of them");
        }
        if (row > 0 && time < bars_.time[row - 1]) {
            return wrong(fmt::format("it is before the row above it, {}: sort the rows by their stamps",
                                     format_time(bars_.start_of(row - 1))));
        }
        if (time % step_ != 0) {
            return wrong(
                fmt::format("no {} bar starts there: their stamps are multiples of {} minutes; give each bar "
                            "the stamp of its start, in UTC, or another timeframe",
                            timeframe_.name(),
                            std::chrono::duration_cast<std::chrono::minutes>(std::chrono::nanoseconds{step_}).count()));
        }
        if (row >= 2 && time - bars_.time[row - 2] < shortest_) {
            return wrong(
                fmt::format("three bars since {} are too close for {}: choose the timeframe that the bars have",
                            format_time(bars_.start_of(row - 2)), timeframe_.name()));
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<BarFault> price_fault(std::size_t row) const {
        struct Price {
            std::string_view column;
            double value;
        };
        const std::array prices{Price{"open", bars_.open[row]}, Price{"high", bars_.high[row]},
                                Price{"low", bars_.low[row]}, Price{"close", bars_.close[row]}};
        for (const Price& price : prices) {
            if (!std::isfinite(price.value)) {
                return BarFault{row, price.column,
                                std::isnan(price.value) ? "there is no price: drop the row or give it one"
                                                        : "the price is not finite: drop the row or correct it"};
            }
        }
        const double high = bars_.high[row];
        const double low = bars_.low[row];
        for (const Price& price : prices) {
            if (exceeds(price.value, high)) {
                return BarFault{row, "high",
                                fmt::format("{} is below {} {}: high must be the highest of the four", high,
                                            price.column, price.value)};
            }
            if (exceeds(low, price.value)) {
                return BarFault{row, "low",
                                fmt::format("{} is above {} {}: low must be the lowest of the four", low, price.column,
                                            price.value)};
            }
        }
        return std::nullopt;
    }

    [[nodiscard]] std::optional<BarFault> volume_fault(std::size_t row) const {
        const double volume = bars_.volume[row];
        if (std::isfinite(volume) && (volume >= 0 || volume == Bars::no_volume)) {
            return std::nullopt;
        }
        return BarFault{
            row, "volume",
            fmt::format("{} is no volume: give 0 or more, and nothing (or -1) where it is not known", volume)};
    }

    /// By more than what adjusting leaves of rounding.
    static bool exceeds(double value, double limit) {
        constexpr double rounding = 1e-9;
        return value > limit && value - limit > rounding * std::max(std::abs(value), std::abs(limit));
    }

    const Bars& bars_;
    const Timeframe& timeframe_;
    const std::int64_t step_;
    const std::int64_t shortest_;
};

}  // namespace

std::chrono::nanoseconds stamp_step(const Timeframe& timeframe) {
    constexpr int quarter = 15;
    return std::chrono::minutes{timeframe.unit() == Timeframe::Unit::minute ? std::gcd(timeframe.count(), quarter)
                                                                            : quarter};
}

std::optional<BarFault> find_fault(const Bars& bars, const Timeframe& timeframe) {
    return find_fault(bars, timeframe, 0, bars.size());
}

std::optional<BarFault> find_fault(const Bars& bars, const Timeframe& timeframe, std::size_t first, std::size_t last) {
    const RowCheck check(bars, timeframe);
    for (std::size_t row = first; row < last; ++row) {
        if (auto fault = check.fault(row)) {
            return fault;
        }
    }
    return std::nullopt;
}

Error to_error(const BarFault& fault, const Bars& bars, std::string_view place) {
    const std::string stamp = format_time(bars.start_of(fault.row));
    return fail(Errc::invalid_argument, fmt::format("{} ({}), column {}: {}", place, stamp, fault.column, fault.what),
                {{"row", fault.row}, {"stamp", stamp}, {"column", fault.column}});
}

}  // namespace ktrdr
