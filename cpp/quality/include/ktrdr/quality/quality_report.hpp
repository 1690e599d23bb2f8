#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/market/bar_columns.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/quality/gaps.hpp>

namespace ktrdr {

/// What a finding is about.
enum class QualityRule {
    /// A stamp before the one above it.
    order,
    /// A stamp that is there twice.
    duplicate,
    /// A price or volume that is no number, or infinite.
    not_finite,
    /// High is not the highest of the four, or low not the lowest.
    ohlc,
    /// A price of zero or below.
    price,
    /// A volume that cannot be; or volumes that say nothing.
    volume,
    /// A bar while the market is closed.
    out_of_session,
    /// A bar at a time at which none of the timeframe begins.
    off_grid,
    /// Bars that should exist.
    missing,
    /// The same bar again and again, or a price that stands still.
    equal_bars,
    /// A move that is many times the usual one.
    jump,
    /// Nothing new, though bars have closed since.
    stale,
    /// Shorter bars that do not make the longer ones.
    disagreement,
    /// Stamps that fit the sessions only by another clock.
    clock,
    /// Other numbers than the provider gave before, or gives since.
    revision,
    /// Prices that are on another basis than those before.
    basis,
};
inline constexpr std::size_t quality_rule_count = 16;

enum class Severity {
    /// Worth knowing; may be as it should.
    note,
    /// Look at it before these bars are used.
    warning,
    /// It cannot be.
    error,
};
inline constexpr std::size_t severity_count = 3;

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(QualityRule rule) noexcept;
[[nodiscard]] KTRDR_EXPORT std::string_view to_string(Severity severity) noexcept;

/// Something about rows that follow each other.
struct Finding {
    QualityRule rule{QualityRule::order};
    Severity severity{Severity::note};
    /// The first row; of what is missing the row that follows.
    std::size_t index{0};
    /// How many rows; of what is missing how many bars.
    std::size_t rows{1};
    /// The stamp of the first row; of what is missing that of the first absent bar.
    UtcTime time{};
    /// The column that it is about; unset where it is the whole row.
    std::optional<BarColumn> column{};
    /// What was found there: a price, a volume, a ratio, a count; no number where there is none.
    double value{0};
    /// What says so, for a person.
    std::string evidence{};

    /// The numbers, and what is no number equals itself.
    friend KTRDR_EXPORT bool operator==(const Finding& one, const Finding& other);
};

struct KTRDR_EXPORT QualityReport {
    std::size_t bars{0};
    /// From the first stamp to the end of the last bar.
    TimeRange range{};
    /// By rule, each rising.
    std::vector<Finding> findings{};
    /// By rule, findings that were left out, being too many.
    std::array<std::size_t, quality_rule_count> left_out{};
    /// What is missing, and why.
    GapReport gaps{};

    /// How many findings there are of a rule, those that were left out too.
    [[nodiscard]] std::size_t count(QualityRule rule) const noexcept;
    /// The gravest; unset where nothing was found.
    [[nodiscard]] std::optional<Severity> worst() const noexcept;
    friend bool operator==(const QualityReport&, const QualityReport&) = default;
};

}  // namespace ktrdr
