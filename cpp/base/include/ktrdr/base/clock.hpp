#pragma once

#include <chrono>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

using SteadyTime = std::chrono::steady_clock::time_point;
/// Nanoseconds since 1970-01-01 00:00 UTC.
using UtcTime = std::chrono::sys_time<std::chrono::nanoseconds>;

/// Where time comes from, so that tests own it.
///
/// Thread safety: all members may be called from any thread.
class KTRDR_EXPORT Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual SteadyTime now() const = 0;
    [[nodiscard]] virtual UtcTime utc_now() const = 0;
};

/// The machine's clocks. One object for the process.
[[nodiscard]] KTRDR_EXPORT const Clock& system_clock();

}  // namespace ktrdr
