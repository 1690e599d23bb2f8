// Bars of the host service as an Arrow stream.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <ktrdr/data/ib_answers.hpp>
#include <ktrdr/market/arrow_stream.hpp>
#include <ktrdr/market/bar_columns.hpp>

#include "bar_answer.hpp"

namespace ktrdr {
namespace {

bool all_finite(const std::vector<double>& column) {
    return std::all_of(column.begin(), column.end(), [](double value) { return std::isfinite(value); });
}

/// Nothing of them is to be left out or put in another place.
bool are_plain(const Bars& bars) {
    const bool rise = std::adjacent_find(bars.time.begin(), bars.time.end(), std::greater_equal<>()) == bars.time.end();
    const bool have_stamps = bars.empty() || bars.time.front() != no_stamp;
    return rise && have_stamps && all_finite(bars.open) && all_finite(bars.high) && all_finite(bars.low) &&
           all_finite(bars.close) && all_finite(bars.volume);
}

/// What is wrong with a row's prices, for a person; nothing for nothing.
std::string wrong_price(const std::array<double, 5>& values) {
    constexpr std::array<std::string_view, 4> prices{"open", "high", "low", "close"};
    for (std::size_t i = 0; i < prices.size(); ++i) {
        if (!std::isfinite(values.at(i))) {
            return no_price(prices.at(i));
        }
    }
    return {};
}

AnswerRows rows_of(const Bars& bars) {
    AnswerRows rows;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        if (bars.time[i] == no_stamp) {
            continue;
        }
        const bool odd = !std::isfinite(bars.volume[i]);
        const double volume = odd ? Bars::no_volume : bars.volume[i];
        const AnswerRow row{bars.time[i], {bars.open[i], bars.high[i], bars.low[i], bars.close[i], volume}};
        if (std::string wrong = wrong_price(row.values); !wrong.empty()) {
            rows.dropped.push_back({bars.start_of(i), std::move(wrong)});
        } else {
            rows.good.push_back(row);
            rows.odd_volumes += odd ? 1 : 0;
        }
    }
    return rows;
}

/// Why more may be there than came; nothing for nothing.
std::string stream_doubts(const StreamedBars& streamed) {
    const auto& stamps = streamed.given.bars.time;
    if (const auto without = std::count(stamps.begin(), stamps.end(), no_stamp); without > 0) {
        return fmt::format("the answer has {} rows without a stamp that a bar can have", without);
    }
    return streamed.ended ? "" : "the answer's Arrow stream ends without the mark of its end";
}

}  // namespace

Result<SourceAnswer> read_historical_arrow(std::string_view stream, const BarsWanted& wanted, const std::string& asked,
                                           const CancellationToken& token) {
    if (const auto alive = token.check("reading bars"); !alive) {
        return alive.error();
    }
    if (const auto brought = check_kind({}, wanted.kind, asked); !brought) {
        return brought.error();
    }
    auto streamed = read_arrow_stream(stream);
    if (!streamed) {
        return broken_answer(
            asked, fmt::format("is an Arrow stream that cannot be read: {}", std::move(streamed).error().message));
    }
    if (const auto alive = token.check("reading bars"); !alive) {
        return alive.error();
    }
    std::string partial = stream_doubts(*streamed);
    Bars& bars = streamed->given.bars;
    return are_plain(bars) ? answer_of(std::move(bars), std::move(partial), wanted, asked)
                           : answer_of(rows_of(bars), std::move(partial), wanted, asked);
}

}  // namespace ktrdr
