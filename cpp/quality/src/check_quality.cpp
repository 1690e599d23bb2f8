#include <ktrdr/quality/check_quality.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/market/time_text.hpp>
#include <ktrdr/quality/clock.hpp>

#include "row_order.hpp"
#include "rules.hpp"

namespace ktrdr {
namespace {

Result<void> check_options(const QualityOptions& options) {
    const auto refuse = [](std::string_view field, auto value, std::string_view rule) {
        return fail(Errc::invalid_argument, fmt::format("{} is {}: it must be {}", field, value, rule),
                    {{"field", field}});
    };
    if (!(options.jump >= 1)) {
        return refuse("jump", options.jump, "at least 1 times the usual move");
    }
    if (!(options.least_jump >= 0)) {
        return refuse("least_jump", options.least_jump, "0 or more, a share of the price");
    }
    if (options.equal_bars < 2 || options.still_bars < 2) {
        const bool equal = options.equal_bars < 2;
        return refuse(equal ? "equal_bars" : "still_bars", equal ? options.equal_bars : options.still_bars,
                      "at least 2 bars");
    }
    if (options.stale_bars < 1 || options.most_of_a_rule < 1) {
        return refuse(options.stale_bars < 1 ? "stale_bars" : "most_of_a_rule", 0, "at least 1");
    }
    return {};
}

/// The bars in order, one of a stamp, for rules that need them so; and where each stands in what was given.
struct InOrder {
    const Bars& bars;
    std::vector<std::size_t> rows{};
    Bars copy{};

    explicit InOrder(const Bars& given) : bars(given.check() ? given : copy) {
        if (&bars == &given) {
            return;
        }
        for (const std::size_t row : rows_by_time(given)) {
            if (copy.empty() || copy.time.back() != given.time[row]) {
                copy.push_back(given.time[row], given.open[row], given.high[row], given.low[row], given.close[row],
                               given.volume[row]);
                rows.push_back(row);
            }
        }
    }

    [[nodiscard]] std::size_t row_of(std::size_t index) const {
        return rows.empty() || index >= rows.size() ? index : rows[index];
    }
};

void add_missing(const InOrder& ordered, const BarGrid& grid, const GapReport& gaps, FindingList& found) {
    for (const Gap& gap : gaps.gaps) {
        const bool nobody_knows = gap.kind == GapClass::unknown && !grid.calendar();
        if (gap.bars == 0 || gap.kind == GapClass::no_trade || nobody_knows) {
            continue;
        }
        const Severity severity = gap.kind == GapClass::provider_empty ? Severity::note : Severity::warning;
        found.add({QualityRule::missing,
                   severity,
                   ordered.row_of(gap.index),
                   gap.bars,
                   gap.range.start,
                   std::nullopt,
                   static_cast<double>(gap.bars),
                   {}},
                  [&gap] {
                      return fmt::format("{} {} missing to {} ({}): {}", gap.bars, gap.bars == 1 ? "bar" : "bars",
                                         format_time(gap.range.end), to_string(gap.kind), gap.evidence);
                  });
    }
}

/// Bars that have closed since the newest.
void check_stale(const Bars& bars, const BarGrid& grid, const QualityOptions& options, FindingList& found) {
    if (!options.now || bars.empty()) {
        return;
    }
    const std::size_t newest = bars.size() - 1;
    const TimeRange since{grid.next(bars.start_of(newest)), grid.closed_end(*options.now)};
    const auto gaps = since.empty() ? Result<GapReport>(GapReport{})
                                    : find_gaps({}, grid, since, {}, {.closed = false, .poll = options.poll});
    const std::size_t closed = gaps ? gaps->absent(GapClass::unknown) : 0;
    if (closed >= options.stale_bars) {
        found.add({QualityRule::stale,
                   grid.calendar() ? Severity::warning : Severity::note,
                   newest,
                   closed,
                   bars.start_of(newest),
                   std::nullopt,
                   static_cast<double>(closed),
                   {}},
                  [&] {
                      return fmt::format("{} bars have closed since{}", closed,
                                         grid.calendar() ? "" : ", were the market never closed");
                  });
    }
}

void check_clock(const Bars& bars, const BarGrid& grid, const QualityPoll& poll, FindingList& found) {
    if (!grid.calendar() || bars.empty()) {
        return;
    }
    const auto report = diagnose_clock(bars, grid, poll);
    if (report && report->change) {
        const auto& change = *report->change;
        const double amount = change.conversions != 0 ? change.conversions : static_cast<double>(change.shift.count());
        found.add({QualityRule::clock, Severity::error, 0, bars.size(), bars.start_of(0), BarColumn::time, amount, {}},
                  [&report] { return report->evidence; });
    }
}

Result<QualityReport> check_all(const Bars& bars, const BarGrid& grid, const QualityOptions& options) {
    QualityReport report;
    report.bars = bars.size();
    FindingList found(bars, options.most_of_a_rule);
    const RowPoll wanted(options.poll);
    check_order(bars, wanted, found);
    check_numbers(bars, options, found);
    check_places(bars, grid, wanted, found);
    check_equal_bars(bars, options, found);

    const InOrder ordered(bars);
    wanted.ask();
    report.range = range_of_bars(ordered.bars, grid);
    auto gaps =
        find_gaps(ordered.bars, grid, options.range.value_or(report.range), options.evidence, {.poll = options.poll});
    if (!gaps) {
        return gaps.error();
    }
    report.gaps = std::move(*gaps);
    add_missing(ordered, grid, report.gaps, found);
    check_jumps(bars, grid, options, found);
    check_stale(ordered.bars, grid, options, found);
    check_clock(ordered.bars, grid, options.poll, found);
    check_revisions(ordered.bars, ordered.rows, options.revisions, found);
    wanted.ask();
    if (options.longer) {
        if (auto checked = check_longer(ordered.bars, ordered.rows, grid, *options.longer, report.gaps, wanted, found);
            !checked) {
            return checked.error();
        }
    }
    found.move_to(report);
    return report;
}

}  // namespace

Result<QualityReport> check_quality(const Bars& bars, const BarGrid& grid, const QualityOptions& options) {
    if (auto checked = bars.check_lengths(); !checked) {
        return checked.error();
    }
    if (auto checked = check_options(options); !checked) {
        return checked.error();
    }
    return until_unwanted([&] { return check_all(bars, grid, options); });
}

}  // namespace ktrdr
