#include <ktrdr/training/training_data.hpp>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "fakes.hpp"

namespace ktrdr {
namespace {

using std::chrono::hours;

/// Bars by timeframe, of whichever symbol.
class ByTimeframe final : public BarProvider {
public:
    std::map<std::string, Bars, std::less<>> series{};

    Result<BarsPtr> bars(const std::string&, const Timeframe& timeframe, TimeRange, const CancellationToken&) override {
        return std::make_shared<const Bars>(series.find(timeframe.name())->second);
    }
};

/// A random walk's bars, each `step` after the other.
Bars walk_from(UtcTime first, hours step, std::size_t count, unsigned seed) {
    Bars bars = test::walk(count, seed);
    for (std::size_t i = 0; i < count; ++i) {
        bars.time[i] = (first + static_cast<std::int64_t>(i) * step).time_since_epoch().count();
    }
    return bars;
}

TrainingOperationContext hours_and_days() {
    boost::json::object strategy = test::strategy_json();
    boost::json::object& data = strategy["training_data"].as_object();
    data["symbols"] = {{"mode", "single"}, {"list", {"AAPL"}}};
    data["timeframes"] = {{"mode", "multi"}, {"list", {"1h", "1d"}}, {"base_timeframe", "1h"}};
    TrainingRequest request;
    request.strategy = std::move(strategy);
    return build_training_context(request).value();
}

constexpr std::size_t hour_count = 24 * 60;

LabeledMatrix test_rows(BarProvider& bars) {
    const auto data = prepare_training_data(hours_and_days(), bars, {}, [](std::size_t, std::size_t) {});
    EXPECT_TRUE(data) << data.error().message;
    return (*data)->rows.test;
}

class TrainingOnDaysThatBeginAt : public testing::TestWithParam<int> {};

TEST_P(TrainingOnDaysThatBeginAt, ShowsNoRowADayThatIsNotOver) {
    const UtcTime first{std::chrono::sys_days{std::chrono::year{2024} / 2 / 1}};
    const UtcTime first_day = first + hours{GetParam()};
    ByTimeframe bars;
    bars.series["1h"] = walk_from(first, hours{1}, hour_count, 1);
    bars.series["1d"] = walk_from(first_day, hours{24}, 59, 2);
    const LabeledMatrix rows = test_rows(bars);
    // The last rows of all are those of the last hours whose label is decided.
    const std::size_t first_bar = hour_count - hours_and_days().strategy.labels.lookahead - rows.rows;
    for (std::size_t day = 51; day < 57; ++day) {
        ByTimeframe otherwise = bars;
        Bars& days = otherwise.series["1d"];
        // What the day and all after it will close with.
        for (std::size_t i = day; i < days.size(); ++i) {
            days.close[i] *= i % 2 == 0 ? 0.5 : 2;
        }
        const LabeledMatrix seen = test_rows(otherwise);
        const UtcTime over = first_day + static_cast<std::int64_t>(day + 1) * hours{24};
        const auto changed = std::mismatch(rows.values.begin(), rows.values.end(), seen.values.begin()).first;
        const auto row = static_cast<std::size_t>(changed - rows.values.begin()) / rows.columns;
        EXPECT_EQ(first + static_cast<std::int64_t>(first_bar + row + 1) * hours{1}, over)
            << "day " << day << " is first seen by the hour that ends with it";
    }
}

INSTANTIATE_TEST_SUITE_P(EachHour, TrainingOnDaysThatBeginAt, testing::Range(0, 24));

}  // namespace
}  // namespace ktrdr
