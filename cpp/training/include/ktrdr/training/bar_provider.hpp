#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/features/holes.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {

/// The prices of a series from `at` on are `ratio` times what those before are on: a split that nobody undid.
struct BarBreak {
    std::string symbol{};
    Timeframe timeframe;
    UtcTime at{};
    double ratio{1};

    friend bool operator==(const BarBreak&, const BarBreak&) = default;
};

/// What the bars of a series are, so that those of another kind can be told from them; empty where nobody knows.
struct SeriesBasis {
    std::string symbol{};
    std::string timeframe{};
    /// `TRADES`, `BID`, …; `ADJUSTED_LAST` of prices that are adjusted.
    std::string what_to_show{};
    /// Whose sessions its market has, by name; its bars lie in them as `provider`, `asset_class` and `session` say.
    std::string calendar{};
    std::string provider{};
    std::string asset_class{};
    std::string session{};

    friend bool operator==(const SeriesBasis&, const SeriesBasis&) = default;
};

/// Which of a symbol's series is meant; unset: whatever is stored, of several the usual one.
struct SeriesChoice {
    /// `TRADES`, `ADJUSTED_LAST`, …
    std::optional<std::string> what_to_show{};
    /// `regular` or `extended`.
    std::optional<std::string> session{};

    [[nodiscard]] bool empty() const noexcept { return !what_to_show && !session; }
    friend bool operator==(const SeriesChoice&, const SeriesChoice&) = default;
};

/// What is stored of a series, told without reading it.
struct BarsStamp {
    /// No fewer than there are.
    std::size_t bars{0};
    /// Another one whenever the bars, their breaks or what is known of their sessions are others.
    std::string version{};

    friend bool operator==(const BarsStamp&, const BarsStamp&) = default;
};

/// Where a training gets its bars. The runtime wires `DataManager` in here, since `training` never sees `data`.
class KTRDR_EXPORT BarProvider {
public:
    virtual ~BarProvider() = default;
    /// A provider that reads the series which are meant. Errors: `invalid_argument` for what no series can be.
    [[nodiscard]] virtual Result<std::shared_ptr<BarProvider>> choose(const SeriesChoice& choice) const {
        return fail(
            Errc::invalid_argument,
            fmt::format("these bars are one series of each symbol, and what_to_show or session ({}) chooses among "
                        "several: leave it out",
                        choice.what_to_show.value_or(choice.session.value_or(""))),
            {{"field", "what_to_show"}});
    }
    /// Whose sessions a date of a series stands for. Errors: those of a series that cannot be told.
    [[nodiscard]] virtual Result<BarGrid> grid(const std::string&, const Timeframe& timeframe) {
        return BarGrid(timeframe);
    }
    /// Blocking; called after `bars`.
    [[nodiscard]] virtual Result<SeriesBasis> basis(const std::string& symbol, const Timeframe& timeframe) {
        return SeriesBasis{.symbol = symbol, .timeframe = std::string(timeframe.name())};
    }
    /// The stored bars of a series inside `range`, blocking; called on a training thread.
    /// Errors: `no_data` when nothing is stored, naming how to load it.
    [[nodiscard]] virtual Result<BarsPtr> bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                                               const CancellationToken& token) = 0;
    /// What `bars` would read now, blocking for a moment; unset where that is not known before.
    [[nodiscard]] virtual Result<std::optional<BarsStamp>> stamp(const std::string&, const Timeframe&, TimeRange) {
        return std::optional<BarsStamp>{};
    }
    /// Where the basis of its prices breaks inside `range`, as far as anybody knows; called after `bars`, and blocking.
    [[nodiscard]] virtual Result<std::vector<BarBreak>> breaks(const std::string&, const Timeframe&, TimeRange) {
        return std::vector<BarBreak>{};
    }
    /// Where bars are missing between `bars` of a series, and behind them up to `until` where that is set, by whatever
    /// is known of when its market trades; blocking.
    [[nodiscard]] virtual Result<std::vector<Hole>> holes(const std::string&, const Timeframe& timeframe,
                                                          const Bars& bars, std::optional<UtcTime> until) {
        return find_holes(bars, BarGrid(timeframe), until);
    }
};

/// The provider itself where nothing is chosen.
[[nodiscard]] inline Result<std::shared_ptr<BarProvider>> chosen(const std::shared_ptr<BarProvider>& bars,
                                                                 const SeriesChoice& choice) {
    if (choice.empty()) {
        return bars;
    }
    return bars->choose(choice);
}

}  // namespace ktrdr
