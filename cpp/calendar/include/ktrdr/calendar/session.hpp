#pragma once

#include <chrono>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// One trading day of a market.
struct Session {
    /// The day's name: its date where the exchange is. A session may open on the day before.
    std::chrono::sys_days date{};
    /// From the open to the close, UTC.
    TimeRange hours{};
    /// Inside the hours, when nothing trades (a lunch break); empty where there is none.
    TimeRange pause{};
    /// How far the exchange's clock is ahead of UTC when the session opens.
    std::chrono::minutes offset{0};
    /// It closes before that weekday's usual time.
    bool early_close{false};

    [[nodiscard]] UtcTime open() const noexcept { return hours.start; }
    [[nodiscard]] UtcTime close() const noexcept { return hours.end; }
    /// 00:00 of the date by the exchange's clock, UTC.
    [[nodiscard]] UtcTime midnight() const noexcept { return UtcTime{date} - offset; }
    friend bool operator==(const Session&, const Session&) = default;
};

}  // namespace ktrdr
