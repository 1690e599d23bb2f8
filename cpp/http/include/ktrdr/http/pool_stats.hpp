#pragma once

#include <cstddef>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Connections and requests of one pool, or of all of a client.
struct PoolStats {
    std::size_t open{0};
    std::size_t idle{0};
    std::size_t active{0};
    std::size_t connecting{0};
    std::size_t waiting{0};
    std::size_t connections_created{0};
    std::size_t dials_failed{0};
    std::size_t requests{0};

    KTRDR_EXPORT PoolStats& operator+=(const PoolStats& other) noexcept;
};

}  // namespace ktrdr
