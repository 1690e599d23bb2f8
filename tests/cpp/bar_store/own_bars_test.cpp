// Bars that nobody was asked for, and the list of what is stored.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <ktrdr/bar_store/bar_store.hpp>

#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using testing::ElementsAre;

constexpr TimeRange all_time{UtcTime::min(), UtcTime::max()};

TimeRange days_from(std::string_view start, int count) {
    return {at(start), at(start) + std::chrono::days{count}};
}

Bars daily(TimeRange within, double price = 100) {
    Bars bars;
    for (UtcTime time = within.start; time < within.end; time += std::chrono::days{1}) {
        bars.push_back(time.time_since_epoch().count(), price, price + 1, price - 1, price, 1000);
    }
    return bars;
}

class OwnBarsTest : public testing::Test {
protected:
    test::TemporaryFolder folder_{};
    std::shared_ptr<BarStore> store_ = BarStore::open(folder_.path() / "ktrdr.db").value();
    const SeriesKey aapl_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1d").value()};
    const UtcTime now_ = at("2024-06-01T12:00");
    const TimeRange week_ = days_from("2024-01-01", 7);
    const std::array<TimeRange, 1> covered_{week_};
};

TEST_F(OwnBarsTest, AreStoredWithTheRangesTheyCover) {
    EXPECT_EQ(store_->store_own(aapl_, daily(week_), covered_, now_).value(), (MergedRows{.added = 7, .replaced = 0}));
    EXPECT_EQ(store_->read(aapl_, all_time).value(), daily(week_));
    EXPECT_THAT(store_->facts(aapl_)->ledger, ElementsAre(LedgerEntry{week_, AskOutcome::bars, now_}));
}

TEST_F(OwnBarsTest, ReplaceThoseOfTheSameStampAndLeaveTheOthers) {
    ASSERT_TRUE(store_->store_own(aapl_, daily(week_), covered_, now_));
    const TimeRange later = days_from("2024-01-05", 5);
    const std::array covers{later};
    EXPECT_EQ(store_->store_own(aapl_, daily(later, 500), covers, now_).value(),
              (MergedRows{.added = 2, .replaced = 3, .revised = 3}));
    const Bars merged = store_->read(aapl_, all_time).value();
    EXPECT_THAT(merged.open, ElementsAre(100, 100, 100, 100, 500, 500, 500, 500, 500));
}

TEST_F(OwnBarsTest, AreCountedOverEveryChunk) {
    const SeriesKey hourly{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1h").value()};
    const TimeRange years = days_from("2022-12-30", 370);
    const Bars bars = daily(years);
    std::vector<std::size_t> told;
    const auto poll = [&told](std::size_t written) {
        // Within a chunk it is asked too, and nothing more is written by then.
        if (told.empty() || told.back() != written) {
            told.push_back(written);
        }
        return Result<void>{};
    };
    EXPECT_EQ(store_->store_own(hourly, bars, {}, now_, poll).value(), (MergedRows{.added = 370, .replaced = 0}));
    EXPECT_THAT(told, ElementsAre(0, 2, 367, 370));
    EXPECT_EQ(store_->store_own(hourly, bars, {}, now_).value(), (MergedRows{.added = 0, .replaced = 370}));
}

TEST_F(OwnBarsTest, AreGoneAgainWhenThePollSaysNo) {
    const SeriesKey hourly{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1h").value()};
    int chunks = 0;
    const auto poll = [&chunks](std::size_t) {
        return ++chunks < 2 ? Result<void>{} : Result<void>(fail(Errc::cancelled, "enough"));
    };
    const std::array covers{days_from("2022-12-30", 370)};
    const auto stored = store_->store_own(hourly, daily(covers[0]), covers, now_, poll);
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, Errc::cancelled);
    EXPECT_TRUE(store_->read(hourly, all_time)->empty());
    EXPECT_TRUE(store_->facts(hourly)->ledger.empty());
    EXPECT_TRUE(store_->list()->empty());
}

class ManyOwnBars : public OwnBarsTest {
protected:
    [[nodiscard]] Result<MergedRows> store(const std::function<Result<void>(std::size_t)>& poll) {
        return store_->store_own(minutes_, bars_, {}, now_, poll);
    }
    [[nodiscard]] std::uintmax_t in_log() const { return std::filesystem::file_size(folder_.path() / "ktrdr.db-wal"); }
    [[nodiscard]] std::uintmax_t in_file() const { return std::filesystem::file_size(folder_.path() / "ktrdr.db"); }
    static Bars minutely(std::size_t count) {
        Bars bars;
        const std::int64_t first = at("2022-01-03").time_since_epoch().count();
        for (std::size_t i = 0; i < count; ++i) {
            const auto price = static_cast<double>(i);
            bars.push_back(first + static_cast<std::int64_t>(i) * 60'000'000'000, price, price, price, price, price);
        }
        return bars;
    }

    const SeriesKey minutes_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1m").value()};
    const Bars bars_ = minutely(200'000);
    const std::uintmax_t bytes_ = bars_.size() * 48;
};

TEST_F(ManyOwnBars, CanBeEndedWhileTheyGoToTheDisk) {
    // Nine megabytes, half a one between two questions.
    int most = 0;
    for (int times = 3; most == 0; times += 8) {
        int asked = 0;
        const auto stored = store([&](std::size_t written) {
            asked += written == bars_.size() ? 1 : 0;
            return asked < times ? Result<void>{} : Result<void>(fail(Errc::cancelled, "enough"));
        });
        most = stored ? asked : 0;
        ASSERT_EQ(store_->read(minutes_, all_time)->size(), stored ? bars_.size() : 0) << times;
    }
    EXPECT_GT(most, 15) << "one write of all";
}

TEST_F(ManyOwnBars, StayInTheLogUntilNobodyWaits) {
    const std::uintmax_t empty = in_file();
    ASSERT_TRUE(store([](std::size_t) { return Result<void>{}; }));
    ASSERT_TRUE(store_->remember_csv_style(minutes_, {}));
    EXPECT_GE(in_log(), bytes_);
    EXPECT_LT(in_file(), empty + bytes_ / 2);
    ASSERT_TRUE(store_->settle());
    EXPECT_GE(in_file(), bytes_);
    EXPECT_EQ(store_->read(minutes_, all_time)->size(), bars_.size());
}

TEST_F(ManyOwnBars, WaitForNoReaderToBePutAway) {
    DatabaseOptions options;
    options.max_readers = 1;
    store_ = BarStore::open(folder_.path() / "ktrdr.db", options).value();
    ASSERT_TRUE(store([](std::size_t) { return Result<void>{}; }));
    const std::uintmax_t before = in_file();
    const auto read = store_->read(minutes_, all_time, [&] { return store_->settle(); });
    EXPECT_EQ(read->size(), bars_.size());
    EXPECT_EQ(in_file(), before);
    ASSERT_TRUE(store_->settle());
    EXPECT_GE(in_file(), bytes_);
}

TEST_F(OwnBarsTest, AreRefusedOutOfOrderAndWithAnEmptyRange) {
    Bars wrong = daily(week_);
    std::swap(wrong.time[1], wrong.time[2]);
    EXPECT_EQ(store_->store_own(aapl_, wrong, covered_, now_).error().code, Errc::invalid_argument);
    const std::array none{TimeRange{now_, now_}};
    EXPECT_EQ(store_->store_own(aapl_, daily(week_), none, now_).error().code, Errc::invalid_argument);
    EXPECT_TRUE(store_->list()->empty());
}

TEST_F(OwnBarsTest, AreListedWithEverySeriesThatHasBars) {
    EXPECT_TRUE(store_->list()->empty());
    const auto key = [](const char* provider, const char* symbol, const char* timeframe) {
        return SeriesKey{.provider = provider, .symbol = symbol, .timeframe = Timeframe::parse(timeframe).value()};
    };
    const std::array keys{key("IB", "AAPL", "5m"), key("IB", "AAPL", "1h"), key("IB", "AAPL", "1d"),
                          key("IB", "MSFT", "1m"), key("OTHER", "AAPL", "1d")};
    const TimeRange new_year = days_from("2023-12-30", 4);
    for (const std::size_t i : {3U, 2U, 4U, 0U, 1U}) {
        ASSERT_TRUE(store_->store_own(keys[i], daily(new_year), {}, now_));
    }
    // Asked for, and nothing came: a series without bars.
    ASSERT_TRUE(store_->commit_segment(key("IB", "NONE", "1d"), week_, {}, AskOutcome::empty, now_));
    const auto listed = store_->list().value();
    ASSERT_EQ(listed.size(), keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        EXPECT_EQ(listed[i], (StoredSeries{keys[i], 4, new_year.start, new_year.end - std::chrono::days{1}})) << i;
    }
}

}  // namespace
}  // namespace ktrdr
