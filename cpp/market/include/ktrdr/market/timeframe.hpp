#pragma once

#include <chrono>
#include <compare>
#include <span>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// The length of a bar by its name: 1m 2m 3m 5m 10m 15m 20m 30m 1h 2h 3h 4h 8h 1d 1w 1M. When a bar ends is no matter
/// of its length alone: `BarGrid` says it.
class KTRDR_EXPORT Timeframe final {
public:
    enum class Unit { minute, hour, day, week, month };

    /// `invalid_argument` listing what there is, with the nearest spelling, for any other name.
    [[nodiscard]] static Result<Timeframe> parse(std::string_view name);
    [[nodiscard]] static std::span<const std::string_view> names() noexcept;

    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    [[nodiscard]] Unit unit() const noexcept { return unit_; }
    [[nodiscard]] int count() const noexcept { return count_; }
    /// Shorter than a day.
    [[nodiscard]] bool is_intraday() const noexcept;
    /// What its shortest bar lasts that no session cuts: of a month 28 days, of the others every one.
    [[nodiscard]] std::chrono::nanoseconds shortest() const noexcept;

    friend bool operator==(const Timeframe&, const Timeframe&) = default;

private:
    constexpr Timeframe(std::string_view name, Unit unit, int count) : name_(name), unit_(unit), count_(count) {}
    std::string_view name_;
    Unit unit_;
    int count_;
};

}  // namespace ktrdr
