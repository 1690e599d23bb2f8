#pragma once

#include <array>
#include <cmath>
#include <cstddef>

#include <ktrdr/base/export.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// Other numbers that a provider gave for a stored bar than those that are stored.
struct BarRevision {
    /// The bar's stamp.
    UtcTime time{};
    /// Open, high, low, close, volume.
    std::array<double, 5> numbers{};
    /// When it gave them; of replaced ones, when what is stored took their place.
    UtcTime at{};
    /// What is stored came after these, and from the provider too.
    bool replaced{false};

    friend bool operator==(const BarRevision&, const BarRevision&) = default;
};

/// What is no number equals itself.
[[nodiscard]] inline bool same_number(double one, double other) {
    return one == other || (std::isnan(one) && std::isnan(other));
}
/// Open, high, low, close and volume of a row.
[[nodiscard]] KTRDR_EXPORT std::array<double, 5> numbers_of(const Bars& bars, std::size_t row);
[[nodiscard]] KTRDR_EXPORT bool same_numbers(const std::array<double, 5>& one, const std::array<double, 5>& other);

}  // namespace ktrdr
