#pragma once

#include <cstddef>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// How bars that came go with those of the same stamps that are stored.
struct Seam {
    enum class Kind {
        /// No stamp in common.
        unknown,
        same,
        /// Every price is `ratio` times what is stored.
        rebased,
        /// Some bars are others.
        revised,
    };
    Kind kind{Kind::unknown};
    double ratio{1.0};
    /// Bars that differ.
    std::size_t different{0};
};

/// A history is re-based after a split or a dividend: all prices change by one ratio, but for rounding. It is taken for
/// one only where two prices at least say so; anything else that differs is a revision.
[[nodiscard]] Seam compare(const Bars& stored, const Bars& came);

}  // namespace ktrdr
