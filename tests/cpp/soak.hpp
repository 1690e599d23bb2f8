#pragma once

#include <cstdlib>

namespace ktrdr {

/// How often a test repeats itself: `full` under `make soak` (KTRDR_SOAK is set), else `quick`.
inline int soak_count(int quick, int full) {
    return std::getenv("KTRDR_SOAK") != nullptr ? full : quick;
}

}  // namespace ktrdr
