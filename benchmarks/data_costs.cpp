// What it costs to plan the requests of a load, and to store what one of them brought.
//
//   data_costs ROUNDS FOLDER    prints a line for each: a name, a tab, the best milliseconds, a tab, the median; of
//   plans
//                               CPU time, of commits, which wait for the disk, wall time

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/calendar/session_calendar.hpp>
#include <ktrdr/data/planner.hpp>
#include <ktrdr/data/request_planner.hpp>
#include <ktrdr/market/time_text.hpp>

#include "cpu_seconds.hpp"

namespace {

using namespace ktrdr;

UtcTime at(const char* text) {
    return parse_time("time", text).value();
}

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void tell(const char* name, std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    std::printf("%s\t%.6f\t%.6f\n", name, seconds.front() * 1000, seconds[seconds.size() / 2] * 1000);
}

/// From what is known to the last request: what lies between the answers of a ledger, and requests of it.
double plan(const BarGrid& grid, const SeriesFacts& known, const RequestPlanner::ReadBars& read) {
    const TimeRange years{at("2004-01-01"), at("2024-01-01")};
    const double began = cpu_seconds();
    RequestPlanner planner(missing_ranges(years, known, grid, at("2024-06-01")), grid, {}, read);
    std::size_t requests = 0;
    while (!planner.done()) {
        requests += planner.next({std::chrono::days{7}, 2'000}).value().holes.empty() ? 0 : 1;
    }
    const double took = cpu_seconds() - began;
    if (requests < 500) {
        std::exit(EXIT_FAILURE);
    }
    return took;
}

Bars minutes_of(UtcTime start, std::size_t count, double price) {
    Bars bars;
    for (std::size_t i = 0; i < count; ++i) {
        const UtcTime stamp = start + static_cast<int>(i) * std::chrono::minutes{1};
        bars.push_back(stamp.time_since_epoch().count(), price, price + 1, price - 1, price, 100);
    }
    return bars;
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) {
        return EXIT_FAILURE;
    }
    const auto rounds = static_cast<std::size_t>(std::atoi(arguments[1]));
    const BarGrid grid =
        BarGrid::make(Timeframe::parse("1m").value(), SessionCalendar::shipped("XNYS").value(), {.provider = "IB"})
            .value();
    std::vector<double> new_series;
    std::vector<double> with_holes;
    SeriesFacts holes;
    // Every week came, but for its last day.
    for (UtcTime week = at("2004-01-05"); week < at("2024-01-01"); week += std::chrono::days{7}) {
        holes.ledger.push_back({{week, week + std::chrono::days{4}}, AskOutcome::bars, at("2024-05-01")});
    }
    const RequestPlanner::ReadBars some = [](TimeRange range) -> Result<Bars> {
        return minutes_of(
            range.start,
            std::min<std::size_t>(2'000, static_cast<std::size_t>((range.end - range.start) / std::chrono::minutes{1})),
            100);
    };
    for (std::size_t round = 0; round < rounds; ++round) {
        new_series.push_back(plan(grid, {}, [](TimeRange) -> Result<Bars> { return Bars{}; }));
        with_holes.push_back(plan(grid, holes, some));
    }
    tell("plan of a new series", new_series);
    tell("plan of a hole a week", with_holes);

    const auto store = BarStore::open(std::filesystem::path(arguments[2]) / "ktrdr.db").value();
    const SeriesKey key{.provider = "IB", .symbol = "ACME", .timeframe = Timeframe::parse("1m").value()};
    std::vector<double> commits;
    for (std::size_t round = 0; round < 10 * rounds; ++round) {
        const UtcTime start = at("2010-01-01") + static_cast<int>(round) * std::chrono::minutes{2'000};
        const TimeRange range{start, start + std::chrono::minutes{2'000}};
        const Segment segment{.range = range,
                              .bars = minutes_of(start, 2'000, 100),
                              .entries = {{range, AskOutcome::bars, at("2024-05-01")}}};
        const double began = wall_seconds();
        if (!store->commit_segment(key, segment)) {
            return EXIT_FAILURE;
        }
        commits.push_back(wall_seconds() - began);
    }
    tell("commit of 2,000 bars", commits);
    return EXIT_SUCCESS;
}
