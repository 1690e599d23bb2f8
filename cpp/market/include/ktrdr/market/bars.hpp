#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// A half-open range of time, `[start, end)`.
struct TimeRange {
    UtcTime start{};
    UtcTime end{};

    [[nodiscard]] bool empty() const noexcept { return start >= end; }
    [[nodiscard]] bool contains(UtcTime time) const noexcept { return start <= time && time < end; }
    friend auto operator<=>(const TimeRange&, const TimeRange&) = default;
};

/// Price bars as columns of equal length, oldest first, no stamp twice.
///
/// Units: `time` nanoseconds since 1970 UTC at the bar's start; prices in the instrument's currency; volume in units
/// traded, `no_volume` where the provider gives none.
struct KTRDR_EXPORT Bars : Counted<Bars> {
    static constexpr double no_volume{-1};

    std::vector<std::int64_t> time{};
    std::vector<double> open{};
    std::vector<double> high{};
    std::vector<double> low{};
    std::vector<double> close{};
    std::vector<double> volume{};

    [[nodiscard]] std::size_t size() const noexcept { return time.size(); }
    [[nodiscard]] bool empty() const noexcept { return time.empty(); }
    /// `time` of a bar as a point in time.
    [[nodiscard]] UtcTime start_of(std::size_t bar) const { return UtcTime{std::chrono::nanoseconds{time[bar]}}; }
    void reserve(std::size_t count);
    void push_back(std::int64_t stamp, double o, double h, double l, double c, double v);
    /// The first row that starts at `when` or later; `size()` where there is none.
    [[nodiscard]] std::size_t row_from(UtcTime when) const;
    /// The bars that start inside `range`, copied.
    [[nodiscard]] Bars slice(TimeRange range) const;
    /// Rows `[first, last)`, copied.
    [[nodiscard]] Bars rows(std::size_t first, std::size_t last) const;
    /// Columns of one length, or `invalid_argument` naming the column.
    [[nodiscard]] Result<void> check_lengths() const;
    /// Columns of one length and strictly rising stamps, or `invalid_argument` naming the row.
    [[nodiscard]] Result<void> check() const;

    friend bool operator==(const Bars&, const Bars&) = default;
};

/// Bars once made are shared, never changed.
using BarsPtr = std::shared_ptr<const Bars>;

/// Both series in order; where both have a stamp the row of `newer` wins.
[[nodiscard]] KTRDR_EXPORT Bars merge(const Bars& older, const Bars& newer);

}  // namespace ktrdr
