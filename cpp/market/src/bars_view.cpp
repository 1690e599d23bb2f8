#include <ktrdr/market/bars_view.hpp>

#include <algorithm>
#include <cmath>

namespace ktrdr {
namespace {

const BarsPtr& no_bars() {
    static const BarsPtr none = std::make_shared<const Bars>();
    return none;
}

bool same_numbers(std::span<const double> a, std::span<const double> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

}  // namespace

BarsView::BarsView() : BarsView(no_bars()) {}

BarsView::BarsView(BarsPtr bars, std::string symbol, std::string timeframe, std::string what_to_show)
    : bars_(std::move(bars)),
      count_(bars_->size()),
      symbol_(std::move(symbol)),
      timeframe_(std::move(timeframe)),
      what_to_show_(std::move(what_to_show)) {}

BarsView BarsView::rows(std::size_t first, std::size_t last) const {
    last = std::min(last, count_);
    first = std::min(first, last);
    BarsView part = *this;
    part.first_ = first_ + first;
    part.count_ = last - first;
    return part;
}

BarsView BarsView::slice(TimeRange range) const {
    const auto stamps = time();
    const auto row_of = [&stamps](UtcTime limit) {
        const auto found = std::lower_bound(stamps.begin(), stamps.end(), limit.time_since_epoch().count());
        return static_cast<std::size_t>(found - stamps.begin());
    };
    const std::size_t first = row_of(range.start);
    return rows(first, std::max(first, row_of(range.end)));
}

BarsView BarsView::every(std::size_t first, std::size_t last, std::size_t step) const {
    const BarsView part = rows(first, last);
    if (step <= 1) {
        return part;
    }
    Bars taken;
    taken.reserve((part.size() + step - 1) / step);
    const Bars& from = *bars_;
    for (std::size_t row = part.first_; row < part.first_ + part.count_; row += step) {
        taken.push_back(from.time[row], from.open[row], from.high[row], from.low[row], from.close[row],
                        from.volume[row]);
    }
    return BarsView(std::make_shared<const Bars>(std::move(taken)), symbol_, timeframe_, what_to_show_);
}

BarsPtr BarsView::own() const {
    return count_ == bars_->size() ? bars_ : std::make_shared<const Bars>(bars_->rows(first_, first_ + count_));
}

bool operator==(const BarsView& a, const BarsView& b) {
    const auto times = a.time();
    const auto others = b.time();
    return a.symbol() == b.symbol() && a.timeframe() == b.timeframe() &&
           std::equal(times.begin(), times.end(), others.begin(), others.end()) && same_numbers(a.open(), b.open()) &&
           same_numbers(a.high(), b.high()) && same_numbers(a.low(), b.low()) && same_numbers(a.close(), b.close()) &&
           same_numbers(a.volume(), b.volume());
}

}  // namespace ktrdr
