// Damage is found, named and does not spread; a file is written anew without what nobody needs.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <fstream>
#include <functional>

#include <ktrdr/bar_store/bar_store.hpp>

#include "first_files.hpp"
#include "soak.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr TimeRange whole_time{UtcTime::min(), UtcTime::max()};

Bars hourly(TimeRange within, double price = 100) {
    Bars bars;
    for (UtcTime time = within.start; time < within.end; time += std::chrono::hours{1}) {
        bars.push_back(time.time_since_epoch().count(), price, price + 1, price - 1, price, 5);
        price += 0.25;
    }
    return bars;
}

class VerifyTest : public testing::Test {
protected:
    [[nodiscard]] static SeriesKey key_of(std::string_view timeframe, std::string symbol = "AAPL") {
        return {.provider = "IB", .symbol = std::move(symbol), .timeframe = Timeframe::parse(timeframe).value()};
    }
    void put(const SeriesKey& key, TimeRange part, double price = 100) {
        const auto done = store_->commit_segment(key, part, hourly(part, price), AskOutcome::bars, now_);
        ASSERT_TRUE(done) << done.error().message;
    }
    void run(const std::string& sql) { SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec(sql); }

    /// Give a block other stamps, and the sum and ends that fit them.
    void forge_stamps(int part, const std::function<void(std::vector<std::int64_t>&)>& change) {
        SQLite::Database raw(file_.string(), SQLite::OPEN_READWRITE);
        SQLite::Statement row(raw, "SELECT id, time, open, high, low, close, volume FROM block WHERE part = ?");
        row.bind(1, part);
        ASSERT_TRUE(row.executeStep());
        std::vector<std::int64_t> stamps(static_cast<std::size_t>(row.getColumn(1).getBytes()) / sizeof(std::int64_t));
        std::memcpy(stamps.data(), row.getColumn(1).getBlob(), stamps.size() * sizeof(std::int64_t));
        change(stamps);
        const auto bytes = static_cast<int>(stamps.size() * sizeof(std::int64_t));
        auto sum = crc32_z(0, reinterpret_cast<const unsigned char*>(stamps.data()), static_cast<std::size_t>(bytes));
        for (int column = 2; column <= 6; ++column) {
            sum = crc32_z(sum, static_cast<const unsigned char*>(row.getColumn(column).getBlob()),
                          static_cast<std::size_t>(row.getColumn(column).getBytes()));
        }
        SQLite::Statement forged(raw, "UPDATE block SET time = ?, first = ?, last = ?, checksum = ? WHERE id = ?");
        forged.bind(1, stamps.data(), bytes);
        forged.bind(2, stamps.front());
        forged.bind(3, stamps.back());
        forged.bind(4, static_cast<std::int64_t>(sum));
        forged.bind(5, row.getColumn(0).getInt64());
        row.reset();
        forged.exec();
    }

    test::TemporaryFolder folder_{};
    const std::filesystem::path file_ = folder_.path() / "ktrdr.db";
    std::shared_ptr<BarStore> store_ = BarStore::open(file_).value();
    const UtcTime now_ = at("2025-06-01T12:00");
    const TimeRange winter_ = range("2023-12-01", "2024-03-01");
    const SeriesKey minutes_ = key_of("5m");
    const SeriesKey hours_ = key_of("1h");
    const SeriesKey days_ = key_of("1d", "MSFT");
};

TEST_F(VerifyTest, FindsNothingInASoundFileAndCountsWhatIsThere) {
    put(minutes_, winter_);
    put(hours_, winter_);
    put(hours_, range("2024-01-10", "2024-01-12"), 50);
    ASSERT_TRUE(store_->commit_segment(days_, winter_, {}, AskOutcome::empty, now_));
    test::write_first_chunks(file_, key_of("1m", "OLD"), hourly(winter_));
    const BarCheck check = store_->verify().value();
    EXPECT_THAT(check.damage, IsEmpty());
    EXPECT_EQ(check.series, 4U);
    EXPECT_EQ(check.chunks, 3U + 2U + 2U);
    EXPECT_EQ(check.bars, 3 * hourly(winter_).size());
    EXPECT_EQ(check.ledger_entries, 3U + 1U);
    EXPECT_EQ(check.versions, 1U);
}

TEST_F(VerifyTest, NamesEachKindOfDamageWithItsSeriesAndChunk) {
    struct Case {
        const char* sql;
        const char* chunk;
        const char* what;
    };
    for (const auto& [sql, chunk, what] : {
             Case{"UPDATE block SET close = zeroblob(length(close)) WHERE part = 202401 AND first = (SELECT min(first) "
                  "FROM "
                  "block WHERE part = 202401)",
                  "the chunk of 2024-01", "checksum"},
             Case{"UPDATE block SET rows = rows + 1 WHERE part = 202402", "the chunk of 2024-02", "rows"},
             Case{"UPDATE block SET rows = 0 WHERE part = 202402", "the chunk of 2024-02", "says that it has 0 rows"},
             Case{"UPDATE block SET time = CAST(time || x'0000000000000000' AS BLOB) WHERE part = 202402",
                  "the chunk of 2024-02", "column time has"},
             Case{"UPDATE block SET close = CAST(substr(close, 9) AS BLOB) WHERE part = 202402", "the chunk of 2024-02",
                  "column close has"},
             Case{"UPDATE block SET first = first + 1 WHERE part = 202312", "the chunk of 2023-12", "first or last"},
             Case{"UPDATE block SET last = last - 1 WHERE part = 202312", "the chunk of 2023-12", "first or last"},
             Case{"UPDATE block SET part = 202403 WHERE part = 202402", "the chunk of 2024-03", "belong elsewhere"},
             Case{"INSERT INTO block(series, part, rows, first, last, checksum, time, open, high, low, close, volume) "
                  "SELECT series, part, rows, first, last, checksum, time, open, high, low, close, volume FROM block "
                  "WHERE part = 202402",
                  "the chunk of 2024-02", "out of order"},
             Case{"DELETE FROM block", "", "none is stored"},
             Case{"UPDATE old_block SET open = zeroblob(length(open))", "the chunk of 2024", "earlier version"},
             Case{"UPDATE change SET ledger = '['", "", "before change"},
         }) {
        store_.reset();
        std::filesystem::remove(file_);
        store_ = BarStore::open(file_).value();
        put(minutes_, winter_);
        put(hours_, winter_);
        put(hours_, range("2024-01-10", "2024-01-12"), 50);
        run(sql);
        const BarCheck check = store_->verify().value();
        ASSERT_FALSE(check.damage.empty()) << sql;
        EXPECT_EQ(check.damage[0].series->symbol, "AAPL");
        EXPECT_EQ(check.damage[0].chunk, chunk) << sql;
        EXPECT_THAT(check.damage[0].what, HasSubstr(what)) << sql;
    }
}

TEST_F(VerifyTest, DoesNotCallTheLedgerWrongForShortRangesOrDamagedChunks) {
    put(minutes_, winter_);
    ASSERT_TRUE(store_->commit_segment(hours_, range("2024-01-01", "2024-01-08"), {}, AskOutcome::bars, now_));
    EXPECT_THAT(store_->verify()->damage, IsEmpty());
    run("UPDATE block SET checksum = 1");
    const BarCheck check = store_->verify().value();
    EXPECT_THAT(check.damage, SizeIs(3)) << "one a chunk, and none of the ledger";
}

/// Flips a byte of a column of a block, every thousandth of all; each flip alone.
TEST_F(VerifyTest, EveryThousandthByteOfAChunkThatIsFlippedIsNamedLeavesTheRestReadableAndIsUndone) {
    const TimeRange change = range("2024-01-10", "2024-01-20");
    put(minutes_, winter_);
    put(minutes_, change, 7);
    put(hours_, winter_);
    put(days_, winter_, 30);
    const Bars before = hourly(winter_);
    const Bars after = merge(before, hourly(change, 7));
    const TimeRange december = range("2023-12-01", "2024-01-01");
    std::size_t place = 0;
    std::size_t next = 0;
    int flips = 0;
    for (const char* const column : {"time", "open", "high", "low", "close", "volume"}) {
        SQLite::Database raw(file_.string(), SQLite::OPEN_READWRITE);
        const std::string where = "WHERE part = 202401 AND series = (SELECT id FROM series WHERE timeframe = '5m')";
        const auto size = static_cast<std::size_t>(
            raw.execAndGet(fmt::format("SELECT length({}) FROM block {}", column, where)).getInt64());
        for (; next < place + size; next += 1000, ++flips) {
            // `||` of blobs is text; a cast keeps its bytes.
            raw.exec(fmt::format(
                "UPDATE block SET {0} = CAST(substr({0}, 1, {1}) || x'{2}' || substr({0}, {1} + 2) AS BLOB) "
                "{3}",
                column, next - place, flips % 2 == 0 ? "a5" : "5a", where));
            const auto read = store_->read(minutes_, whole_time);
            ASSERT_FALSE(read) << column << " byte " << next - place;
            EXPECT_EQ(read.error().code, Errc::storage);
            EXPECT_THAT(read.error().message, HasSubstr("AAPL 5m: the chunk of 2024-01 is damaged"));
            EXPECT_EQ(store_->read(minutes_, december).value(), before.slice(december));
            EXPECT_EQ(store_->read(hours_, whole_time).value(), before);
            EXPECT_EQ(store_->read(days_, whole_time).value(), hourly(winter_, 30));
            const BarCheck check = store_->verify().value();
            ASSERT_THAT(check.damage, SizeIs(1));
            EXPECT_EQ(check.damage[0].series, minutes_);
            EXPECT_EQ(check.damage[0].chunk, "the chunk of 2024-01");
            ASSERT_TRUE(store_->undo(minutes_));
            ASSERT_EQ(store_->read(minutes_, whole_time).value(), before);
            EXPECT_THAT(store_->verify()->damage, IsEmpty());
            put(minutes_, change, 7);
            ASSERT_EQ(store_->read(minutes_, whole_time).value(), after);
        }
        place += size;
    }
    EXPECT_GE(flips, 30);
}

/// A file is more than its bars: pages, trees, the log's header. A flipped byte there may keep the file from being
/// opened, or a series from being read, and never gives other bars.
TEST_F(VerifyTest, AFlippedByteOfTheFileNeverGivesOtherBars) {
    put(minutes_, winter_);
    put(days_, winter_, 30);
    store_.reset();
    std::ifstream in(file_, std::ios::binary);
    const std::string sound((std::istreambuf_iterator<char>(in)), {});
    const std::filesystem::path copy = folder_.path() / "copy.db";
    const std::size_t step = static_cast<std::size_t>(soak_count(5000, 1000));
    for (std::size_t place = 0; place < sound.size(); place += step) {
        std::string bytes = sound;
        bytes[place] = static_cast<char>(bytes[place] ^ 0x20);
        std::ofstream(copy, std::ios::binary) << bytes;
        if (const auto store = BarStore::open(copy)) {
            for (const auto& [key, bars] :
                 {std::pair{minutes_, hourly(winter_)}, std::pair{days_, hourly(winter_, 30)}}) {
                const auto read = (*store)->read(key, whole_time);
                // Where its key was hit it is a series of another name, or none.
                if (read && !read->empty()) {
                    EXPECT_EQ(*read, bars) << "byte " << place;
                }
            }
            (void)(*store)->verify();
        }
        std::filesystem::remove(copy);
    }
}

TEST_F(VerifyTest, CompactingFreesVersionsAndGivesTheSpaceBack) {
    put(minutes_, winter_);
    for (int price = 1; price <= 3; ++price) {
        put(minutes_, winter_, price);
    }
    ASSERT_TRUE(store_->remove(minutes_));
    put(hours_, winter_);
    put(hours_, winter_, 3);
    const Compacted compacted = store_->compact().value();
    EXPECT_EQ(compacted.changes_freed, 1U);
    EXPECT_LT(compacted.bytes_after, compacted.bytes_before / 2);
    EXPECT_EQ(compacted.bytes_after, std::filesystem::file_size(file_));
    EXPECT_EQ(store_->read(hours_, whole_time).value(), hourly(winter_, 3));
    EXPECT_EQ(store_->undo(hours_).error().code, Errc::not_found);
    EXPECT_THAT(store_->verify()->damage, IsEmpty());
}

TEST_F(VerifyTest, NamesBarsThatAreOutOfPlaceThoughTheirSumFits) {
    put(minutes_, winter_);
    forge_stamps(202401, [](std::vector<std::int64_t>& stamps) { std::swap(stamps[5], stamps[6]); });
    forge_stamps(202312, [&](std::vector<std::int64_t>& stamps) {
        stamps.back() = at("2024-01-01").time_since_epoch().count();
    });
    const BarCheck check = store_->verify().value();
    ASSERT_THAT(check.damage, SizeIs(2));
    EXPECT_EQ(check.damage[0].chunk, "the chunk of 2023-12");
    EXPECT_THAT(check.damage[0].what,
                HasSubstr("its bars from 2023-12-01T00:00:00.000Z to 2024-01-01T00:00:00.000Z belong"));
    EXPECT_EQ(check.damage[1].chunk, "the chunk of 2024-01");
    EXPECT_THAT(check.damage[1].what, HasSubstr("its bars are out of order"));
    const auto read = store_->read(minutes_, range("2024-01-01", "2024-02-01"));
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr("its bars are out of order"));
}

TEST_F(VerifyTest, GoesOnBehindATableThatIsGone) {
    put(minutes_, winter_);
    put(minutes_, range("2024-01-10", "2024-01-12"), 50);
    run("DROP TABLE old_block");
    const BarCheck check = store_->verify().value();
    ASSERT_THAT(check.damage, SizeIs(1));
    EXPECT_THAT(check.damage[0].what, HasSubstr("its earlier versions cannot be read further"));
    run("DROP TABLE ledger");
    const BarCheck further = store_->verify().value();
    ASSERT_THAT(further.damage, SizeIs(2));
    EXPECT_THAT(further.damage[0].what, HasSubstr("its ledger cannot be read further"));
    EXPECT_EQ(further.bars, hourly(winter_).size());
}

TEST_F(VerifyTest, NamesASeriesThatNoVersionKnowsAndChecksTheOthers) {
    put(minutes_, winter_);
    put(days_, winter_, 30);
    run("UPDATE series SET timeframe = '7q' WHERE timeframe = '5m'");
    const BarCheck check = store_->verify().value();
    ASSERT_THAT(check.damage, SizeIs(1));
    EXPECT_FALSE(check.damage[0].series);
    EXPECT_THAT(check.damage[0].what, testing::AllOf(HasSubstr("series 1 (AAPL): "), HasSubstr("7q")));
    EXPECT_EQ(check.series, 1U);
    EXPECT_EQ(check.bars, hourly(winter_, 30).size());
}

TEST_F(VerifyTest, ListsAThousandFaultsAtMostThoseThatSqliteSeesToo) {
    put(minutes_, winter_);
    run("PRAGMA ignore_check_constraints = 1; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
        "1200) INSERT INTO ledger(series, range_start, range_end, outcome, asked_at) SELECT 1, i, i - 1, 'empty', 1 "
        "FROM n");
    const BarCheck check = store_->verify().value();
    ASSERT_THAT(check.damage, SizeIs(1000));
    EXPECT_FALSE(check.damage.front().series);
    EXPECT_THAT(check.damage.front().what, HasSubstr("CHECK constraint failed"));
    EXPECT_EQ(check.damage.back().series, minutes_);
    EXPECT_THAT(check.damage.back().what, HasSubstr("not after its start"));
    EXPECT_EQ(check.ledger_entries, 1201U);
}

TEST_F(VerifyTest, MissesOnlyTheBarsThatTheLedgerHasOfTheRangeAndNobodyElseHas) {
    put(hours_, winter_);
    // Between what is stored and what follows it.
    ASSERT_TRUE(store_->commit_segment(hours_, range("2024-04-01", "2024-05-01"), {}, AskOutcome::bars, now_));
    put(hours_, range("2024-06-01", "2024-06-02"));
    const BarCheck check = store_->verify().value();
    ASSERT_THAT(check.damage, SizeIs(1));
    EXPECT_THAT(check.damage[0].what, HasSubstr("bars from 2024-04-01T00:00:00.000Z to 2024-05-01T00:00:00.000Z came"));
    run("UPDATE block SET checksum = 1 WHERE part = 2024");
    EXPECT_THAT(store_->verify()->damage, SizeIs(2)) << "the year's blocks, and what the ledger has may lie in them";
}

TEST_F(VerifyTest, TellsHowManyBlocksItHasRead) {
    put(minutes_, winter_);
    put(days_, winter_, 30);
    std::vector<std::size_t> read;
    std::size_t of_all = 0;
    ASSERT_TRUE(store_->verify({}, [&](std::size_t done, std::size_t all) {
        read.push_back(done);
        of_all = all;
    }));
    ASSERT_FALSE(read.empty());
    EXPECT_TRUE(std::is_sorted(read.begin(), read.end()));
    EXPECT_EQ(read.back(), of_all);
}

}  // namespace
}  // namespace ktrdr
