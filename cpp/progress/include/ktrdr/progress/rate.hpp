#pragma once

#include <cstdint>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/progress/recent.hpp>

namespace ktrdr {

/// Items a second, now: the median over the last five windows of a second or more, each from one movement to another.
///
/// One pause does not move it. While nothing moves for longer than those windows took it falls, as 1 over the silence.
/// Nothing is said (0) before the second movement or the first second.
class KTRDR_EXPORT RateMeter final {
public:
    /// Forget everything: `items` were done when the work began, at `now`.
    void reset(SteadyTime now, std::int64_t items);
    void observe(SteadyTime now, std::int64_t items);
    [[nodiscard]] double rate(SteadyTime now) const;

private:
    SteadyTime window_started_{};
    std::int64_t window_items_{0};
    SteadyTime moved_{};
    std::int64_t items_{0};
    int movements_{0};
    RecentFive rates_{};
    /// How long each window was, and how much was done in it.
    RecentFive seconds_{};
    RecentFive gains_{};
};

}  // namespace ktrdr
