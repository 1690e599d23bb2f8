// Work over all of the file ends when nobody wants it any more, and leaves the file as sound as it was.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>

#include <ktrdr/bar_store/bar_store.hpp>

#include "soak.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

constexpr TimeRange any_time{UtcTime::min(), UtcTime::max()};

Bars fives(TimeRange within, double price) {
    Bars bars;
    for (UtcTime time = within.start; time < within.end; time += std::chrono::minutes{5}) {
        bars.push_back(time.time_since_epoch().count(), price, price + 1, price - 1, price, 5);
    }
    return bars;
}

class StoppedTest : public testing::Test {
protected:
    void put(double price) {
        const auto done = store_->commit_segment(key_, year_, fives(year_, price), AskOutcome::bars, at("2025-01-01"));
        ASSERT_TRUE(done) << done.error().message;
    }
    /// Answers an error at the so-manieth time that it is asked, and from then on.
    Database::Poll stops_at(int time) {
        asked_ = 0;
        return [this, time]() -> Result<void> {
            return ++asked_ < time ? Result<void>{} : Result<void>(fail(Errc::cancelled, "enough"));
        };
    }
    void expect_sound() {
        const BarCheck check = store_->verify().value();
        EXPECT_TRUE(check.damage.empty()) << check.damage.front().what;
        EXPECT_EQ(store_->read(key_, any_time).value(), fives(year_, 2));
    }

    test::TemporaryFolder folder_{test::memory()};
    const std::filesystem::path file_ = folder_.path() / "ktrdr.db";
    std::shared_ptr<BarStore> store_ = BarStore::open(file_).value();
    const SeriesKey key_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("5m").value()};
    const TimeRange year_ = range("2023-01-01", "2024-01-01");
    int asked_{0};
};

TEST_F(StoppedTest, VerifyingEndsAtEveryTimeThatItIsAskedAndChangesNothing) {
    put(1);
    put(2);
    bool whole = false;
    int time = 1;
    for (; !whole; time += soak_count(41, 1)) {
        const auto check = store_->verify(stops_at(time));
        whole = check.has_value();
        if (!whole) {
            ASSERT_EQ(check.error(), fail(Errc::cancelled, "enough")) << time;
            ASSERT_EQ(asked_, time) << "it went on";
        }
    }
    EXPECT_GT(time, 5) << "it was hardly asked";
    expect_sound();
}

TEST_F(StoppedTest, VerifyingIsInterruptedWhileSqliteAsksNobody) {
    put(1);
    put(2);
    bool wanted = true;
    const Database::Poll poll = [&wanted]() -> Result<void> {
        return wanted ? Result<void>{} : Result<void>(fail(Errc::cancelled, "enough"));
    };
    std::weak_ptr<int> kept;
    const auto at_once = [&](const std::function<void()>& interrupt) -> std::shared_ptr<void> {
        wanted = false;
        interrupt();
        const auto holder = std::make_shared<int>(0);
        kept = holder;
        return holder;
    };
    const auto check = store_->verify(poll, {}, at_once);
    ASSERT_FALSE(check);
    EXPECT_EQ(check.error(), fail(Errc::cancelled, "enough"));
    EXPECT_TRUE(kept.expired()) << "it can still be interrupted, and another read would be";
    wanted = true;
    expect_sound();
}

TEST_F(StoppedTest, CompactingEndsAtEveryTimeThatItIsAskedWithAllVersionsOrNone) {
    constexpr int never = std::numeric_limits<int>::max();
    put(1);
    put(2);
    ASSERT_TRUE(store_->compact(stops_at(never)));
    const int times = asked_;
    int partly = 0;
    for (int time = 1; time <= times; time += time < times - 3 ? soak_count(times / 4, 1) : 1) {
        if (store_->changes(key_)->empty()) {
            put(1);
            put(2);
        }
        const std::size_t before = store_->changes(key_)->size();
        const auto compacted = store_->compact(stops_at(time));
        if (!compacted) {
            ASSERT_EQ(compacted.error(), fail(Errc::cancelled, "enough")) << time;
            ASSERT_EQ(asked_, time) << "it went on";
        }
        const std::size_t after = store_->changes(key_)->size();
        EXPECT_TRUE(after == 0 || after == before) << after;
        partly += !compacted && after == 0 ? 1 : 0;
        expect_sound();
    }
    ASSERT_TRUE(store_->compact(stops_at(never)));
    EXPECT_GT(partly, 0) << "it was never stopped while it gave space back";
    EXPECT_EQ(SQLite::Database(file_.string()).execAndGet("PRAGMA freelist_count").getInt64(), 0);
}

TEST_F(StoppedTest, AFileOfBeforeIsWrittenAnewUnlessItIsStopped) {
    put(1);
    put(2);
    store_.reset();
    {
        SQLite::Database raw(file_.string(), SQLite::OPEN_READWRITE);
        raw.exec("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM");
        // So that opening leaves it as it is: it is large.
        raw.exec("CREATE TABLE filler(bytes BLOB)");
        for (int i = 0; i < 70; ++i) {
            raw.exec("INSERT INTO filler VALUES (zeroblob(1000000))");
        }
        raw.exec("DELETE FROM filler");
    }
    store_ = BarStore::open(file_).value();
    ASSERT_EQ(SQLite::Database(file_.string()).execAndGet("PRAGMA auto_vacuum").getInt64(), 0);
    const auto size = std::filesystem::file_size(file_);
    int time = 1;
    for (bool whole = false; !whole; time += time < 5 ? 1 : soak_count(31, 1) * static_cast<int>(soak_step(4))) {
        const auto compacted = store_->compact(stops_at(time));
        whole = compacted.has_value();
        if (!whole) {
            ASSERT_EQ(compacted.error(), fail(Errc::cancelled, "enough")) << time;
            EXPECT_EQ(std::filesystem::file_size(file_), size);
        }
        expect_sound();
    }
    EXPECT_GT(time, 4) << "it was hardly asked";
    EXPECT_LT(std::filesystem::file_size(file_), size / 4);
    EXPECT_EQ(SQLite::Database(file_.string()).execAndGet("PRAGMA auto_vacuum").getInt64(), 2);
    expect_sound();
}

}  // namespace
}  // namespace ktrdr
