#pragma once

#include <algorithm>
#include <span>

#include <ktrdr/calendar/session.hpp>

namespace ktrdr {

/// How many sessions there are before the first for which `before` does not hold; they are in order of it.
template <class Before>
std::size_t sessions_before(std::span<const Session> sessions, Before before) noexcept {
    return static_cast<std::size_t>(std::partition_point(sessions.begin(), sessions.end(), before) - sessions.begin());
}

}  // namespace ktrdr
