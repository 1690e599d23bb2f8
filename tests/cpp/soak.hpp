#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace ktrdr {

#ifdef KTRDR_SANITIZED
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// How often a test repeats itself: `full` under `make soak` (KTRDR_SOAK is set), else `quick`; a tenth of that under a
/// sanitizer, which looks for faults of memory and threads and takes a hundred times as long.
inline int soak_count(int quick, int full) {
    if (std::getenv("KTRDR_SOAK") != nullptr) {
        return full;
    }
    return sanitized && quick < full ? std::max(1, quick / 10) : quick;
}

/// How far apart the cases of a long list are that a test tries: each of them, but under a sanitizer so many, unless
/// KTRDR_SOAK is set. A step that no inner loop's length divides meets every value of each.
inline std::size_t soak_step(std::size_t under_a_sanitizer) {
    return sanitized && std::getenv("KTRDR_SOAK") == nullptr ? under_a_sanitizer : 1;
}

}  // namespace ktrdr
