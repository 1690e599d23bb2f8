// What a write changes or removes is kept, and can be put back; what is to go, goes.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include <ktrdr/bar_store/bar_store.hpp>

#include "first_files.hpp"
#include "soak.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr TimeRange ever{UtcTime::min(), UtcTime::max()};

class VersionsTest : public testing::Test {
protected:
    [[nodiscard]] static SeriesKey key_of(std::string_view timeframe, std::string symbol = "AAPL") {
        return {.provider = "IB", .symbol = std::move(symbol), .timeframe = Timeframe::parse(timeframe).value()};
    }
    [[nodiscard]] static Bars hours_in(TimeRange within, double price = 100) {
        Bars bars;
        for (UtcTime time = within.start; time < within.end; time += std::chrono::hours{1}) {
            bars.push_back(time.time_since_epoch().count(), price, price, price, price, 1);
        }
        return bars;
    }
    [[nodiscard]] std::int64_t count_of(const std::string& table) const {
        return SQLite::Database(file_.string()).execAndGet("SELECT count(*) FROM " + table).getInt64();
    }
    [[nodiscard]] std::vector<LedgerEntry> ledger_of(const SeriesKey& key) const { return store_->facts(key)->ledger; }
    Result<MergedRows> load(TimeRange part, double price = 100) {
        return store_->commit_segment(hourly_, part, hours_in(part, price), AskOutcome::bars, now_);
    }

    test::TemporaryFolder folder_{};
    const std::filesystem::path file_ = folder_.path() / "ktrdr.db";
    std::shared_ptr<BarStore> store_ = BarStore::open(file_).value();
    const SeriesKey hourly_ = key_of("1h");
    const UtcTime now_ = at("2025-06-01T12:00");
    const TimeRange january_ = range("2024-01-01", "2024-02-01");
    const TimeRange february_ = range("2024-02-01", "2024-03-01");
};

TEST_F(VersionsTest, AreMadeByWritesThatChangeRowsAndNotByThoseThatOnlyAddSome) {
    ASSERT_TRUE(load(january_));
    ASSERT_TRUE(load(february_));
    ASSERT_TRUE(load(january_)) << "the same numbers";
    EXPECT_THAT(store_->changes(hourly_).value(), IsEmpty());
    EXPECT_EQ(store_->undo(hourly_).error().code, Errc::not_found);
    const TimeRange day = range("2024-01-10", "2024-01-11");
    EXPECT_EQ(load(day, 200).value(), (MergedRows{.added = 0, .replaced = 24, .revised = 24}));
    EXPECT_THAT(
        store_->changes(hourly_).value(),
        ElementsAre(SeriesChange{.range = day, .cause = ChangeCause::loaded, .changed_at = now_, .revised = 24}));
}

TEST_F(VersionsTest, PutBarsAndLedgerBackAsTheyWere) {
    ASSERT_TRUE(load(january_));
    const SeriesFacts before = store_->facts(hourly_).value();
    const TimeRange both{at("2024-01-20"), february_.end};
    ASSERT_TRUE(load(both, 25)) << "a split in the middle";
    EXPECT_EQ(store_->undo(hourly_)->revised, 12U * 24U);
    EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in(january_));
    EXPECT_EQ(ledger_of(hourly_).size(), 2U) << "cut at the change's start";
    for (const LedgerEntry& entry : ledger_of(hourly_)) {
        EXPECT_LE(entry.range.end, january_.end);
    }
    EXPECT_EQ(store_->facts(hourly_)->newest_bar, before.newest_bar);
    EXPECT_THAT(store_->changes(hourly_).value(), IsEmpty());
}

TEST_F(VersionsTest, LeaveBarsThatCameLaterBesideTheChangeAlone) {
    ASSERT_TRUE(load(january_));
    ASSERT_TRUE(load(range("2024-01-10", "2024-01-11"), 25));
    ASSERT_TRUE(load(february_));
    ASSERT_TRUE(store_->undo(hourly_));
    EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in({january_.start, february_.end}));
}

TEST_F(VersionsTest, OfWhatAnUndoTakesAwayTheLedgerKnowsNothing) {
    const TimeRange half = range("2024-01-01", "2024-01-15");
    ASSERT_TRUE(load(half));
    ASSERT_TRUE(load(january_, 25)) << "14 days revised, 17 added";
    ASSERT_TRUE(store_->undo(hourly_));
    EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in(half));
    EXPECT_EQ(ledger_of(hourly_), (std::vector<LedgerEntry>{{half, AskOutcome::bars, now_}}));
}

TEST_F(VersionsTest, AreThreeOfAChunkAtMostWithTheNewestUndoneFirst) {
    ASSERT_TRUE(load(january_, 0));
    for (int price = 1; price <= 5; ++price) {
        ASSERT_TRUE(load(january_, price));
    }
    EXPECT_THAT(store_->changes(hourly_).value(), SizeIs(3));
    for (int price = 4; price >= 2; --price) {
        ASSERT_TRUE(store_->undo(hourly_));
        EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in(january_, price));
    }
    EXPECT_EQ(store_->undo(hourly_).error().code, Errc::not_found);
    EXPECT_EQ(count_of("old_block"), 0);
}

TEST_F(VersionsTest, OfOneChunkStayWhenAnotherChangesOften) {
    const SeriesKey minutes = key_of("5m");
    const auto load_minutes = [&](TimeRange part, double price) {
        return store_->commit_segment(minutes, part, hours_in(part, price), AskOutcome::bars, now_);
    };
    ASSERT_TRUE(load_minutes({january_.start, february_.end}, 1));
    ASSERT_TRUE(load_minutes(january_, 2));
    for (int price = 3; price < 8; ++price) {
        ASSERT_TRUE(load_minutes(february_, price));
    }
    EXPECT_THAT(store_->changes(minutes).value(), SizeIs(4));
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(store_->undo(minutes));
    }
    EXPECT_EQ(store_->read(minutes, january_).value(), hours_in(january_, 1));
    EXPECT_EQ(store_->read(minutes, february_).value(), hours_in(february_, 4));
}

TEST_F(VersionsTest, MendAChunkThatIsDamaged) {
    ASSERT_TRUE(load(january_));
    ASSERT_TRUE(load(range("2024-01-10", "2024-01-11"), 25));
    ASSERT_TRUE(load(february_));
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("UPDATE block SET close = zeroblob(length(close))");
    EXPECT_THAT(store_->read(hourly_, ever).error().message, HasSubstr("undo the last change"));
    ASSERT_TRUE(store_->undo(hourly_));
    EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in(january_));
    for (const LedgerEntry& entry : ledger_of(hourly_)) {
        EXPECT_LE(entry.range.end, january_.end) << "what came since is asked for again";
    }
}

TEST_F(VersionsTest, OfOwnBarsAreUndoneWithTheRangesTheyCover) {
    ASSERT_TRUE(load(january_));
    const std::array covers{TimeRange{january_.start, february_.end}};
    ASSERT_TRUE(store_->store_own(hourly_, hours_in(covers[0], 7), covers, now_));
    EXPECT_EQ(store_->undo(hourly_)->cause, ChangeCause::stored);
    EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in(january_));
    EXPECT_EQ(ledger_of(hourly_), (std::vector<LedgerEntry>{{january_, AskOutcome::bars, now_}}));
}

TEST_F(VersionsTest, AreNotMadeByAWriteThatFails) {
    ASSERT_TRUE(load(january_));
    const auto no = [](std::size_t) { return Result<void>(fail(Errc::cancelled, "enough")); };
    ASSERT_FALSE(store_->store_own(hourly_, hours_in(january_, 7), {}, now_, no));
    EXPECT_THAT(store_->changes(hourly_).value(), IsEmpty());
    EXPECT_EQ(count_of("old_block"), 0);
}

TEST_F(VersionsTest, OfAForgottenRangeBringItBack) {
    ASSERT_TRUE(load({january_.start, february_.end}));
    const TimeRange middle = range("2024-01-15T07:00", "2024-02-10T03:00");
    const auto hours = static_cast<std::size_t>((middle.end - middle.start) / std::chrono::hours{1});
    EXPECT_EQ(store_->forget(hourly_, middle, now_).value(), hours);
    EXPECT_TRUE(store_->read(hourly_, middle)->empty());
    EXPECT_EQ(store_->read(hourly_, ever)->size(), hours_in({january_.start, february_.end}).size() - hours);
    EXPECT_THAT(ledger_of(hourly_), ElementsAre(LedgerEntry{{january_.start, middle.start}, AskOutcome::bars, now_},
                                                LedgerEntry{{middle.end, february_.end}, AskOutcome::bars, now_}));
    EXPECT_EQ(store_->undo(hourly_)->removed, hours);
    EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in({january_.start, february_.end}));
    TimeRange covered{};
    for (const LedgerEntry& entry : ledger_of(hourly_)) {
        covered.end += entry.range.end - entry.range.start;
    }
    EXPECT_EQ(covered.end - covered.start, february_.end - january_.start);
}

TEST_F(VersionsTest, ForgettingDropsADamagedChunkThatLiesInTheRangeWhole) {
    const SeriesKey minutes = key_of("5m");
    const auto put = [&](TimeRange part) {
        ASSERT_TRUE(store_->commit_segment(minutes, part, hours_in(part), AskOutcome::bars, now_));
    };
    put(january_);
    put(february_);
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE)
        .exec("UPDATE block SET time = zeroblob(length(time)) WHERE part = 202401");
    EXPECT_FALSE(store_->forget(minutes, range("2024-01-10", "2024-01-11"), now_));
    EXPECT_EQ(store_->forget(minutes, january_, now_).value(), hours_in(january_).size());
    EXPECT_EQ(store_->read(minutes, ever).value(), hours_in(february_));
    EXPECT_THAT(ledger_of(minutes), ElementsAre(LedgerEntry{february_, AskOutcome::bars, now_}));
}

TEST_F(VersionsTest, ForgettingWorksOnChunksOfTheFirstFiles) {
    const SeriesKey minutes = key_of("1m", "OLD");
    const TimeRange years = range("2023-11-01", "2024-03-01");
    test::write_first_chunks(file_, minutes, hours_in(years));
    EXPECT_EQ(store_->forget(minutes, january_, now_).value(), hours_in(january_).size());
    EXPECT_EQ(store_->read(minutes, ever).value(),
              merge(hours_in({years.start, january_.start}), hours_in({january_.end, years.end})));
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("UPDATE chunk SET checksum = 1");
    EXPECT_FALSE(store_->forget(minutes, range("2023-12-01", "2023-12-02"), now_));
    EXPECT_EQ(store_->forget(minutes, range("2023-01-01", "2024-01-01"), now_).value(),
              hours_in({years.start, january_.start}).size());
    EXPECT_EQ(store_->read(minutes, ever).value(), hours_in({january_.end, years.end}));
}

TEST_F(VersionsTest, DeletingTakesExactlyTheSeriesOfTheKeyWithAllThatBelongsToIt) {
    ASSERT_TRUE(load(january_));
    ASSERT_TRUE(load(january_, 7));
    ASSERT_TRUE(store_->remember_first_timestamp(hourly_, {january_.start, now_}));
    SeriesKey other = hourly_;
    other.session = "extended";
    ASSERT_TRUE(store_->commit_segment(other, january_, hours_in(january_), AskOutcome::bars, now_));
    EXPECT_EQ(store_->remove(hourly_).value(), hours_in(january_).size());
    EXPECT_EQ(store_->remove(hourly_).error().code, Errc::not_found);
    EXPECT_TRUE(store_->read(hourly_, ever)->empty());
    EXPECT_TRUE(ledger_of(hourly_).empty());
    EXPECT_FALSE(store_->facts(hourly_)->first_timestamp);
    EXPECT_EQ(count_of("old_block") + count_of("change") + count_of("changed_chunk"), 0);
    EXPECT_EQ(store_->read(other, ever).value(), hours_in(january_));
}

TEST_F(VersionsTest, RefusesToForgetNothing) {
    EXPECT_EQ(store_->forget(hourly_, {january_.end, january_.start}, now_).error().code, Errc::invalid_argument);
    EXPECT_EQ(store_->forget(key_of("1h", "NONE"), january_, now_).value(), 0U);
}

using Rows = std::map<std::int64_t, double>;

/// One hour is one row of `model`.
Rows rows_of(const Bars& bars) {
    Rows rows;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        rows[bars.time[i]] = bars.close[i];
    }
    return rows;
}

/// After any mix of loads, forgetting and undoing: no hour that the ledger calls covered lacks its bar, and an undo
/// that directly follows a change leads back to the bars of before.
TEST_F(VersionsTest, NeverLeaveARangeCoveredThatLacksItsBars) {
    const int rounds = soak_count(20, 200);
    for (int round = 0; round < rounds; ++round) {
        std::mt19937 random(static_cast<unsigned>(round));
        const auto below = [&random](int count) { return std::uniform_int_distribution<int>(0, count - 1)(random); };
        const SeriesKey key =
            key_of(std::array{"5m", "1h", "1d"}[static_cast<std::size_t>(below(3))], fmt::format("S{}", round));
        Rows model;
        for (int step = 0; step < 25; ++step) {
            const UtcTime start = at("2023-11-01") + std::chrono::hours{below(3000)};
            const TimeRange part{start, start + std::chrono::hours{1 + below(1200)}};
            const Rows before = model;
            const int what = below(5);
            if (what < 3) {
                const double price = below(2);
                const auto rows = store_->commit_segment(key, part, hours_in(part, price), AskOutcome::bars, now_);
                ASSERT_TRUE(rows) << rows.error().message;
                for (const auto& [stamp, close] : rows_of(hours_in(part, price))) {
                    model[stamp] = close;
                }
                if (rows->revised > 0 && below(3) == 0) {
                    ASSERT_TRUE(store_->undo(key));
                    model = before;
                }
            } else if (what == 3) {
                ASSERT_TRUE(store_->forget(key, part, now_));
                std::erase_if(model, [&part](const auto& row) {
                    return part.contains(UtcTime{std::chrono::nanoseconds{row.first}});
                });
            } else if (store_->undo(key)) {
                model = rows_of(store_->read(key, ever).value());
            }
            ASSERT_EQ(rows_of(store_->read(key, ever).value()), model) << "round " << round << ", step " << step;
            for (const LedgerEntry& entry : ledger_of(key)) {
                for (const std::int64_t stamp : hours_in(entry.range).time) {
                    ASSERT_TRUE(model.contains(stamp)) << "round " << round << ", step " << step;
                }
            }
        }
    }
}

TEST_F(VersionsTest, OfASeriesThatCannotBeDeletedStay) {
    ASSERT_TRUE(load(january_));
    ASSERT_TRUE(load(january_, 7));
    SQLite::Database raw(file_.string(), SQLite::OPEN_READWRITE);
    raw.exec("CREATE TRIGGER refuse BEFORE DELETE ON series BEGIN SELECT RAISE(ABORT, 'refused'); END");
    EXPECT_EQ(store_->remove(hourly_).error().code, Errc::storage);
    EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in(january_, 7));
    EXPECT_TRUE(store_->undo(hourly_));
    EXPECT_EQ(store_->read(hourly_, ever).value(), hours_in(january_));
}

TEST_F(VersionsTest, ForgettingLeavesADamagedChunkThatLiesInTheRangeInPart) {
    const SeriesKey minutes = key_of("1m");
    const TimeRange year = range("2023-01-01", "2024-01-01");
    test::write_first_chunks(file_, minutes, hours_in(year));
    SQLite::Database(file_.string(), SQLite::OPEN_READWRITE).exec("UPDATE chunk SET checksum = 1");
    const auto refused = store_->forget(minutes, {year.start, at("2023-06-01")}, now_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::storage);
    EXPECT_EQ(count_of("chunk"), 1);
    EXPECT_EQ(store_->forget(minutes, january_, now_).value(), 0U) << "it is of another year";
    EXPECT_EQ(store_->forget(minutes, year, now_).value(), hours_in(year).size());
    EXPECT_EQ(count_of("chunk"), 0);
}

}  // namespace
}  // namespace ktrdr
