#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/result.hpp>
#include <ktrdr/data/load_request.hpp>
#include <ktrdr/market/bars_view.hpp>

namespace ktrdr {

/// A watch list.
struct LoadManyRequest {
    std::vector<std::string> symbols{};
    std::vector<std::string> timeframes{};
    /// As in `LoadRequest`.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
    std::string mode{"local"};
    /// Most loads at the same time, all of them where it is unset; whatever it is, the source has one queue for their
    /// requests. At least 1.
    std::optional<std::size_t> at_once{};
    /// As in `LoadRequest`.
    int priority{0};
    SeriesWords series{};
    LoadChecks checks{};
    std::string parent_id{};
};

/// What became of one of a watch list's series.
struct LoadedOne {
    std::string symbol{};
    std::string timeframe{};
    /// Its load; empty where none could be started.
    std::string operation_id{};
    Result<BarsView> bars;
};

/// In the order of the list, a symbol's timeframes together.
using LoadedMany = std::vector<LoadedOne>;

}  // namespace ktrdr
