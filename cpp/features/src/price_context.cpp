#include <ktrdr/features/price_context.hpp>

#include <cmath>

#include <ktrdr/features/indicator_state.hpp>

namespace ktrdr {
namespace {

double share_of_price(double part, double price) {
    return price == 0 ? no_value : part / std::abs(price);
}

}  // namespace

std::array<double, price_context_names.size()> price_context_of(const ContextPrices& prices) noexcept {
    const auto [open, high, low, close, before] = prices;
    return {share_of_price(close - before, before), share_of_price(close - open, open),
            share_of_price(high - low, close), high == low ? 0.5 : (close - low) / (high - low)};
}

}  // namespace ktrdr
