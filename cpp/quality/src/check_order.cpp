// Rows that are out of order, and stamps that are there twice.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include <ktrdr/market/time_text.hpp>

#include "row_order.hpp"
#include "rules.hpp"

namespace ktrdr {
namespace {

void mark_duplicate(const Bars& bars, std::size_t row, std::size_t like, FindingList& found) {
    const bool same = same_to_the_bit(bars, row, like);
    found.mark(QualityRule::duplicate, same ? Severity::warning : Severity::error, row, std::nullopt,
               static_cast<double>(like), [&] {
                   return same ? fmt::format("the same bar as row {}", like)
                               : fmt::format("the stamp of row {}, but other numbers: close {} there, {} here", like,
                                             bars.close[like], bars.close[row]);
               });
}

}  // namespace

bool same_to_the_bit(const Bars& bars, std::size_t one, std::size_t other) {
    const auto same = [one, other](const auto& column) {
        return std::memcmp(&column[one], &column[other], sizeof column[one]) == 0;
    };
    return same(bars.time) && same(bars.open) && same(bars.high) && same(bars.low) && same(bars.close) &&
           same(bars.volume);
}

std::vector<std::size_t> rows_by_time(const Bars& bars) {
    std::vector<std::size_t> rows(bars.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    std::stable_sort(rows.begin(), rows.end(),
                     [&bars](std::size_t a, std::size_t b) { return bars.time[a] < bars.time[b]; });
    return rows;
}

void check_order(const Bars& bars, const RowPoll& wanted, FindingList& found) {
    bool in_order = true;
    bool twice = false;
    std::int64_t newest = bars.empty() ? 0 : bars.time[0];
    for (std::size_t i = 1; i < bars.size(); ++i) {
        wanted.at(i);
        twice = twice || bars.time[i] == newest;
        if (bars.time[i] < newest) {
            in_order = false;
            found.mark(QualityRule::order, Severity::error, i, BarColumn::time, static_cast<double>(bars.time[i]), [&] {
                return fmt::format("{} stands behind {}", format_time(bars.start_of(i)),
                                   format_time(UtcTime{std::chrono::nanoseconds{newest}}));
            });
        }
        newest = std::max(newest, bars.time[i]);
    }
    if (in_order && !twice) {
        return;
    }
    const auto rows = rows_by_time(bars);
    std::size_t first = 0;
    for (std::size_t i = 1; i < rows.size(); ++i) {
        wanted.at(i);
        if (bars.time[rows[i]] != bars.time[rows[first]]) {
            first = i;
        } else {
            mark_duplicate(bars, rows[i], rows[first], found);
        }
    }
}

}  // namespace ktrdr
