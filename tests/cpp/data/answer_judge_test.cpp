// What an answer of a source comes to: under which stamps its bars are stored, and which answers are none.
#include "../../../cpp/data/src/answer_judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "held_calendars.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using StampedAs = StampKind::Kind;

BarGrid grid_of_market(std::string_view timeframe, std::string_view calendar) {
    return BarGrid::make(Timeframe::parse(timeframe).value(), SessionCalendar::shipped(calendar).value(), {}).value();
}

/// A bar a stamp, each of its own price.
Bars bars_stamped(const std::vector<std::string_view>& stamps, double price = 10) {
    Bars bars;
    for (const std::string_view stamp : stamps) {
        bars.push_back(at(stamp).time_since_epoch().count(), price, price + 1, price - 1, price, 100);
        price += 0.5;
    }
    return bars;
}

struct AnswerJudge : testing::Test {
    BarGrid days = grid_of_market("1d", "XNYS");
    AskedSegment asked{range("2024-07-08", "2024-07-13"), {{range("2024-07-08", "2024-07-13"), {}, {}}}, {}};
    UtcTime now = at("2024-08-01");

    Result<Judged> judged(const Bars& bars) { return judge(SourceAnswer(bars), asked, days, now, "VENDOR"); }
    StampedAs kind_of_stamps(const std::vector<std::string_view>& stamps) {
        return stamp_kind(bars_stamped(stamps), asked.asked, days).kind;
    }
    std::vector<UtcTime> stored_of(const Bars& bars) {
        const auto read = judged(bars);
        EXPECT_TRUE(read) << read.error().message;
        std::vector<UtcTime> stamps;
        for (std::size_t i = 0; i < read->segment.bars.size(); ++i) {
            stamps.push_back(read->segment.bars.start_of(i));
        }
        return stamps;
    }
    void expect_none(const Bars& bars, const std::string& words) {
        const auto read = judged(bars);
        ASSERT_FALSE(read) << words;
        EXPECT_EQ(read.error().code, Errc::protocol);
        EXPECT_THAT(read.error().message, HasSubstr("the source VENDOR answered with bars"));
        EXPECT_THAT(read.error().message, HasSubstr(words));
    }
};

TEST_F(AnswerJudge, TakesNoBarsThatCannotBeOrWereNotAskedFor) {
    expect_none(bars_stamped({"2024-07-09", "2024-07-08"}), "that cannot be: row 1");
    expect_none(bars_stamped({"2024-06-10", "2024-06-11"}),
                "from 2024-06-10T00:00:00.000Z on when it was asked for 2024-07-08T00:00:00.000Z to 2024-07-13");
    EXPECT_THAT(stored_of(bars_stamped({"2024-07-05", "2024-07-08", "2024-07-15"})), ElementsAre(at("2024-07-08")));
    EXPECT_THAT(stored_of({}), ElementsAre());
}

TEST_F(AnswerJudge, KnowsHowDaysAreStamped) {
    EXPECT_EQ(kind_of_stamps({"2024-07-08", "2024-07-09"}), StampedAs::by_start);
    EXPECT_EQ(kind_of_stamps({}), StampedAs::by_start);
    EXPECT_EQ(kind_of_stamps({"2024-07-08T13:30", "2024-07-09T13:30"}), StampedAs::inside) << "by the open";
    EXPECT_EQ(kind_of_stamps({"2024-07-08T04:00", "2024-07-09T04:00"}), StampedAs::inside) << "by New York's midnight";
    EXPECT_EQ(kind_of_stamps({"2024-07-08T23:59:59", "2024-07-09T23:59:59"}), StampedAs::by_date);
    EXPECT_EQ(kind_of_stamps({"2024-07-08T22:00", "2024-07-09T22:00"}), StampedAs::unclear)
        << "a midnight of the next date, or a time of this one";
    EXPECT_EQ(kind_of_stamps({"2024-07-07T15:00", "2024-07-08T15:00"}), StampedAs::eastern) << "by Tokyo's midnight";
    EXPECT_EQ(kind_of_stamps({"2024-07-08T03:17", "2024-07-08T05:17"}), StampedAs::by_start)
        << "two of one date are none";
    days = grid_of_market("1d", "CRYPTO");
    EXPECT_EQ(kind_of_stamps({"2024-07-08T05:17", "2024-07-09T05:17"}), StampedAs::inside) << "it is always open";
    days = BarGrid(Timeframe::parse("1d").value());
    EXPECT_EQ(kind_of_stamps({"2024-07-08T05:17", "2024-07-09T05:17"}), StampedAs::by_start) << "no calendar tells";
}

TEST_F(AnswerJudge, PutsDaysUnderTheStampsOfTheirPeriodsAsFarAsTheyHaveClosed) {
    EXPECT_THAT(stored_of(bars_stamped({"2024-07-08T13:30", "2024-07-09T13:30"})),
                ElementsAre(at("2024-07-08"), at("2024-07-09")));
    EXPECT_THAT(stored_of(bars_stamped({"2024-07-08T23:59:59", "2024-07-09T23:59:59"})),
                ElementsAre(at("2024-07-08"), at("2024-07-09")));
    EXPECT_THAT(stored_of(bars_stamped({"2024-07-07T15:00", "2024-07-08T15:00"})),
                ElementsAre(at("2024-07-08"), at("2024-07-09")));
    now = at("2024-07-09T18:00");
    EXPECT_THAT(stored_of(bars_stamped({"2024-07-08T13:30", "2024-07-09T13:30"})), ElementsAre(at("2024-07-08")));
}

TEST_F(AnswerJudge, TellsByStoredBarsWhichOfTwoDatesIsMeant) {
    const Bars came = bars_stamped({"2024-07-08T22:00", "2024-07-09T22:00"});
    expect_none(came, "each may be that of either of two dates, and stored bars tell of neither");
    asked.holes = {{range("2024-07-10", "2024-07-13"), bars_stamped({"2024-07-09"}), {}}};
    EXPECT_THAT(stored_of(came), testing::Contains(at("2024-07-10"))) << "the first is the ninth's";
    asked.holes = {{range("2024-07-09", "2024-07-13"), bars_stamped({"2024-07-08"}), {}}};
    EXPECT_THAT(stored_of(came), testing::Contains(at("2024-07-09"))) << "the first is the eighth's";
    asked.holes = {{range("2024-07-08", "2024-07-09"), {}, bars_stamped({"2024-07-09"}, 10.5)}};
    EXPECT_THAT(stored_of(came), testing::Contains(at("2024-07-08"))) << "the second is the ninth's";
    // Others than were stored, and some that both readings have.
    asked.holes = {{range("2024-07-10", "2024-07-13"), bars_stamped({"2024-07-09"}, 77), {}}};
    expect_none(came, "tell of neither");
    Bars alike = bars_stamped({"2024-07-08T22:00"});
    alike.push_back(at("2024-07-09T22:00").time_since_epoch().count(), 10, 11, 9, 10, 100);
    asked.holes = {{range("2024-07-10", "2024-07-13"), bars_stamped({"2024-07-09"}), {}}};
    expect_none(alike, "tell of neither");
}

TEST_F(AnswerJudge, TakesNoBarsThatAreStampedByTheirEnd) {
    days = grid_of_market("1h", "XNYS");
    asked.asked = range("2024-07-08", "2024-07-09");
    asked.holes = {{asked.asked, {}, {}}};
    const auto expected = days.expected(asked.asked).value();
    Bars late;
    for (const UtcTime stamp : expected) {
        late.push_back(days.end_of(stamp).time_since_epoch().count(), 10, 11, 9, 10, 100);
    }
    EXPECT_EQ(stamp_kind(late, asked.asked, days).kind, StampedAs::by_end);
    expect_none(late, "stamped by their end");
    EXPECT_EQ(stamp_kind(late.rows(late.size() - 1, late.size()), asked.asked, days).kind, StampedAs::by_start)
        << "one at the close alone is an auction's";
}

TEST_F(AnswerJudge, SaysOfWeeksWhichPeriodTheyStandFor) {
    days = grid_of_market("1w", "XNYS");
    asked.asked = range("2024-07-01", "2024-07-29");
    asked.holes = {{asked.asked, {}, {}}};
    const auto weeks = days.expected(asked.asked).value();
    EXPECT_THAT(stored_of(bars_stamped({"2024-07-12", "2024-07-19"})), ElementsAre(at("2024-07-08"), at("2024-07-15")))
        << "by their last day";
    EXPECT_THAT(weeks, testing::Contains(at("2024-07-08")));
    EXPECT_THAT(stored_of(bars_stamped({"2024-07-07T15:00", "2024-07-14T15:00"})),
                ElementsAre(at("2024-07-08"), at("2024-07-15")))
        << "by Tokyo's midnight";
}

}  // namespace
}  // namespace ktrdr
