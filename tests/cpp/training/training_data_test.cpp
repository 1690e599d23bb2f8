#include <ktrdr/training/training_data.hpp>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <ktrdr/market/time_text.hpp>

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

TrainingOperationContext tested_from(const std::string& date, int embargo) {
    TrainingRequest request;
    request.strategy = test::strategy_json();
    request.strategy["training"].as_object()["data_split"].as_object()["embargo"] = embargo;
    request.test_from = date;
    return build_training_context(request).value();
}

/// The fakes' bars, with those from `first` on at another price.
void add_otherwise_from(test::FakeBars& bars, UtcTime first) {
    bars.add("AAPL", 400, 1);
    bars.add("MSFT", 300, 2);
    for (auto& [symbol, series] : bars.series) {
        Bars other = *series;
        for (std::size_t bar = 0; bar < other.size(); ++bar) {
            const double ratio = other.start_of(bar) >= first ? 3 : 1;
            for (std::vector<double>* const column : {&other.open, &other.high, &other.low, &other.close}) {
                (*column)[bar] *= ratio;
            }
        }
        series = std::make_shared<const Bars>(std::move(other));
    }
}

bool same_rows(const LabeledMatrix& one, const LabeledMatrix& other) {
    return one.values == other.values && one.labels == other.labels;
}

TEST(TrainingData, TrainsAndValidatesOnWhatLiesBeforeATestThatIsToldWhenToBegin) {
    test::FakeBars bars;
    add_otherwise_from(bars, UtcTime::max());
    const UtcTime test = bars.series["AAPL"]->start_of(250);
    const std::string date = format_time(test).substr(0, 10);
    const auto data = prepared(tested_from(date, 0), bars);
    EXPECT_EQ(data->cuts.test, test);
    for (const SymbolSummary& one : data->symbols) {
        const Bars& own = *bars.series[one.symbol];
        EXPECT_EQ(one.test, rows_between(tested_from(date, 0), own, test, UtcTime::max())) << one.symbol;
    }
    // As 0.6 is to 0.2.
    const auto train = static_cast<double>(data->rows.train.rows);
    EXPECT_NEAR(train / static_cast<double>(data->rows.validation.rows), 3, 0.1);
}

TEST(TrainingData, LetsNothingFromTheTestOnReachARowBeforeIt) {
    test::FakeBars bars;
    add_otherwise_from(bars, UtcTime::max());
    for (const int embargo : {0, 5}) {
        const UtcTime test = bars.series["AAPL"]->start_of(250);
        const TrainingOperationContext context = tested_from(format_time(test).substr(0, 10), embargo);
        const auto data = prepared(context, bars);
        test::FakeBars later;
        add_otherwise_from(later, test);
        const auto blind = prepared(context, later);
        EXPECT_TRUE(same_rows(data->rows.train, blind->rows.train)) << embargo;
        EXPECT_TRUE(same_rows(data->rows.validation, blind->rows.validation)) << embargo;
        EXPECT_FALSE(same_rows(data->rows.test, blind->rows.test));
        // The last label that validates looks at the bar before; with an embargo, at one so many bars older.
        test::FakeBars before;
        add_otherwise_from(before, test - (embargo + 1) * hours{24});
        EXPECT_FALSE(same_rows(data->rows.validation, prepared(context, before)->rows.validation)) << embargo;
        test::FakeBars in_embargo;
        add_otherwise_from(in_embargo, test - embargo * hours{24});
        EXPECT_TRUE(same_rows(data->rows.validation, prepared(context, in_embargo)->rows.validation)) << embargo;
    }
}

TEST(TrainingData, SaysWhatATestThatIsToldWhenToBeginLeavesTooLittleFor) {
    test::FakeBars bars;
    add_otherwise_from(bars, UtcTime::max());
    const std::string early = format_time(bars.series["AAPL"]->start_of(14)).substr(0, 10);
    const auto none = prepare_training_data(tested_from(early, 0), bars, {}, [](std::size_t, std::size_t) {});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::not_enough_data);
    EXPECT_NE(none.error().message.find("every part needs rows"), std::string::npos) << none.error().message;
    EXPECT_NE(none.error().message.find("give a later test_from"), std::string::npos) << none.error().message;
    EXPECT_EQ(none.error().message.find("data_split"), std::string::npos) << none.error().message;
    const std::string late = format_time(bars.series["AAPL"]->start_of(399)).substr(0, 10);
    const auto short_test = prepare_training_data(tested_from(late, 0), bars, {}, [](std::size_t, std::size_t) {});
    ASSERT_FALSE(short_test);
    EXPECT_EQ(short_test.error().code, Errc::not_enough_data);
    EXPECT_EQ(short_test.error().context.at("field"), "test_from");
    EXPECT_NE(short_test.error().message.find("later end_date"), std::string::npos) << short_test.error().message;
}

TEST(TrainingData, KnowsWhenTheRowsToTestOnAre) {
    test::FakeBars bars;
    add_otherwise_from(bars, UtcTime::max());
    const UtcTime test = bars.series["AAPL"]->start_of(250);
    const auto data = prepared(tested_from(format_time(test).substr(0, 10), 0), bars);
    ASSERT_EQ(data->test_starts.size(), data->rows.test.rows);
    ASSERT_EQ(data->test_closes.size(), data->rows.test.rows);
    ASSERT_EQ(data->test_known.size(), data->rows.test.rows);
    for (std::size_t row = 0; row < data->rows.test.rows; ++row) {
        EXPECT_EQ(data->test_closes[row] - data->test_starts[row], hours{24});
        EXPECT_GT(data->test_known[row], data->test_closes[row]);
    }
    EXPECT_EQ(data->test_starts.front(), test);
    // Of the second symbol.
    EXPECT_EQ(data->test_starts[data->symbols[0].test], test);
}

TEST(TrainingData, CountsRowsByHowMuchOfTheirLabelIsTheirOwnWhereThatIsAsked) {
    test::FakeBars bars;
    bars.add("AAPL", 400, 1);
    bars.add("MSFT", 300, 2);
    const auto weighed = context_of({"AAPL", "MSFT"}, [](boost::json::object& strategy) {
        strategy["training"].as_object()["labels"] = {
            {"source", "triple_barrier"}, {"threshold", 0.02}, {"label_lookahead", 8}, {"weights", "uniqueness"}};
    });
    const auto data = prepared(weighed, bars);
    const LabeledMatrix& train = data->rows.train;
    ASSERT_EQ(train.weights.size(), train.rows);
    EXPECT_TRUE(data->rows.validation.weights.empty());
    EXPECT_TRUE(data->rows.test.weights.empty());
    // The rows of a symbol follow those of the one before, each from the end of the warm-up on.
    const std::size_t warm_up = warm_up_bars(weighed.strategy.features);
    std::size_t row = 0;
    for (const SymbolSummary& one : data->symbols) {
        const Labels labels =
            make_labels(*bars.series[one.symbol], BarGrid(weighed.base_timeframe()), weighed.strategy.labels).value();
        for (std::size_t at = 0, bar = warm_up; at < one.train; ++bar) {
            if (labels.reasons[bar] == DropReason::none && labels.ends[bar] <= data->cuts.validation) {
                ASSERT_EQ(train.weights[row++], static_cast<float>(labels.weights[bar])) << one.symbol << " " << bar;
                ++at;
            }
        }
    }
    EXPECT_NE(*std::ranges::min_element(train.weights), *std::ranges::max_element(train.weights));
    EXPECT_TRUE(prepared(context_of({"AAPL", "MSFT"}), bars)->rows.train.weights.empty());
}

TEST(TrainingData, TakesDatesForTheSessionsOfEachSeries) {
    test::FakeBars bars;
    bars.series["EURUSD"] = std::make_shared<const Bars>(
        walk_from(UtcTime{std::chrono::sys_days{std::chrono::year{2024} / 1 / 7}}, hours{1}, 24 * 60, 4));
    bars.calendar = SessionCalendar::shipped("FOREX").value();
    bars.grid_options = {.provider = "other", .asset_class = "forex"};
    TrainingRequest request;
    request.strategy = test::strategy_json();
    request.symbols = {"EURUSD"};
    request.timeframes = {"1h"};
    request.start_date = "2024-01-09";
    request.end_date = "2024-02-15";
    const auto data = prepared(build_training_context(request).value(), bars);
    // At 17:00 in New York the day before, and the same at the end.
    EXPECT_EQ(format_time(data->symbols[0].first), "2024-01-08T22:00:00.000Z");
    EXPECT_EQ(format_time(data->symbols[0].last), "2024-02-15T21:00:00.000Z");
    bars.calendar = nullptr;
    const auto days = prepared(build_training_context(request).value(), bars);
    EXPECT_EQ(format_time(days->symbols[0].first), "2024-01-09T00:00:00.000Z");
    EXPECT_EQ(format_time(days->symbols[0].last), "2024-02-15T23:00:00.000Z");
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

/// Daily bars of a walk, until it is asked for what it fails at.
class FailingBars final : public BarProvider {
public:
    enum class At { grid, bars, basis, breaks, holes };
    explicit FailingBars(At at) : at_(at) {}

    Result<BarGrid> grid(const std::string&, const Timeframe& timeframe) override {
        return at_ == At::grid ? Result<BarGrid>(failure()) : Result<BarGrid>(BarGrid(timeframe));
    }
    Result<BarsPtr> bars(const std::string&, const Timeframe&, TimeRange, const CancellationToken&) override {
        return at_ == At::bars ? Result<BarsPtr>(failure()) : std::make_shared<const Bars>(test::walk(400, 1));
    }
    Result<SeriesBasis> basis(const std::string& symbol, const Timeframe& timeframe) override {
        return at_ == At::basis ? Result<SeriesBasis>(failure()) : BarProvider::basis(symbol, timeframe);
    }
    Result<std::vector<BarBreak>> breaks(const std::string&, const Timeframe&, TimeRange) override {
        return at_ == At::breaks ? Result<std::vector<BarBreak>>(failure()) : std::vector<BarBreak>{};
    }
    Result<std::vector<Hole>> holes(const std::string&, const Timeframe&, const Bars&,
                                    std::optional<UtcTime>) override {
        return at_ == At::holes ? Result<std::vector<Hole>>(failure()) : std::vector<Hole>{};
    }
    static Error failure() { return fail(Errc::storage, "the file is broken"); }

private:
    At at_;
};

TEST(TrainingData, IsNotMadeOfWhatItsProviderCannotTell) {
    using At = FailingBars::At;
    for (const At at : {At::grid, At::bars, At::basis, At::breaks, At::holes}) {
        FailingBars bars(at);
        const auto data = prepare_training_data(context_of({"AAPL"}), bars, {}, [](std::size_t, std::size_t) {});
        ASSERT_FALSE(data) << static_cast<int>(at);
        EXPECT_EQ(data.error(), FailingBars::failure()) << static_cast<int>(at);
    }
}

/// The fakes' bars, of which nobody can tell the sessions from the second question on: that for the test's begin.
class ForgetfulBars final : public BarProvider {
public:
    Result<BarGrid> grid(const std::string&, const Timeframe& timeframe) override {
        return ++asked_ > 1 ? Result<BarGrid>(FailingBars::failure()) : Result<BarGrid>(BarGrid(timeframe));
    }
    Result<BarsPtr> bars(const std::string&, const Timeframe&, TimeRange, const CancellationToken&) override {
        return std::make_shared<const Bars>(test::walk(400, 1));
    }

private:
    int asked_{0};
};

TEST(TrainingData, IsNotMadeWhereNobodyKnowsWhenTheTestBegins) {
    const TrainingOperationContext context = context_of({"AAPL"});
    ForgetfulBars bars;
    const auto data = prepare_training_data(context, bars, {}, [](std::size_t, std::size_t) {});
    ASSERT_FALSE(data);
    EXPECT_EQ(data.error(), FailingBars::failure());
    ForgetfulBars judged;
    const auto on_it = prepare_judged_data(context, {}, judged, {}, [](std::size_t, std::size_t) {});
    ASSERT_FALSE(on_it);
    EXPECT_EQ(on_it.error(), FailingBars::failure());
}

TEST(TrainingData, EndsInEachStageOfEachSymbolInWhichItIsCancelled) {
    test::FakeBars bars;
    bars.add("AAPL", 400, 1);
    bars.add("MSFT", 400, 2);
    for (std::size_t symbol = 0; symbol < 2; ++symbol) {
        for (std::size_t stage = 0; stage < preparation_stages.size(); ++stage) {
            ManualClock clock;
            ManualExecutor io;
            ManualTimerQueue timers{clock};
            const CancellationToken token = CancellationToken::create(io, timers, clock);
            std::vector<std::pair<std::size_t, std::size_t>> heard;
            const auto data =
                prepare_training_data(context_of({"AAPL", "MSFT"}), bars, token, [&](std::size_t of, std::size_t now) {
                    heard.emplace_back(of, now);
                    if (of == symbol && now == stage) {
                        token.cancel({});
                    }
                });
            ASSERT_FALSE(data) << symbol << " " << preparation_stages.at(stage);
            EXPECT_EQ(data.error().code, Errc::cancelled);
            EXPECT_EQ(heard.back(), std::pair(symbol, stage)) << "nothing is begun behind it";
        }
    }
}

TEST(TrainingData, SaysWhatSoManyBarsAreNeededFor) {
    const auto refusal = [](const TrainingOperationContext& context, BarProvider& bars) {
        const auto data = prepare_training_data(context, bars, {}, [](std::size_t, std::size_t) {});
        EXPECT_FALSE(data);
        EXPECT_EQ(data.error().code, Errc::not_enough_data);
        return data.error().message;
    };
    const auto says = [](const std::string& message, const std::string& words) {
        EXPECT_NE(message.find(words), std::string::npos) << message;
    };
    test::FakeBars bars;
    bars.add("AAPL", 20);
    bars.add("MSFT", 20);
    says(refusal(context_of({"AAPL"}), bars), "AAPL 1d has 20 bars to train on");
    says(refusal(context_of({"AAPL"}), bars), "3 decide the last label, the rest is split 0.6/0.2/0.2");
    says(refusal(tested_from("2020-01-15", 0), bars), "split 0.6/0.2 before 2020-01-15, where the test begins");
    const auto history = context_of({"AAPL"}, [](boost::json::object& strategy) {
        strategy["training_data"].as_object()["history_required"] = 1000;
    });
    says(refusal(history, bars), "1000 are needed (training_data.history_required of the strategy)");
    const UtcTime first{std::chrono::sys_days{std::chrono::year{2024} / 2 / 1}};
    ByTimeframe several;
    several.series["1h"] = walk_from(first, hours{1}, hour_count, 1);
    several.series["1d"] = walk_from(first, hours{24}, 4, 2);
    says(refusal(hours_and_days(), several), "AAPL 1d has 4 bars to train on");
    says(refusal(hours_and_days(), several), "warm the indicators up)");
    several.series["1d"] = {};
    says(refusal(hours_and_days(), several), "AAPL 1d has 0 bars");
}

Result<std::shared_ptr<const TrainingData>> judged_data(const TrainingOperationContext& context,
                                                        const JudgedModel& model, BarProvider& bars) {
    return prepare_judged_data(context, model, bars, {}, [](std::size_t, std::size_t) {});
}

TEST(JudgedData, AreAllRowsFromTheTestOnOfWhichAModelMayHaveSeenSome) {
    test::FakeBars bars;
    bars.add("AAPL", 400, 1);
    bars.add("MSFT", 300, 2);
    const UtcTime own = bars.series["AAPL"]->start_of(250);
    const std::string early = format_time(bars.series["AAPL"]->start_of(200)).substr(0, 10);
    for (const auto& [context, first, seen] :
         {std::tuple{context_of({"AAPL", "MSFT"}), own, std::size_t{0}},
          std::tuple{tested_from(early, 0), bars.series["AAPL"]->start_of(200), std::size_t{50}}}) {
        const auto data = judged_data(context, {.test_from = own, .prior = 2}, bars).value();
        EXPECT_EQ(data->cuts.test, first);
        EXPECT_EQ(data->rows.train.labels, std::vector<std::int64_t>{2})
            << "its prior stands for what it was trained on";
        EXPECT_EQ(data->rows.train.rows, 0U);
        std::size_t rows = 0;
        for (const SymbolSummary& one : data->symbols) {
            EXPECT_EQ(one.test, rows_between(context, *bars.series[one.symbol], first, UtcTime::max())) << one.symbol;
            EXPECT_EQ(one.seen, seen) << one.symbol;
            rows += one.test;
        }
        EXPECT_EQ(data->rows.test.rows, rows);
        EXPECT_EQ(data->test_starts.size(), rows);
        EXPECT_FALSE(data->scaling);
    }
}

TEST(JudgedData, GoThroughTheScalingOfTheModel) {
    test::FakeBars bars;
    bars.add("AAPL", 400, 1);
    const UtcTime own = bars.series["AAPL"]->start_of(250);
    const TrainingOperationContext context = context_of({"AAPL"});
    const auto plain = judged_data(context, {.test_from = own}, bars).value();
    const std::size_t columns = plain->rows.test.columns;
    const FeatureScaling scaling{std::vector<double>(columns, 1), std::vector<double>(columns, 2)};
    const auto scaled = judged_data(context, {.scaling = &scaling, .test_from = own}, bars).value();
    EXPECT_EQ(scaled->scaling, scaling);
    ASSERT_EQ(scaled->rows.test.values.size(), plain->rows.test.values.size());
    for (std::size_t i = 0; i < columns; ++i) {
        EXPECT_FLOAT_EQ(scaled->rows.test.values[i], (plain->rows.test.values[i] - 1) / 2);
    }
}

TEST(JudgedData, NeedARowThatIsDecided) {
    test::FakeBars bars;
    bars.add("AAPL", 400, 1);
    const TrainingOperationContext context = context_of({"AAPL"});
    const auto none = judged_data(context, {.test_from = bars.series["AAPL"]->start_of(398)}, bars);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::not_enough_data);
    EXPECT_EQ(none.error().context.at("field"), "start_date");
    bars.add("AAPL", 5, 1);
    const auto few = judged_data(context, {.test_from = UtcTime::min()}, bars);
    ASSERT_FALSE(few);
    EXPECT_NE(few.error().message.find("AAPL 1d has 5 bars to judge it on"), std::string::npos) << few.error().message;
    FailingBars broken(FailingBars::At::bars);
    EXPECT_EQ(judged_data(context, {}, broken).error(), FailingBars::failure());
}

}  // namespace
}  // namespace ktrdr
