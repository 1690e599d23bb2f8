#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// Rows of shared bars that lie side by side, and the series they are of. A copy shares the columns.
///
/// Units: those of `Bars`.
/// Lifetime: keeps the bars alive; the spans live as long as any view of them.
class KTRDR_EXPORT BarsView final {
public:
    /// No bars of no series.
    BarsView();
    /// All of `bars`. Each of the texts is empty where nobody has said it.
    explicit BarsView(BarsPtr bars, std::string symbol = {}, std::string timeframe = {}, std::string what_to_show = {});

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] const std::string& symbol() const noexcept { return symbol_; }
    [[nodiscard]] const std::string& timeframe() const noexcept { return timeframe_; }
    /// What the prices are of: `TRADES`, `BID`, …; `ADJUSTED_LAST` of adjusted ones.
    [[nodiscard]] const std::string& what_to_show() const noexcept { return what_to_show_; }
    /// What holds the columns.
    [[nodiscard]] const BarsPtr& bars() const noexcept { return bars_; }

    [[nodiscard]] std::span<const std::int64_t> time() const { return part(bars_->time); }
    [[nodiscard]] std::span<const double> open() const { return part(bars_->open); }
    [[nodiscard]] std::span<const double> high() const { return part(bars_->high); }
    [[nodiscard]] std::span<const double> low() const { return part(bars_->low); }
    [[nodiscard]] std::span<const double> close() const { return part(bars_->close); }
    [[nodiscard]] std::span<const double> volume() const { return part(bars_->volume); }

    /// Rows `[first, last)` of these, cut to what there is; nothing is copied.
    [[nodiscard]] BarsView rows(std::size_t first, std::size_t last) const;
    /// The bars that start inside `range`; nothing is copied.
    [[nodiscard]] BarsView slice(TimeRange range) const;
    /// Every `step`th row of `[first, last)`, copied where `step` is above 1. At least 1.
    [[nodiscard]] BarsView every(std::size_t first, std::size_t last, std::size_t step) const;
    /// These rows as bars of their own: what is shared where that is all of it, else a copy.
    [[nodiscard]] BarsPtr own() const;

    /// One symbol and timeframe, and the same numbers; what is no number equals itself.
    friend KTRDR_EXPORT bool operator==(const BarsView& a, const BarsView& b);

private:
    template <class T>
    [[nodiscard]] std::span<const T> part(const std::vector<T>& column) const {
        return std::span(column).subspan(first_, count_);
    }

    BarsPtr bars_;
    std::size_t first_{0};
    std::size_t count_{0};
    std::string symbol_;
    std::string timeframe_;
    std::string what_to_show_;
};

}  // namespace ktrdr
