#include <ktrdr/market/bar_revision.hpp>

#include <algorithm>

namespace ktrdr {

std::array<double, 5> numbers_of(const Bars& bars, std::size_t row) {
    return {bars.open[row], bars.high[row], bars.low[row], bars.close[row], bars.volume[row]};
}

bool same_numbers(const std::array<double, 5>& one, const std::array<double, 5>& other) {
    return std::equal(one.begin(), one.end(), other.begin(), &same_number);
}

}  // namespace ktrdr
