// Other numbers that a provider gave for stored bars.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <ktrdr/bar_store/bar_store.hpp>

#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RevisionsTest : public testing::Test {
protected:
    static Bars hours(TimeRange within, double price = 100) {
        Bars bars;
        for (UtcTime time = within.start; time < within.end; time += std::chrono::hours{1}) {
            bars.push_back(time.time_since_epoch().count(), price, price, price, price, 1);
        }
        return bars;
    }
    static BarRevision said(UtcTime time, double price, UtcTime told_at) {
        return {time, {price, price, price, price, 1}, told_at};
    }
    static BarRevision was(UtcTime time, double price, UtcTime replaced_at) {
        BarRevision before = said(time, price, replaced_at);
        before.replaced = true;
        return before;
    }
    void commit(const Segment& segment) { ASSERT_TRUE(store_->commit_segment(key_, segment)); }
    void answer(TimeRange range, double price, UtcTime when) {
        commit({.range = range,
                .bars = hours(range, price),
                .entries = {{range, AskOutcome::bars, when}},
                .told_anew = {range}});
    }
    std::vector<BarRevision> found() {
        return store_->revisions(key_, store_->read(key_, {UtcTime::min(), UtcTime::max()}).value()).value();
    }

    test::TemporaryFolder folder_{};
    const std::filesystem::path file_ = folder_.path() / "ktrdr.db";
    std::shared_ptr<BarStore> store_ = BarStore::open(file_).value();
    const SeriesKey key_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1h").value()};
    const TimeRange day_ = range("2024-01-10", "2024-01-11");
    const UtcTime five_ = at("2024-01-10T05:00");
    const UtcTime six_ = at("2024-01-10T06:00");
    const UtcTime june_ = at("2025-06-01");
    const UtcTime july_ = at("2025-07-01");
};

TEST_F(RevisionsTest, KeepWhatWasNotTakenUntilTheProviderGivesItsNumbersAnew) {
    answer(day_, 100, june_);
    EXPECT_THAT(found(), IsEmpty());
    const TimeRange beside = range("2024-01-11", "2024-01-12");
    commit({.range = beside, .revisions = {said(five_, 101, june_), said(six_, 102, june_)}});
    store_ = BarStore::open(file_).value();
    EXPECT_THAT(found(), ElementsAre(said(five_, 101, june_), said(six_, 102, june_)));
    // The one is as it was again, of the other there is a third price.
    commit({.range = beside, .revisions = {said(six_, 103, july_)}, .told_anew = {{five_, six_}, {six_, day_.end}}});
    EXPECT_THAT(found(), ElementsAre(said(six_, 103, july_)));
    EXPECT_THAT(store_->read(key_, day_)->close[6], 100) << "what is stored stays";
    answer(day_, 103, july_);
    for (const BarRevision& one : found()) {
        EXPECT_TRUE(one.replaced);
    }
}

TEST_F(RevisionsTest, SayNothingOfBarsThatAreNotThereOrHaveThoseNumbersNow) {
    answer(day_, 100, june_);
    commit({.range = day_, .revisions = {said(five_, 101, june_), said(day_.end, 101, june_)}});
    ASSERT_TRUE(store_->store_own(key_, hours({five_, six_}, 101), {}, july_));
    EXPECT_THAT(found(), IsEmpty());
    ASSERT_TRUE(store_->forget(key_, day_, july_));
    EXPECT_THAT(found(), IsEmpty());
}

TEST_F(RevisionsTest, TellWhatAnswersHaveReplacedAndNotWhatPeopleHave) {
    answer(day_, 100, june_);
    answer({five_, six_}, 101, june_);
    EXPECT_THAT(found(), ElementsAre(was(five_, 100, june_)));
    answer({five_, six_}, 102, july_);
    EXPECT_THAT(found(), ElementsAre(was(five_, 101, july_))) << "the newest";
    commit({.range = {six_, day_.end},
            .bars = hours({six_, six_ + std::chrono::hours{1}}, 7),
            .cause = ChangeCause::stored});
    EXPECT_THAT(found(), ElementsAre(was(five_, 101, july_)));
    ASSERT_TRUE(store_->compact());
    EXPECT_THAT(found(), IsEmpty()) << "earlier versions are gone";
}

TEST_F(RevisionsTest, TellOfALoadOnlyWhatThatHasReplaced) {
    answer(day_, 100, june_);
    // The load is one of the whole day; one of its bars is another now.
    Bars bars = hours(day_, 100);
    bars.close[5] = bars.high[5] = 101;
    commit({.range = day_, .bars = bars, .entries = {{day_, AskOutcome::bars, june_}}, .told_anew = {day_}});
    ASSERT_TRUE(store_->store_own(key_, hours({six_, six_ + std::chrono::hours{1}}, 7), {}, july_));
    EXPECT_THAT(found(), ElementsAre(was(five_, 100, june_))) << "nothing of what somebody has changed since";
    ASSERT_TRUE(store_->forget(key_, {five_, six_}, july_));
    commit({.range = {five_, six_}, .bars = hours({five_, six_}, 102)});
    EXPECT_THAT(found(), ElementsAre(was(five_, 100, june_))) << "over what came in between";
}

TEST_F(RevisionsTest, StayWhereTheLoadThatTookThemIsUndone) {
    answer(day_, 100, june_);
    commit({.range = day_, .revisions = {said(five_, 101, june_)}});
    answer({five_, six_}, 101, july_);
    ASSERT_TRUE(store_->undo(key_));
    EXPECT_THAT(store_->read(key_, day_)->close[5], 100);
    EXPECT_THAT(found(), ElementsAre(said(five_, 101, july_)));
    ASSERT_TRUE(store_->store_own(key_, hours({five_, six_}, 7), {}, july_));
    ASSERT_TRUE(store_->undo(key_));
    EXPECT_THAT(found(), ElementsAre(said(five_, 101, july_))) << "and no number of somebody's own";
}

TEST_F(RevisionsTest, GoOnBesideAnEarlierVersionThatIsDamaged) {
    answer(day_, 100, june_);
    answer({five_, six_}, 101, june_);
    commit({.range = day_, .revisions = {said(six_, 102, july_)}});
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("UPDATE old_block SET checksum = checksum + 1");
    EXPECT_THAT(found(), ElementsAre(said(six_, 102, july_)));
}

TEST_F(RevisionsTest, KeepWhatIsNoNumberAndGoWithTheirSeries) {
    answer(day_, 100, june_);
    BarRevision none = said(five_, 100, june_);
    none.numbers[4] = std::numeric_limits<double>::quiet_NaN();
    commit({.range = day_, .revisions = {none}});
    ASSERT_EQ(found().size(), 1U);
    EXPECT_TRUE(same_numbers(found().front().numbers, none.numbers));
    ASSERT_TRUE(store_->remove(key_));
    EXPECT_EQ(SQLite::Database(file_.string()).execAndGet("SELECT count(*) FROM revision").getInt64(), 0);
}

TEST_F(RevisionsTest, AreNotReadForNobody) {
    answer(day_, 100, june_);
    const auto stopped = store_->revisions(key_, {}, []() -> Result<void> { return fail(Errc::cancelled, "enough"); });
    EXPECT_EQ(stopped.error(), fail(Errc::cancelled, "enough"));
}

}  // namespace
}  // namespace ktrdr
