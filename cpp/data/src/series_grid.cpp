#include "series_grid.hpp"

#include <algorithm>
#include <array>

namespace ktrdr {
namespace {

/// Where stocks are traded in New York's hours. `SMART` is Interactive Brokers' own router, of dollars those of New
/// York.
constexpr std::array<std::string_view, 14> new_york{"NYSE", "NASDAQ", "ISLAND",   "ARCA", "AMEX",  "BATS", "IEX",
                                                    "BYX",  "EDGEA",  "DRCTEDGE", "MEMX", "PEARL", "LTSE", "SMART"};

std::string_view calendar_of(const Contract& contract) {
    if (contract.asset_class == "forex") {
        return "FOREX";
    }
    if (contract.asset_class == "crypto") {
        return "CRYPTO";
    }
    const bool stock = contract.asset_class == "stock" || contract.asset_class == "etf";
    const bool there = std::find(new_york.begin(), new_york.end(), contract.exchange) != new_york.end();
    return stock && there && contract.currency == "USD" ? "XNYS" : "";
}

/// A calendar of the user's file, as he gave it by series or changed it by name; null for none.
SessionCalendarPtr by_rules(const SeriesKey& key, const Contract& contract, const CalendarRules& rules) {
    const auto given = rules.calendar_of({key.symbol, contract.asset_class, contract.exchange, contract.currency});
    return given ? given : rules.find(calendar_of(contract));
}

}  // namespace

Result<BarGrid> grid_of(const SeriesKey& key, const Contract& contract, const CalendarRulesPtr& rules) {
    // What nobody has said of the contract now may stand in the key.
    const Contract known{contract.asset_class.empty() ? key.asset_class : contract.asset_class,
                         contract.exchange.empty() ? key.exchange : contract.exchange,
                         contract.currency.empty() ? key.currency : contract.currency};
    SessionCalendarPtr calendar = rules ? by_rules(key, known, *rules) : nullptr;
    if (!calendar) {
        const std::string_view name = calendar_of(known);
        if (name.empty()) {
            return BarGrid(key.timeframe);
        }
        auto shipped = SessionCalendar::shipped(name);
        if (!shipped) {
            return shipped.error();
        }
        calendar = std::move(*shipped);
    }
    GridOptions options{.provider = key.provider, .session = key.session};
    // What a provider calls otherwise is cut as a stock is.
    if (known.asset_class == "forex" || known.asset_class == "crypto") {
        options.asset_class = known.asset_class;
    }
    return BarGrid::make(key.timeframe, std::move(calendar), options);
}

}  // namespace ktrdr
