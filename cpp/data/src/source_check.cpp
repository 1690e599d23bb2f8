#include <ktrdr/data/source_check.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <ktrdr/market/time_text.hpp>

#include "bar_answer.hpp"
#include "closed_rows.hpp"

namespace ktrdr {
namespace {

Error wrong(const AnswerWanted& wanted, const std::string& what) {
    return fail(Errc::protocol, fmt::format("{}: {}", wanted.asked, what), {{"asked", wanted.asked}});
}

Result<void> check_place(UtcTime start, std::string_view row, const AnswerWanted& wanted) {
    if (!wanted.segment.contains(start)) {
        return wrong(wanted, fmt::format("{} stamped {} is outside of the range that was asked for, {} to {}: answer "
                                         "only what starts inside it",
                                         row, format_time(start), format_time(wanted.segment.start),
                                         format_time(wanted.segment.end)));
    }
    return {};
}

/// The column of the first price that is none.
std::optional<std::string_view> missing_price(const Bars& bars, std::size_t row) {
    const std::array columns{
        std::pair{std::string_view("open"), &bars.open}, std::pair{std::string_view("high"), &bars.high},
        std::pair{std::string_view("low"), &bars.low}, std::pair{std::string_view("close"), &bars.close}};
    for (const auto& [name, values] : columns) {
        if (!std::isfinite((*values)[row])) {
            return name;
        }
    }
    return std::nullopt;
}

Result<void> check_row(const Bars& bars, std::size_t row, bool closed, const AnswerWanted& wanted) {
    const UtcTime start = bars.start_of(row);
    if (auto placed = check_place(start, "a bar", wanted); !placed) {
        return placed;
    }
    if (!closed) {
        return wrong(wanted,
                     fmt::format("the bar stamped {} is not closed before {}, and now is {}: answer closed "
                                 "bars only",
                                 format_time(start), format_time(wanted.grid.end_of(start)), format_time(wanted.now)));
    }
    const double volume = bars.volume[row];
    if (volume < 0 && volume != Bars::no_volume) {
        return wrong(wanted, fmt::format("the bar stamped {} has the volume {}: give -1 or no number where there is "
                                         "none",
                                         format_time(start), volume));
    }
    return {};
}

}  // namespace

Result<void> check_provider(std::string_view provider) {
    constexpr std::size_t longest = 64;
    const auto printable = [](unsigned char c) { return c >= 0x20 && c != 0x7f; };
    if (!provider.empty() && provider.size() <= longest && std::all_of(provider.begin(), provider.end(), printable)) {
        return {};
    }
    return fail(Errc::invalid_argument,
                fmt::format("provider {:?} cannot be: give 1 to {} printable bytes, the name under which the source's "
                            "bars are stored",
                            provider.substr(0, longest), longest),
                {{"field", "provider"}});
}

Bars closed_part(Bars bars, const BarGrid& grid, UtcTime now) {
    const std::size_t closed =
        closed_rows(bars, 0, bars.size(), [&](UtcTime at) { return grid.may_be_closed(at, now); });
    return closed == bars.size() ? std::move(bars) : bars.rows(0, closed);
}

Result<SourceAnswer> checked_answer(SourceAnswer answer, const AnswerWanted& wanted) {
    if (const auto checked = answer.bars.check(); !checked) {
        return wrong(wanted, checked.error().message);
    }
    for (const auto& row : answer.dropped) {
        if (const auto placed = check_place(row.start, "a dropped row", wanted); !placed) {
            return placed.error();
        }
    }
    Bars& bars = answer.bars;
    const std::size_t closed = closed_rows(
        bars, 0, bars.size(), [&wanted](UtcTime start) { return wanted.grid.may_be_closed(start, wanted.now); });
    bool lacks_prices = false;
    std::size_t infinite = 0;
    for (std::size_t row = 0; row < bars.size(); ++row) {
        if (const auto checked = check_row(bars, row, row < closed, wanted); !checked) {
            return checked.error();
        }
        lacks_prices = lacks_prices || missing_price(bars, row).has_value();
        if (!std::isfinite(bars.volume[row])) {
            infinite += std::isnan(bars.volume[row]) ? 0 : 1;
            bars.volume[row] = Bars::no_volume;
        }
    }
    if (std::string odd = odd_volumes(infinite); !odd.empty()) {
        answer.mended += answer.mended.empty() ? odd : "; " + odd;
    }
    if (!lacks_prices) {
        return answer;
    }
    Bars kept;
    kept.reserve(bars.size());
    for (std::size_t row = 0; row < bars.size(); ++row) {
        if (const auto column = missing_price(bars, row)) {
            answer.dropped.push_back({bars.start_of(row), fmt::format("has no number `{}`", *column)});
        } else {
            kept.push_back(bars.time[row], bars.open[row], bars.high[row], bars.low[row], bars.close[row],
                           bars.volume[row]);
        }
    }
    answer.bars = std::move(kept);
    return answer;
}

}  // namespace ktrdr
