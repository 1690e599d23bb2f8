#pragma once

#include <array>
#include <string_view>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// What a bar says by itself, as features that no level of prices shows in: the change of the close since the bar
/// before, the body (close less open) and the range (high less low), each as a share of the price it begins at, and
/// where in the range the close lies, 0 to 1 (0.5 where there is no range). A share of a price of 0 is no value.
inline constexpr std::array<std::string_view, 4> price_context_names{"price_change", "price_body", "price_range",
                                                                     "price_position"};

struct ContextPrices {
    double open{0};
    double high{0};
    double low{0};
    double close{0};
    /// The close of the bar before; NaN where there is none.
    double before{0};
};

/// In the order of the names; NaN where one has no value.
[[nodiscard]] KTRDR_EXPORT std::array<double, price_context_names.size()> price_context_of(
    const ContextPrices& prices) noexcept;

}  // namespace ktrdr
