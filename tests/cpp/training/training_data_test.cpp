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

/// The small strategy with `change` made to it, on these symbols.
template <class Change>
TrainingOperationContext context_of(std::vector<std::string> symbols, Change change) {
    TrainingRequest request;
    request.strategy = test::strategy_json();
    request.symbols = std::move(symbols);
    change(request.strategy);
    return build_training_context(request).value();
}

TrainingOperationContext context_of(std::vector<std::string> symbols) {
    return context_of(std::move(symbols), [](const boost::json::object&) {});
}

std::shared_ptr<const TrainingData> prepared(const TrainingOperationContext& context, BarProvider& bars) {
    auto data = prepare_training_data(context, bars, {}, [](std::size_t, std::size_t) {});
    EXPECT_TRUE(data) << data.error().message;
    return std::move(data).value();
}

/// How many rows of a symbol begin in `[first, next)` with a label known by `next`.
std::size_t rows_between(const TrainingOperationContext& context, const Bars& bars, UtcTime first, UtcTime next) {
    std::size_t rows = 0;
    const std::size_t lookahead = context.strategy.labels.lookahead;
    for (std::size_t bar = warm_up_bars(context.strategy.features); bar + lookahead < bars.size(); ++bar) {
        const bool known = next == UtcTime::max() || bars.start_of(bar + lookahead) + hours{24} <= next;
        rows += bars.start_of(bar) >= first && bars.start_of(bar) < next && known ? 1 : 0;
    }
    return rows;
}

TEST(TrainingData, IsSplitAtOnePairOfTimesForAllSymbols) {
    test::FakeBars bars;
    bars.add("LONG", 1000, 1);
    Bars copy = bars.series["LONG"]->rows(700, 1000);
    for (double& close : copy.close) {
        close *= 1.0003;
    }
    bars.series["LATE"] = std::make_shared<const Bars>(std::move(copy));
    const TrainingOperationContext context = context_of({"LONG", "LATE"});
    const auto data = prepared(context, bars);
    for (const SymbolSummary& one : data->symbols) {
        const Bars& own = *bars.series[one.symbol];
        EXPECT_EQ(one.train, rows_between(context, own, UtcTime::min(), data->cuts.validation)) << one.symbol;
        EXPECT_EQ(one.validation, rows_between(context, own, data->cuts.validation, data->cuts.test)) << one.symbol;
        EXPECT_EQ(one.test, rows_between(context, own, data->cuts.test, UtcTime::max())) << one.symbol;
    }
    // The shares are of all rows together.
    EXPECT_NEAR(static_cast<double>(data->rows.train.rows), 0.6 * 1280, 10);
    EXPECT_NEAR(static_cast<double>(data->rows.test.rows), 0.2 * 1280, 10);
}

TEST(TrainingData, KeepsAnEmbargoBehindTheLastLabelOfAPart) {
    test::FakeBars bars;
    bars.add("AAPL", 400);
    const auto with = [&](int embargo) {
        return prepared(context_of({"AAPL"},
                                   [embargo](boost::json::object& strategy) {
                                       strategy["training"].as_object()["data_split"].as_object()["embargo"] = embargo;
                                   }),
                        bars);
    };
    const auto none = with(0);
    const auto five = with(5);
    EXPECT_EQ(none->symbols[0].dropped[DropReason::purged], 6U);
    EXPECT_EQ(five->symbols[0].dropped[DropReason::purged], 16U);
    EXPECT_EQ(five->rows.train.rows, none->rows.train.rows - 5);
    EXPECT_EQ(five->rows.test.rows, none->rows.test.rows);
    EXPECT_EQ(five->cuts, none->cuts);
}

/// A walk that stops for two years, and for a month before.
Bars with_holes() {
    Bars bars = test::walk(600, 3);
    const auto wait = [&bars](std::size_t from, int days) {
        for (std::size_t bar = from; bar < bars.size(); ++bar) {
            bars.time[bar] += std::chrono::nanoseconds{hours{24 * days}}.count();
        }
    };
    wait(200, 30);
    wait(400, 730);
    return bars;
}

TEST(TrainingData, CountsWhatAHoleCostsAndNamesTheLongest) {
    test::FakeBars bars;
    bars.series["AAPL"] = std::make_shared<const Bars>(with_holes());
    const TrainingOperationContext context = context_of({"AAPL"});
    const auto data = prepared(context, bars);
    const std::size_t warm_up = warm_up_bars(context.strategy.features);
    const std::size_t lookahead = context.strategy.labels.lookahead;
    const DroppedRows& dropped = data->symbols[0].dropped;
    EXPECT_EQ(dropped[DropReason::warm_up], warm_up);
    EXPECT_EQ(dropped[DropReason::hole], 2 * (warm_up + lookahead));
    EXPECT_EQ(dropped[DropReason::undecided], lookahead);
    EXPECT_EQ(data->rows.train.rows + data->rows.validation.rows + data->rows.test.rows + dropped.total(), 600U);
    ASSERT_EQ(data->holes.size(), 2U);
    const std::vector<std::string> warnings = warnings_of(*data);
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_EQ(warnings[0],
              "AAPL 1d: no bars from 2021-03-06T00:00:00.000Z to 2023-03-06T00:00:00.000Z, the longest of 2 holes; "
              "rows whose "
              "window or label would span that are left out: load the range, or train on dates without it");
}

TEST(TrainingData, LosesNoRowToAPriceBelowZeroAndCountsThoseOfZero) {
    Bars walk = test::walk(400, 5);
    for (std::vector<double>* const column : {&walk.open, &walk.high, &walk.low, &walk.close}) {
        for (double& price : *column) {
            price -= 100;
        }
    }
    walk.close[300] = 0;
    test::FakeBars bars;
    bars.series["CL"] = std::make_shared<const Bars>(walk);
    const TrainingOperationContext context = context_of({"CL"});
    const auto data = prepared(context, bars);
    EXPECT_EQ(data->symbols[0].dropped[DropReason::undecided], context.strategy.labels.lookahead + 1);
    EXPECT_EQ(data->symbols[0].dropped[DropReason::nan], 0U);
}

TEST(TrainingData, SaysWhichSymbolHasNoRowsInAPart) {
    test::FakeBars bars;
    bars.add("LONG", 2000, 1);
    bars.series["LATE"] = std::make_shared<const Bars>(bars.series["LONG"]->rows(1900, 2000));
    const auto data = prepared(context_of({"LONG", "LATE"}), bars);
    EXPECT_EQ(data->symbols[1].train, 0U);
    const std::vector<std::string> warnings = warnings_of(*data);
    ASSERT_EQ(warnings.size(), 2U);
    EXPECT_EQ(warnings[0].find("LATE: no row of it is there to train: all symbols are split at "), 0U) << warnings[0];
}

TEST(TrainingData, IsScaledByWhatTheTrainingPartShows) {
    test::FakeBars bars;
    bars.add("AAPL", 500);
    const auto scaled = [&bars](bool by_training) {
        return prepared(context_of({"AAPL"},
                                   [by_training](boost::json::object& strategy) {
                                       strategy["model"].as_object()["features"] = {{"include_price_context", true},
                                                                                    {"scale_features", by_training}};
                                   }),
                        bars);
    };
    const auto plain = scaled(false);
    EXPECT_FALSE(plain->scaling);
    const auto data = scaled(true);
    const std::size_t columns = data->feature_names.size();
    ASSERT_EQ(columns, 3U + price_context_names.size());
    for (std::size_t column = 0; column < columns; ++column) {
        double sum = 0;
        for (std::size_t row = 0; row < data->rows.train.rows; ++row) {
            sum += static_cast<double>(data->rows.train.values[row * columns + column]);
        }
        EXPECT_NEAR(sum / static_cast<double>(data->rows.train.rows), 0, 1e-6) << data->feature_names[column];
        const double raw = static_cast<double>(plain->rows.test.values[column]);
        EXPECT_NEAR(data->rows.test.values[column],
                    (raw - data->scaling->mean[column]) / data->scaling->deviation[column], 1e-6);
    }
    // Whatever happens from the test's first bar on, the scaling stays.
    Bars otherwise = *bars.series["AAPL"];
    for (std::size_t bar = otherwise.row_from(data->cuts.test); bar < otherwise.size(); ++bar) {
        otherwise.close[bar] *= bar % 2 == 0 ? 3 : 0.3;
    }
    bars.series["AAPL"] = std::make_shared<const Bars>(otherwise);
    EXPECT_EQ(scaled(true)->scaling, data->scaling);
}

TEST(TrainingData, OfALongerTimeframeThatEndsEarlierHasNoStaleRows) {
    const UtcTime first{std::chrono::sys_days{std::chrono::year{2024} / 2 / 1}};
    ByTimeframe bars;
    bars.series["1h"] = walk_from(first, hours{1}, hour_count, 1);
    bars.series["1d"] = walk_from(first, hours{24}, 40, 2);
    const auto data = prepared(hours_and_days(), bars);
    ASSERT_EQ(data->holes.size(), 1U);
    EXPECT_EQ(data->holes[0].timeframe.name(), "1d");
    // Day 40 should be known by its last hour.
    EXPECT_EQ(data->symbols[0].dropped[DropReason::hole], hour_count - (41 * 24 - 1));
}

}  // namespace
}  // namespace ktrdr
