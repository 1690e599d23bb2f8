#pragma once

#include <cstddef>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// How many rows there are up to the last closed one, at least `from`: stamps rise, so those that are not closed are
/// the last. `is_closed` is asked for few rows more than are not.
template <class IsClosed>
[[nodiscard]] std::size_t closed_rows(const Bars& bars, std::size_t from, std::size_t to, const IsClosed& is_closed) {
    while (to > from && !is_closed(bars.start_of(to - 1))) {
        --to;
    }
    return to;
}

}  // namespace ktrdr
