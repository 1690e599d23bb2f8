// Loads of one series at the same time: each segment is asked for once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include <data/loading_fixture.hpp>

namespace ktrdr {
namespace {

using testing::Contains;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SharedLoadsTest : public LoadingTest {
protected:
    /// In order.
    [[nodiscard]] std::vector<TimeRange> fetched() const {
        std::vector<TimeRange> all = source_->fetched;
        std::sort(all.begin(), all.end());
        return all;
    }
};

TEST_F(SharedLoadsTest, AskForEverySegmentOnceAndBothHaveAll) {
    std::vector<std::shared_ptr<Load>> loads;
    for (int i = 0; i < 4; ++i) {
        loads.push_back(begin(decade_));
    }
    finish();
    for (const auto& one : loads) {
        ASSERT_TRUE(*one->result) << one->result->error().message;
        EXPECT_EQ(***one->result, daily_bars(decade_));
        EXPECT_THAT(one->operation->record().warnings, IsEmpty());
    }
    EXPECT_THAT(fetched(), ElementsAreArray(segments_));
}

TEST_F(SharedLoadsTest, OfRangesThatOverlapAskForTheRestOnly) {
    const auto one = begin(decade_);
    const auto other = begin(range("2004-01-01", "2013-06-01"));
    finish();
    ASSERT_TRUE(*one->result);
    EXPECT_EQ(***one->result, daily_bars(decade_));
    EXPECT_EQ(***other->result, daily_bars(range("2004-01-01", "2013-06-01")));
    const auto all = fetched();
    auto asked = std::chrono::nanoseconds{0};
    for (const TimeRange& part : all) {
        asked += part.end - part.start;
    }
    const TimeRange both = range("2004-01-01", "2014-01-01");
    // A few bars at each seam, by which is seen whether the history is still the same.
    const std::chrono::days seams{2 * 3 * static_cast<int>(all.size())};
    EXPECT_LE(asked, both.end - both.start + seams);
    EXPECT_EQ(stored(), daily_bars(both));
}

TEST_F(SharedLoadsTest, GoOnWithWhatACancelledOneWasAskingFor) {
    const auto one = begin(decade_);
    source_->on_fetch = [&](TimeRange) -> Result<void> {
        source_->on_fetch = {};
        (void)one->operation->request_cancel(CancelReason{.text = "enough"});
        return {};
    };
    const auto other = begin(decade_);
    finish();
    ASSERT_FALSE(*one->result);
    EXPECT_EQ(one->result->error().code, Errc::cancelled);
    ASSERT_TRUE(*other->result) << other->result->error().message;
    EXPECT_EQ(***other->result, daily_bars(decade_));
}

TEST_F(SharedLoadsTest, SayWhatWasDeletedWhileTheyLoaded) {
    const auto last = segments_.back();
    source_->on_fetch = [&](TimeRange asked) -> Result<void> {
        if (asked.end >= last.end) {
            EXPECT_TRUE(store_->remove(key_));
        }
        return {};
    };
    const auto one = begin(decade_);
    finish();
    ASSERT_TRUE(*one->result) << one->result->error().message;
    EXPECT_LT((**one->result)->size(), daily_bars(decade_).size());
    EXPECT_THAT(one->operation->record().warnings, Contains(HasSubstr("deleted or forgotten meanwhile")));
    // So does the next one, which brings it.
    source_->on_fetch = {};
    const auto again = begin(decade_);
    finish();
    EXPECT_EQ(***again->result, daily_bars(decade_));
    EXPECT_THAT(again->operation->record().warnings, IsEmpty());
}

TEST_F(SharedLoadsTest, SayNothingOfWhatWasForgottenBesideTheirRange) {
    const TimeRange before = range("2000-01-01", "2001-01-01");
    const auto first = begin(before);
    finish();
    ASSERT_TRUE(*first->result);
    source_->on_fetch = [&](TimeRange) -> Result<void> {
        EXPECT_TRUE(store_->forget(key_, before, clock_.utc_now()));
        return {};
    };
    const auto one = begin(decade_);
    finish();
    EXPECT_EQ(***one->result, daily_bars(decade_));
    EXPECT_THAT(one->operation->record().warnings, IsEmpty());
    // Of their own they do, be it stored before.
    const auto part = range("2006-01-01", "2007-01-01");
    source_->on_fetch = [&](TimeRange) -> Result<void> {
        EXPECT_TRUE(store_->forget(key_, part, clock_.utc_now()));
        return {};
    };
    const auto longer = begin(range("2004-01-01", "2016-01-01"));
    finish();
    EXPECT_THAT(longer->operation->record().warnings, Contains(HasSubstr("2006-01-01 to 2007-01-01")));
}

TEST_F(SharedLoadsTest, StopWaitingWhenTheyAreCancelled) {
    // Nobody lets go of it.
    const auto lease = store_->lease(key_, decade_).value();
    const auto one = begin(decade_);
    const auto asked = [&] { return one->operation->progress().snapshot().message; };
    while (asked().find("[0/") == std::string::npos) {
        io_.run_one();
    }
    (void)one->operation->request_cancel(CancelReason{.text = "enough"});
    finish();
    EXPECT_EQ(one->result->error().code, Errc::cancelled);
    EXPECT_THAT(source_->fetched, IsEmpty());
}

TEST_F(SharedLoadsTest, AskForWhatTheOthersAnswerLacked) {
    bool lags = true;
    source_->bars = [&lags](TimeRange segment) {
        const bool half = std::exchange(lags, false);
        return SourceAnswer(
            daily_bars({segment.start, half ? segment.start + (segment.end - segment.start) / 2 : segment.end}));
    };
    const auto one = begin(decade_);
    const auto other = begin(decade_);
    finish();
    for (const auto& load : {one, other}) {
        ASSERT_TRUE(*load->result) << load->result->error().message;
        EXPECT_EQ(stored(), daily_bars(decade_));
        for (const std::string& warning : load->operation->record().warnings) {
            EXPECT_THAT(warning, Not(HasSubstr("did not come")));
        }
    }
    EXPECT_EQ(source_->fetched.size(), segments_.size() + 1) << "the rest once, whoever asks for it";
}

TEST_F(SharedLoadsTest, AskForASegmentThemselvesWhenTheOtherCouldNotGetIt) {
    int refused = 0;
    source_->on_fetch = [&](TimeRange segment) -> Result<void> {
        if (segment.contains(at("2008-01-01")) && ++refused == 1) {
            return fail(Errc::host_service, "not now");
        }
        return {};
    };
    const auto one = begin(decade_);
    const auto other = begin(decade_);
    finish();
    EXPECT_EQ(refused, 2);
    EXPECT_EQ(stored(), daily_bars(decade_));
    const auto warnings = [](const Load& load) { return load.operation->record().warnings.size(); };
    // Who was refused may have asked again itself.
    EXPECT_LE(warnings(*one) + warnings(*other), 1U);
}

}  // namespace
}  // namespace ktrdr
