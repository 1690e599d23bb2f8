#pragma once

#include <cstddef>
#include <vector>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// Rows by their stamps, those of one stamp as they stand.
[[nodiscard]] std::vector<std::size_t> rows_by_time(const Bars& bars);
/// Stamp and numbers, zeros of both signs and what is no number apart.
[[nodiscard]] bool same_to_the_bit(const Bars& bars, std::size_t one, std::size_t other);

}  // namespace ktrdr
