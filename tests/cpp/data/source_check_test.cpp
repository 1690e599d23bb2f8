#include <ktrdr/data/source_check.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "times.hpp"

namespace ktrdr {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

class CheckedAnswer : public testing::Test {
protected:
    /// Three days of the segment.
    static Bars days() {
        Bars bars;
        for (const char* const day : {"2024-01-02", "2024-01-03", "2024-01-04"}) {
            bars.push_back(at(day).time_since_epoch().count(), 1, 3, 0.5, 2, 100);
        }
        return bars;
    }
    Result<SourceAnswer> check(SourceAnswer answer) const { return checked_answer(std::move(answer), wanted_); }
    void expect_refused(SourceAnswer answer, std::string_view said) const {
        const auto checked = check(std::move(answer));
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.error().code, Errc::protocol);
        EXPECT_NE(checked.error().message.find(said), std::string::npos) << checked.error().message;
        EXPECT_EQ(checked.error().message.find("Mine.fetch(AAPL): "), 0U) << checked.error().message;
    }

    const AnswerWanted wanted_{.grid = BarGrid(Timeframe::parse("1d").value()),
                               .segment = range("2024-01-02", "2024-01-05"),
                               .now = at("2024-01-05"),
                               .asked = "Mine.fetch(AAPL)"};
};

TEST_F(CheckedAnswer, IsWhatCameWhereNothingIsWrong) {
    SourceAnswer answer(days());
    answer.partial = "more may come";
    answer.dropped = {{at("2024-01-04"), "is smudged"}};
    const auto checked = check(answer);
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_EQ(checked->bars, answer.bars);
    EXPECT_EQ(checked->partial, answer.partial);
    EXPECT_EQ(checked->dropped, answer.dropped);
    EXPECT_TRUE(check({})->bars.empty());
}

TEST_F(CheckedAnswer, RefusesBarsOutOfOrderOrThereTwice) {
    Bars bars = days();
    std::swap(bars.time[0], bars.time[1]);
    expect_refused(bars, "row 1");
    bars = days();
    bars.time[1] = bars.time[0];
    expect_refused(bars, "row 1");
}

TEST_F(CheckedAnswer, RefusesWhatLiesOutsideOfTheSegmentAtEitherEnd) {
    Bars bars = days();
    bars.time[0] -= 1;
    expect_refused(bars, "2024-01-01T23:59:59.999");
    bars = days();
    bars.time[2] = wanted_.segment.end.time_since_epoch().count();
    expect_refused(bars, "2024-01-05T00:00:00.000Z is outside");
    SourceAnswer answer(days());
    answer.dropped = {{at("2024-01-05"), "is smudged"}};
    expect_refused(answer, "a dropped row stamped 2024-01-05");
}

TEST_F(CheckedAnswer, RefusesABarThatIsNotClosed) {
    AnswerWanted early = wanted_;
    early.now = at("2024-01-04T23:59:59");
    EXPECT_EQ(checked_answer(days(), early).error().code, Errc::protocol);
    early.now = at("2024-01-05");
    EXPECT_TRUE(checked_answer(days(), early));
}

TEST_F(CheckedAnswer, DropsRowsWithoutAPriceAndNamesTheColumn) {
    const double infinite = std::numeric_limits<double>::infinity();
    for (const double none : {nan, infinite, -infinite}) {
        for (const auto& [name, column] : {std::pair{"open", &Bars::open}, std::pair{"high", &Bars::high},
                                           std::pair{"low", &Bars::low}, std::pair{"close", &Bars::close}}) {
            Bars bars = days();
            (bars.*column)[1] = none;
            const auto checked = check(bars);
            ASSERT_TRUE(checked);
            EXPECT_EQ(checked->bars.size(), 2U);
            ASSERT_EQ(checked->dropped.size(), 1U);
            EXPECT_EQ(checked->dropped.front().start, at("2024-01-03"));
            EXPECT_NE(checked->dropped.front().why.find(name), std::string::npos);
        }
    }
}

TEST_F(CheckedAnswer, TakesAVolumeThatIsNoNumberForNoneAndRefusesOneBelowZero) {
    Bars bars = days();
    bars.volume = {nan, -1, 0};
    EXPECT_EQ(check(bars)->bars.volume, (std::vector<double>{-1, -1, 0}));
    EXPECT_EQ(check(bars)->mended, "");
    bars.volume[1] = std::numeric_limits<double>::infinity();
    EXPECT_EQ(check(bars)->bars.volume, (std::vector<double>{-1, -1, 0}));
    EXPECT_EQ(check(bars)->mended, "1 volume is no number and counts as not given (-1)");
    bars.volume[0] = -2;
    expect_refused(bars, "volume -2");
}

TEST(CheckProvider, TakesPrintableNames) {
    for (const std::string_view good : {"IB", "yfinance", "my vendor", "börse"}) {
        EXPECT_TRUE(check_provider(good)) << good;
    }
    for (const std::string& bad : {std::string(), std::string(65, 'x'), std::string("a\nb"), std::string("\x7f")}) {
        EXPECT_EQ(check_provider(bad).error().code, Errc::invalid_argument) << bad;
    }
}

TEST(ClosedPart, LeavesOutTheLastBarsThatAreNotClosed) {
    Bars bars;
    bars.push_back(at("2024-01-02").time_since_epoch().count(), 1, 1, 1, 1, 1);
    bars.push_back(at("2024-01-03").time_since_epoch().count(), 1, 1, 1, 1, 1);
    const BarGrid grid(Timeframe::parse("1d").value());
    EXPECT_EQ(closed_part(bars, grid, at("2024-01-04")).size(), 2U);
    EXPECT_EQ(closed_part(bars, grid, at("2024-01-03T12:00")).size(), 1U);
    EXPECT_TRUE(closed_part(bars, grid, at("2024-01-02T12:00")).empty());
}

}  // namespace
}  // namespace ktrdr
