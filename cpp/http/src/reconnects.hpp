#pragma once

#include <chrono>
#include <optional>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// When an event stream connects again, how long it waits before that, and when it gives up.
///
/// Units: `chance` is a random number in [0, 1) that the caller draws.
/// Thread safety: none.
class Reconnects final {
public:
    using Time = std::chrono::milliseconds;
    /// No service is asked more often than this, whatever it says.
    static constexpr Time shortest{100};
    /// For one that does not say how long to wait.
    static constexpr Time usual{1000};
    /// What connections that bring no event grow their pauses to. One that asks for more is given it.
    static constexpr Time longest{10'000};

    /// `patience`: how long a service that was there may stay away.
    explicit Reconnects(Time patience) noexcept;

    /// The service answers with events.
    void connected() noexcept {
        was_there_ = true;
        away_since_.reset();
    }
    /// An event has come.
    void heard() noexcept { fruitless_ = 0; }
    /// True where a connection that could not be made is tried again.
    [[nodiscard]] bool goes_on(const Error& error, SteadyTime now) noexcept;
    /// Before the next connection. `asked`: by the service's `retry:`. Never shorter, and spread by a quarter at least,
    /// so that those who lost their service together do not come back together.
    [[nodiscard]] Time pause(std::optional<Time> asked, double chance) noexcept;

private:
    Time patience_;
    bool was_there_{false};
    std::optional<SteadyTime> away_since_{};
    /// Connections since the last event.
    int fruitless_{0};
};

}  // namespace ktrdr
