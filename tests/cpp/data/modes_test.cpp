// What each mode asks for, what a calendar spares, and how a history that was re-based is told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <data/loading_fixture.hpp>
#include <ktrdr/calendar/session_calendar.hpp>

namespace ktrdr {
namespace {

using std::chrono::days;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A stock in New York; its provider has a bar for every session.
class ModesTest : public LoadingTest {
protected:
    void SetUp() override {
        source_->contract = {"stock", "NASDAQ", "USD"};
        source_->bars = [this](TimeRange segment) { return truth(segment); };
    }

    /// Whole cents, so that a split of them is whole cents, too.
    [[nodiscard]] Bars truth(TimeRange within, double factor = 1) const {
        Bars bars;
        const auto stamps = grid_.expected(within).value();
        for (const UtcTime stamp : stamps) {
            if (!grid_.is_closed(stamp, clock_.utc_now())) {
                break;
            }
            const double price = factor * (400 + 4 * static_cast<double>((stamp.time_since_epoch() / days{1}) % 7));
            bars.push_back(stamp.time_since_epoch().count(), price, price + factor * 4, price - factor * 4, price,
                           1000);
        }
        return bars;
    }

    [[nodiscard]] std::vector<std::string> warnings() const { return operation_->record().warnings; }

    const BarGrid grid_ =
        BarGrid::make(key_.timeframe, SessionCalendar::shipped("XNYS").value(), {.provider = "IB"}).value();
    const TimeRange open_{UtcTime::min(), at("2024-06-02T15:31")};
};

TEST_F(ModesTest, AsksForNothingWhereTheCalendarHasNothing) {
    // From a holiday on, over weekends, to a Sunday.
    const TimeRange asked = range("2023-01-01", "2024-01-01");
    const auto first = load(asked);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_THAT(source_->fetched, ElementsAre(asked));
    EXPECT_THAT(warnings(), IsEmpty());
    ASSERT_TRUE(load(asked));
    ASSERT_TRUE(load(range("2023-12-30", "2024-01-01")).error().code == Errc::no_data);
    ASSERT_TRUE(load(range("2022-12-31", "2023-06-01")));
    EXPECT_EQ(source_->fetched.size(), 1U);
    EXPECT_EQ(store_->facts(key_)->contract, source_->contract);
}

TEST_F(ModesTest, SaysWhichBarsShouldExistAndDidNotCome) {
    source_->bars = [this](TimeRange segment) {
        const Bars all = truth(segment);
        return merge(all.slice({segment.start, at("2023-03-01")}), all.slice({at("2023-03-03"), segment.end}));
    };
    ASSERT_TRUE(load(range("2023-01-01", "2024-01-01")));
    EXPECT_THAT(warnings(), ElementsAre(AllOf(HasSubstr("2023-03-01"), HasSubstr("should exist"), HasSubstr("again"))));
    source_->bars = [this](TimeRange segment) { return truth(segment); };
    EXPECT_EQ(**load(range("2023-01-01", "2024-01-01")), truth(range("2023-01-01", "2024-01-01")));
    EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(ModesTest, ChangesNoBarThatCameBesideWhatWasMissing) {
    ASSERT_TRUE(load(range("2023-03-06", "2023-03-08")));
    // The request takes stored bars with it, and what lies between them and what is missing.
    ASSERT_TRUE(load(range("2023-03-20", "2023-03-24")));
    const TimeRange both = range("2023-03-06", "2023-03-24");
    const Bars before = stored();
    ASSERT_EQ(before, truth(both));
    source_->bars = [this](TimeRange segment) { return truth(segment, 0.25); };
    ASSERT_TRUE(load(range("2023-03-01", "2023-03-31")));
    EXPECT_EQ(stored().slice(both), before);
    EXPECT_EQ(stored().slice(range("2023-03-01", "2023-03-06")), truth(range("2023-03-01", "2023-03-06"), 0.25));
    EXPECT_EQ(store_->changes(key_).value().size(), 0U);
}

TEST_F(ModesTest, ExpectsNothingBeforeTheFirstBar) {
    source_->first = at("2023-05-10T13:30");
    source_->bars = [this](TimeRange segment) { return truth(segment).slice({at("2023-05-10"), UtcTime::max()}); };
    ASSERT_TRUE(load(range("2020-01-01", "2024-01-01")));
    EXPECT_THAT(warnings(), IsEmpty());
    EXPECT_EQ(stored(), truth(range("2023-05-10", "2024-01-01")));
}

TEST_F(ModesTest, DoesWithoutACalendarThatDoesNotFit) {
    // Bars of all days: whatever the contract says, its hours are others.
    source_->bars = daily_bars;
    const TimeRange asked = range("2023-01-01", "2024-01-01");
    EXPECT_EQ(**load(asked), daily_bars(asked));
    EXPECT_THAT(warnings(), ElementsAre(AllOf(HasSubstr("calendar"), HasSubstr("2023-01-01"))));
    EXPECT_EQ(source_->fetched.size(), 1U);
}

TEST_F(ModesTest, TailGoesOnFromTheNewestBar) {
    ASSERT_TRUE(load(range("2024-01-01", "2024-05-01")));
    source_->fetched.clear();
    const auto bars = load(open_, LoadMode::tail);
    ASSERT_TRUE(bars) << bars.error().message;
    EXPECT_EQ(**bars, truth(range("2024-01-01", "2024-06-02"))) << "what is stored is in the result";
    EXPECT_THAT(source_->fetched, ElementsAre(range("2024-04-26", "2024-06-02T15:31")));
    source_->fetched.clear();
    ASSERT_TRUE(load(open_, LoadMode::tail));
    EXPECT_THAT(source_->fetched, IsEmpty());
}

TEST_F(ModesTest, TailOfAnEmptySeriesIsThirtyDays) {
    ASSERT_TRUE(load(open_, LoadMode::tail));
    EXPECT_EQ(stored(), truth({clock_.utc_now() - days{30}, open_.end}));
    EXPECT_EQ(source_->fetched.size(), 1U);
    key_.symbol = "MSFT";
    const TimeRange since = {at("2024-02-01"), open_.end};
    ASSERT_TRUE(load(since, LoadMode::tail, "MSFT"));
    EXPECT_EQ(stored(), truth(since)) << "but for one who says from when";
}

TEST_F(ModesTest, BackfillGoesBackFromTheNewestBarAndFillsHoles) {
    ASSERT_TRUE(load(range("2023-05-01", "2023-06-01")));
    ASSERT_TRUE(load(range("2023-08-01", "2023-09-01")));
    source_->first = at("2023-03-01T14:30");
    source_->bars = [this](TimeRange segment) { return truth(segment).slice({at("2023-03-01"), UtcTime::max()}); };
    clock_.advance(days{40});
    ASSERT_TRUE(load(range("2023-04-03", "2024-06-02"), LoadMode::backfill));
    EXPECT_EQ(stored(), truth(range("2023-04-03", "2023-09-01"))) << "from the date given, and nothing newer";
    ASSERT_TRUE(load(open_, LoadMode::backfill));
    EXPECT_EQ(stored(), truth(range("2023-03-01", "2023-09-01"))) << "from the first bar that there is";
    ASSERT_TRUE(load(open_, LoadMode::full));
    EXPECT_EQ(stored(), truth(range("2023-03-01", "2024-06-02")));
}

TEST_F(ModesTest, WithoutADateNeedsASourceThatSaysWhereBarsBegin) {
    for (const LoadMode mode : {LoadMode::full, LoadMode::backfill}) {
        const auto bars = load(open_, mode);
        ASSERT_FALSE(bars);
        EXPECT_EQ(bars.error().code, Errc::invalid_argument);
        EXPECT_THAT(bars.error().message, HasSubstr("give start_date"));
    }
    EXPECT_THAT(source_->fetched, IsEmpty());
}

TEST_F(ModesTest, TellsWhereAHistoryWasRebasedAndHealsItByARefresh) {
    const TimeRange august = range("2020-08-03", "2020-08-31");
    const TimeRange both = range("2020-08-03", "2020-10-01");
    ASSERT_TRUE(load(august));
    source_->bars = [this](TimeRange segment) { return truth(segment, 0.25); };
    ASSERT_TRUE(load(both));
    EXPECT_THAT(warnings(), ElementsAre(AllOf(HasSubstr("2020-08-31"), HasSubstr("0.25"), HasSubstr("refresh"))));
    EXPECT_EQ(stored().slice(august), truth(august)) << "nothing stored is changed";
    ASSERT_EQ(store_->facts(key_)->breaks.size(), 1U);
    EXPECT_NEAR(store_->facts(key_)->breaks[0].ratio, 0.25, 1e-9);

    ASSERT_TRUE(load(both));
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr("re-based"))) << "as long as it is so";
    ASSERT_TRUE(load(both, LoadMode::full, "AAPL", true));
    EXPECT_EQ(stored(), truth(both, 0.25));
    EXPECT_THAT(warnings(), IsEmpty());
    EXPECT_THAT(store_->facts(key_)->breaks, IsEmpty());

    // Who takes the refresh back has the break again.
    ASSERT_TRUE(store_->undo(key_));
    EXPECT_EQ(stored().slice(august), truth(august));
    ASSERT_EQ(store_->facts(key_)->breaks.size(), 1U);
    EXPECT_NEAR(store_->facts(key_)->breaks[0].ratio, 0.25, 1e-9);
}

TEST_F(ModesTest, TellsOfARebasedHistoryInFrontOfWhatIsStored) {
    ASSERT_TRUE(load(range("2020-09-01", "2020-10-01")));
    source_->bars = [this](TimeRange segment) { return truth(segment, 0.995); };
    ASSERT_TRUE(load(range("2020-08-03", "2020-10-01")));
    ASSERT_EQ(store_->facts(key_)->breaks.size(), 1U);
    EXPECT_EQ(store_->facts(key_)->breaks[0].at, at("2020-09-01"));
    EXPECT_NEAR(store_->facts(key_)->breaks[0].ratio, 1 / 0.995, 1e-9);
    // Of the half that is stored anew the other half is the break.
    ASSERT_TRUE(load(range("2020-09-01", "2020-09-16"), LoadMode::full, "AAPL", true));
    ASSERT_EQ(store_->facts(key_)->breaks.size(), 1U);
    EXPECT_EQ(store_->facts(key_)->breaks[0].at, at("2020-09-16"));
}

TEST_F(ModesTest, TellsOfBarsThatAreOthersAtTheProvider) {
    ASSERT_TRUE(load(range("2020-08-03", "2020-08-31")));
    const Bars before = stored();
    source_->bars = [this](TimeRange segment) {
        Bars bars = truth(segment);
        bars.close[0] += 0.5;
        return bars;
    };
    ASSERT_TRUE(load(range("2020-08-03", "2020-10-01")));
    EXPECT_THAT(warnings(), ElementsAre(AllOf(HasSubstr("1 stored bars"), HasSubstr("refresh=True"))));
    EXPECT_EQ(stored().slice(range("2020-08-03", "2020-08-31")), before);
    EXPECT_THAT(store_->facts(key_)->breaks, IsEmpty());
}

}  // namespace
}  // namespace ktrdr
