// A long series is read by several threads: it is what one of them reads, at one moment, or one clear error.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <ktrdr/bar_store/bar_store.hpp>

#include "executors.hpp"
#include "soak.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

constexpr TimeRange any_time{UtcTime::min(), UtcTime::max()};

/// Minutes around the clock, all of one price.
Bars minutes_of(TimeRange within, double price) {
    Bars bars;
    for (UtcTime time = within.start; time < within.end; time += std::chrono::minutes{1}) {
        bars.push_back(time.time_since_epoch().count(), price, price, price, price, 1);
    }
    return bars;
}

class ReadInParts : public testing::Test {
protected:
    void put(TimeRange within, double price) {
        ASSERT_TRUE(
            store_->commit_segment(key_, within, minutes_of(within, price), AskOutcome::bars, at("2025-01-01")));
    }
    Result<Bars> read(TimeRange within = any_time, const Database::Poll& poll = {}) {
        return store_->read(key_, within, poll, &helpers_);
    }
    void damage(const char* sql) {
        SQLite::Database raw((folder_.path() / "ktrdr.db").string(), SQLite::OPEN_READWRITE);
        raw.exec(sql);
    }

    test::TemporaryFolder folder_{test::memory()};
    std::shared_ptr<BarStore> store_ = BarStore::open(folder_.path() / "ktrdr.db").value();
    ThreadExecutor helpers_;
    const SeriesKey key_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1m").value()};
    const TimeRange quarter_ = range("2023-01-01", "2023-04-01");
};

TEST_F(ReadInParts, IsWhatOneThreadReads) {
    put(quarter_, 1);
    put(range("2023-02-10", "2023-02-20"), 2);
    EXPECT_EQ(read().value(), store_->read(key_, any_time).value());
    for (const TimeRange within :
         {range("2023-01-01T00:01", "2023-03-31T23:59"), range("2023-01-15T10:30", "2023-03-20"),
          range("2022-01-01", "2023-02-28"), range("2023-03-30", "2023-03-31"), range("2024-01-01", "2024-02-01")}) {
        EXPECT_EQ(read(within).value(), store_->read(key_, within).value());
    }
}

TEST_F(ReadInParts, IsOfOneMomentWhileOthersWrite) {
    put(quarter_, 0);
    std::atomic<bool> over{false};
    std::thread writer([&] {
        for (double price = 1; !over; ++price) {
            put(quarter_, price);
        }
    });
    const int rounds = soak_count(20, 500);
    for (int i = 0; i < rounds && !HasFailure(); ++i) {
        const auto bars = read();
        ASSERT_TRUE(bars) << bars.error().message;
        EXPECT_EQ(*bars, minutes_of(quarter_, bars->close.front())) << "half of it is of another moment";
    }
    over = true;
    writer.join();
}

TEST_F(ReadInParts, NamesADamagedChunkWhereverItLies) {
    put(quarter_, 1);
    const std::int64_t blocks = 127;
    for (const std::int64_t block : {std::int64_t{0}, blocks / 2, blocks - 1}) {
        const std::string row =
            "(SELECT id FROM block ORDER BY part, first LIMIT 1 OFFSET " + std::to_string(block) + ")";
        for (const std::string change : {"checksum = checksum + 1", "close = zeroblob(16)", "last = last - 60000000000",
                                         "rows = rows - 1", "time = close"}) {
            damage("CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM block WHERE 0");
            damage(("INSERT INTO kept SELECT * FROM block WHERE id = " + row).c_str());
            damage(("UPDATE block SET " + change + " WHERE id = " + row).c_str());
            const auto bars = read();
            ASSERT_FALSE(bars) << change << " of block " << block;
            EXPECT_EQ(bars.error().code, Errc::storage);
            EXPECT_NE(bars.error().message.find("AAPL 1m: the chunk of 2023-0"), std::string::npos)
                << bars.error().message;
            damage("DELETE FROM block WHERE id IN (SELECT id FROM kept)");
            damage("INSERT INTO block SELECT * FROM kept");
            damage("DROP TABLE kept");
            ASSERT_TRUE(read()) << "the test has not mended it";
        }
    }
}

TEST_F(ReadInParts, EndsWhereItIsNotWantedAnyMore) {
    put(quarter_, 1);
    std::atomic<int> asked{0};
    const Database::Poll counts = [&]() -> Result<void> {
        ++asked;
        return {};
    };
    ASSERT_TRUE(read(any_time, counts));
    EXPECT_GT(asked, 100);
    for (int time = 1; time < 60; time += 7) {
        asked = 0;
        const Database::Poll stops = [&]() -> Result<void> {
            return ++asked < time ? Result<void>{} : Result<void>(fail(Errc::cancelled, "enough"));
        };
        const auto bars = read(any_time, stops);
        ASSERT_FALSE(bars);
        EXPECT_EQ(bars.error(), fail(Errc::cancelled, "enough"));
    }
    EXPECT_TRUE(read());
}

}  // namespace
}  // namespace ktrdr
