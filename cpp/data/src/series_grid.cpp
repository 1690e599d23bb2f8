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

}  // namespace

Result<BarGrid> grid_of(const SeriesKey& key, const Contract& contract) {
    const std::string_view name = calendar_of(contract);
    if (name.empty()) {
        return BarGrid(key.timeframe);
    }
    auto calendar = SessionCalendar::shipped(name);
    if (!calendar) {
        return calendar.error();
    }
    return BarGrid::make(key.timeframe, std::move(*calendar),
                         {.provider = key.provider, .asset_class = contract.asset_class, .session = key.session});
}

}  // namespace ktrdr
