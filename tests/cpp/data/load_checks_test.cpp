#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <data/manager_fixture.hpp>

namespace ktrdr {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// What loads make of the bars before they hand them out.
class LoadChecksTest : public ManagerFixture {
protected:
    LoadChecksTest() { source_->contract = {"stock", "NYSE", "USD"}; }

    /// Weekdays of New York only.
    static SourceAnswer sessions(TimeRange range) {
        const BarGrid grid =
            BarGrid::make(Timeframe::parse("1d").value(), SessionCalendar::shipped("XNYS").value(), {.provider = "IB"})
                .value();
        const std::vector<UtcTime> stamps = grid.expected(range).value();
        Bars bars;
        for (const UtcTime stamp : stamps) {
            const double price = 100 + static_cast<double>(bars.size() % 5);
            bars.push_back(stamp.time_since_epoch().count(), price, price + 1, price - 1, price + 0.5,
                           1000 + static_cast<double>(bars.size()));
        }
        return bars;
    }

    std::shared_ptr<Operation> load(LoadRequest request, const std::shared_ptr<BarSource>& source) {
        const auto manager = open(source);
        auto operation = manager->load_data(std::move(request), {}).value();
        finish();
        return operation;
    }
    std::shared_ptr<Operation> load(LoadChecks checks, const std::string& mode = "full") {
        return load({.symbol = "AAPL",
                     .timeframe = "1d",
                     .start_date = "2024-01-02",
                     .end_date = "2024-03-29",
                     .mode = mode,
                     .checks = checks},
                    source_);
    }
    static BarsView bars_of(const std::shared_ptr<Operation>& operation) {
        return std::any_cast<BarsView>(operation->result().value());
    }
    /// The source's answer with one bar changed, from its row on.
    void change(std::size_t row, std::function<void(Bars&, std::size_t)> change) {
        source_->bars = [row, change = std::move(change)](TimeRange range) {
            SourceAnswer answer = sessions(range);
            if (answer.bars.size() > row) {
                change(answer.bars, row);
            }
            return answer;
        };
    }
    /// The source does not have one bar, however often it is asked.
    void lack(UtcTime missing) {
        source_->bars = [missing](TimeRange range) {
            const Bars all = sessions(range).bars;
            Bars rest;
            for (std::size_t i = 0; i < all.size(); ++i) {
                if (all.start_of(i) != missing) {
                    rest.push_back(all.time[i], all.open[i], all.high[i], all.low[i], all.close[i], all.volume[i]);
                }
            }
            return SourceAnswer(std::move(rest));
        };
    }

    std::shared_ptr<FakeSource> source_ = [] {
        auto source = std::make_shared<FakeSource>();
        source->bars = sessions;
        return source;
    }();
    static constexpr LoadChecks validate_{.validate = true};
    static constexpr LoadChecks strict_{.validate = true, .strict = true};
};

TEST_F(LoadChecksTest, SayNothingOfSoundBars) {
    for (const char* const mode : {"full", "local"}) {
        const auto operation = load({.validate = true, .repair = true, .strict = true}, mode);
        ASSERT_EQ(operation->status(), OperationStatus::completed) << operation->result().error().message;
        EXPECT_THAT(operation->record().warnings, IsEmpty());
        EXPECT_EQ(bars_of(operation).size(), 61U);
        EXPECT_EQ(operation->record().progress->step_name, "quality");
    }
}

TEST_F(LoadChecksTest, SumUpWhatToLookAtInOneWarningAndLeaveTheBarsAsTheyAre) {
    change(30, [](Bars& bars, std::size_t row) {
        bars.close[row] = bars.high[row] = 500;
        bars.low[row + 10] = bars.high[row + 10] + 5;
    });
    for (const char* const mode : {"full", "local"}) {
        const auto operation = load(validate_, mode);
        EXPECT_THAT(operation->record().warnings,
                    ElementsAre(AllOf(HasSubstr("AAPL 1d: look at: 2 ohlc (the first at 2024-02-29"), HasSubstr("jump"),
                                      HasSubstr("2024-02-14"), HasSubstr("check_quality names each"))));
        EXPECT_EQ(bars_of(operation).own()->close[30], 500);
    }
    EXPECT_THAT(load(LoadChecks{}, "local")->record().warnings, IsEmpty());
}

TEST_F(LoadChecksTest, FailAStrictLoadOfWhatCannotBeAndKeepItStored) {
    change(30, [](Bars& bars, std::size_t row) { bars.low[row] = bars.high[row] + 5; });
    for (const char* const mode : {"full", "local"}) {
        const auto operation = load(strict_, mode);
        ASSERT_EQ(operation->status(), OperationStatus::failed);
        EXPECT_EQ(operation->result().error().code, Errc::not_enough_data);
        EXPECT_THAT(
            operation->result().error().message,
            AllOf(HasSubstr("a strict load takes only bars that are sound and whole: wrong is: 2 ohlc (the first at "
                            "2024-02-14"),
                  HasSubstr("What came is stored"), Not(HasSubstr("missing"))));
    }
    EXPECT_EQ(bars_of(load(validate_, "local")).size(), 61U);
}

TEST_F(LoadChecksTest, TakeAWarningOfOneForNoErrorInAStrictLoad) {
    change(30, [](Bars& bars, std::size_t row) { bars.close[row] = bars.high[row] = 500; });
    const auto operation = load(strict_);
    EXPECT_EQ(operation->status(), OperationStatus::completed);
    EXPECT_THAT(operation->record().warnings, ElementsAre(HasSubstr("jump")));
}

TEST_F(LoadChecksTest, FailAStrictLoadWhereBarsAreMissing) {
    lack(at("2024-02-14"));
    for (const char* const mode : {"full", "local"}) {
        const auto operation = load(strict_, mode);
        ASSERT_EQ(operation->status(), OperationStatus::failed) << mode;
        EXPECT_THAT(operation->result().error().message,
                    AllOf(HasSubstr("missing is: 2024-02-14: 1 bar missing"), Not(HasSubstr("wrong is"))));
    }
    EXPECT_EQ(load(validate_)->status(), OperationStatus::completed);
}

TEST_F(LoadChecksTest, FailAStrictLoadOfWhatWasNeverAskedForWithoutACalendarToo) {
    source_->contract = {};
    source_->bars = daily_bars;
    const auto asked = [this](std::string start, std::string end, std::string mode, LoadChecks checks) {
        return load({.symbol = "AAPL",
                     .timeframe = "1d",
                     .start_date = std::move(start),
                     .end_date = std::move(end),
                     .mode = std::move(mode),
                     .checks = checks},
                    source_);
    };
    ASSERT_EQ(asked("2024-01-01", "2024-01-31", "full", strict_)->status(), OperationStatus::completed);
    ASSERT_EQ(asked("2024-03-01", "2024-03-31", "full", strict_)->status(), OperationStatus::completed);
    EXPECT_EQ(asked("2024-01-01", "2024-01-31", "local", strict_)->status(), OperationStatus::completed);
    const auto hole = asked("2024-01-01", "2024-03-31", "local", strict_);
    ASSERT_EQ(hole->status(), OperationStatus::failed);
    EXPECT_THAT(hole->result().error().message, HasSubstr("missing is: 2024-02-01 to 2024-03-01"));
    EXPECT_EQ(asked("2024-01-01", "2024-03-31", "local", validate_)->status(), OperationStatus::completed);
    // What a source refuses is missing, what came stays.
    source_->on_fetch = [](TimeRange segment) {
        return segment.end > at("2024-04-10") ? Result<void>(fail(Errc::host_service, "not now")) : Result<void>{};
    };
    source_->limits.max_span = std::chrono::days{10};
    const auto partial = asked("2024-03-01", "2024-04-30", "full", strict_);
    ASSERT_EQ(partial->status(), OperationStatus::failed);
    EXPECT_THAT(partial->result().error().message, HasSubstr("missing is: 2024-04-"));
    EXPECT_GT(bars_of(asked("2024-03-01", "2024-04-30", "local", {})).size(), 31U);
}

TEST_F(LoadChecksTest, TakeWhatASourceIsSilentOfForNoHoleWithoutACalendar) {
    source_->contract = {};
    source_->bars = [](TimeRange range) { return daily_bars(range).slice({UtcTime::min(), at("2024-03-10")}); };
    // It is silent of the rest of March, which the next load is to confirm.
    for (const char* const mode : {"full", "local", "full", "local"}) {
        const auto operation = load(strict_, mode);
        EXPECT_EQ(operation->status(), OperationStatus::completed) << mode;
    }
    EXPECT_EQ(bars_of(load(validate_, "local")).size(), 68U);
}

TEST_F(LoadChecksTest, FailAStrictReadOfNothing) {
    const auto nothing = load(strict_, "local");
    ASSERT_EQ(nothing->status(), OperationStatus::failed);
    EXPECT_THAT(nothing->result().error().message, HasSubstr("nothing is stored"));
    EXPECT_EQ(load(validate_, "local")->status(), OperationStatus::completed);
}

TEST_F(LoadChecksTest, HandOutMendedBarsAndStoreThemAsTheyCame) {
    change(30, [](Bars& bars, std::size_t row) { std::swap(bars.low[row], bars.high[row]); });
    for (const char* const mode : {"full", "local"}) {
        const auto operation = load({.validate = true, .repair = true, .strict = true}, mode);
        ASSERT_EQ(operation->status(), OperationStatus::completed) << operation->result().error().message;
        EXPECT_THAT(operation->record().warnings,
                    ElementsAre(AllOf(HasSubstr("2 values were repaired in what is handed out, and stored as before"),
                                      HasSubstr("row 30"))));
        const BarsPtr bars = bars_of(operation).own();
        EXPECT_LT(bars->low[30], bars->high[30]);
    }
    const BarsPtr stored = bars_of(load(LoadChecks{}, "local")).own();
    EXPECT_GT(stored->low[30], stored->high[30]);
}

TEST_F(LoadChecksTest, AreStoppedByACancel) {
    const auto manager = open(source_);
    ASSERT_EQ(load(LoadChecks{})->status(), OperationStatus::completed);
    auto operation = manager->load_data({.symbol = "AAPL", .timeframe = "1d", .checks = strict_}, {}).value();
    run_until([&] {
        const auto progress = operation->record().progress;
        return (progress && progress->step_name == "quality") || operation->status() != OperationStatus::running;
    });
    operation->request_cancel({});
    finish();
    EXPECT_TRUE(operation->status() == OperationStatus::cancelled || operation->status() == OperationStatus::completed);
}

}  // namespace
}  // namespace ktrdr
