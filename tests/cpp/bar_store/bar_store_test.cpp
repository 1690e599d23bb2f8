#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <future>

#include <ktrdr/bar_store/bar_store.hpp>

#include "first_files.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

constexpr TimeRange always{UtcTime::min(), UtcTime::max()};

/// One bar every `step` in `range`, its price the index.
Bars bars_in(TimeRange within, std::chrono::nanoseconds step, double price = 100) {
    Bars bars;
    for (UtcTime time = within.start; time < within.end; time += step, price += 1) {
        bars.push_back(time.time_since_epoch().count(), price, price + 1, price - 1, price + 0.5, 1000);
    }
    return bars;
}

Bars days_in(TimeRange within, double price = 100) {
    return bars_in(within, std::chrono::days{1}, price);
}

class BarStoreTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "ktrdr_bars_XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::filesystem::path file() const { return folder_ / "ktrdr.db"; }
    [[nodiscard]] std::shared_ptr<BarStore> open(DatabaseOptions options = {}) const {
        return BarStore::open(file(), options).value();
    }

    std::filesystem::path folder_;
    const SeriesKey daily_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1d").value()};
    const SeriesKey hourly_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1h").value()};
    const UtcTime now_ = at("2024-06-01T12:00");
    const TimeRange january_ = range("2024-01-01", "2024-02-01");
    const TimeRange february_ = range("2024-02-01", "2024-03-01");
};

TEST_F(BarStoreTest, HasNothingOfASeriesItNeverSaw) {
    const auto store = open();
    EXPECT_TRUE(store->read(daily_, always).value().empty());
    const SeriesFacts facts = store->facts(daily_).value();
    EXPECT_FALSE(facts.symbol_checked_at);
    EXPECT_FALSE(facts.first_timestamp);
    EXPECT_TRUE(facts.ledger.empty());
}

TEST_F(BarStoreTest, KeepsBarsAndLedgerOfASegment) {
    const Bars bars = days_in(january_);
    ASSERT_TRUE(open()->commit_segment(daily_, january_, bars, AskOutcome::bars, now_));
    const auto store = open();
    EXPECT_EQ(store->read(daily_, always).value(), bars);
    EXPECT_EQ(store->facts(daily_).value().ledger, (std::vector<LedgerEntry>{{january_, AskOutcome::bars, now_}}));
}

TEST_F(BarStoreTest, StampsARangeWithoutReadingIt) {
    const auto store = open();
    const SeriesStamp none = store->stamp(daily_, always).value();
    EXPECT_EQ(none.bars, 0U);
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_), AskOutcome::bars, now_));
    const SeriesStamp before = store->stamp(daily_, always).value();
    EXPECT_EQ(before.bars, 31U);
    EXPECT_NE(before.version, none.version);
    EXPECT_EQ(open()->stamp(daily_, always).value(), before);
    // Another series, and what is known of this one beside its bars, are not in it.
    ASSERT_TRUE(store->commit_segment(hourly_, january_, days_in(january_), AskOutcome::bars, now_));
    ASSERT_TRUE(store->remember_symbol(daily_, now_));
    EXPECT_EQ(store->stamp(daily_, always).value(), before);
    EXPECT_EQ(store->stamp(daily_, february_).value().bars, 0U);

    Bars revised = days_in(january_);
    revised.close[7] += 0.25;
    ASSERT_TRUE(store->commit_segment(daily_, january_, revised, AskOutcome::bars, now_));
    const SeriesStamp after = store->stamp(daily_, always).value();
    EXPECT_EQ(after.bars, 31U);
    EXPECT_NE(after.version, before.version);

    Segment broken{january_, {}, {}, {january_}, {{at("2024-01-10T00:00"), 0.5, now_}}};
    ASSERT_TRUE(store->commit_segment(daily_, broken));
    EXPECT_NE(store->stamp(daily_, always).value().version, after.version);
}

TEST_F(BarStoreTest, ReadsOnlyTheRangeAskedFor) {
    const auto store = open();
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_), AskOutcome::bars, now_));
    const TimeRange week = range("2024-01-08", "2024-01-15");
    EXPECT_EQ(store->read(daily_, week).value(), days_in(week, 107));
    EXPECT_TRUE(store->read(daily_, {week.end, week.start}).value().empty());
}

TEST_F(BarStoreTest, KeepsSeriesApart) {
    const auto store = open();
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_), AskOutcome::bars, now_));
    EXPECT_TRUE(store->read(hourly_, always).value().empty());
    SeriesKey other = daily_;
    other.symbol = "MSFT";
    EXPECT_TRUE(store->read(other, always).value().empty());
    other = daily_;
    other.session = "extended";
    EXPECT_TRUE(store->facts(other).value().ledger.empty());
}

TEST_F(BarStoreTest, MergesSegmentsWithTheNewerRowOnTop) {
    const auto store = open();
    ASSERT_TRUE(store->commit_segment(daily_, february_, days_in(february_, 500), AskOutcome::bars, now_));
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_), AskOutcome::bars, now_));
    const TimeRange week = range("2024-01-29", "2024-02-05");
    ASSERT_TRUE(store->commit_segment(daily_, week, days_in(week, 900), AskOutcome::bars, now_));
    const Bars all = store->read(daily_, always).value();
    EXPECT_TRUE(all.check());
    EXPECT_EQ(all, merge(merge(days_in(january_), days_in(february_, 500)), days_in(week, 900)));
}

TEST_F(BarStoreTest, SplitsIntradayBarsByYear) {
    const auto store = open();
    const TimeRange turn = range("2022-12-30", "2024-01-02");
    const Bars bars = bars_in(turn, std::chrono::hours{1});
    ASSERT_TRUE(store->commit_segment(hourly_, turn, bars, AskOutcome::bars, now_));
    EXPECT_EQ(store->read(hourly_, always).value(), bars);
    const TimeRange night = range("2023-12-31T20:00", "2024-01-01T04:00");
    EXPECT_EQ(store->read(hourly_, night).value(), bars.slice(night));
    SQLite::Database raw(file().string());
    EXPECT_EQ(
        raw.execAndGet("SELECT group_concat(part) FROM (SELECT DISTINCT part FROM block ORDER BY part)").getString(),
        "2022,2023,2024");
}

TEST_F(BarStoreTest, WritesTheLedgerEntryOfAnEmptySegment) {
    const auto store = open();
    ASSERT_TRUE(store->commit_segment(daily_, january_, {}, AskOutcome::empty, now_));
    EXPECT_TRUE(store->read(daily_, always).value().empty());
    EXPECT_EQ(store->facts(daily_).value().ledger.at(0).outcome, AskOutcome::empty);
}

TEST_F(BarStoreTest, ReplacesLedgerEntriesThatANewerAnswerCovers) {
    const auto store = open();
    const TimeRange quarter = range("2024-01-01", "2024-04-01");
    ASSERT_TRUE(store->commit_segment(daily_, january_, {}, AskOutcome::failed, now_));
    ASSERT_TRUE(store->commit_segment(daily_, february_, {}, AskOutcome::empty, now_));
    ASSERT_TRUE(store->commit_segment(daily_, quarter, days_in(quarter), AskOutcome::bars, now_));
    EXPECT_EQ(store->facts(daily_).value().ledger, (std::vector<LedgerEntry>{{quarter, AskOutcome::bars, now_}}));
}

TEST_F(BarStoreTest, NeverLetsAFailureReplaceAnAnswer) {
    const auto store = open();
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_), AskOutcome::bars, now_));
    ASSERT_TRUE(store->commit_segment(daily_, january_, {}, AskOutcome::failed, now_));
    ASSERT_TRUE(store->commit_segment(daily_, january_, {}, AskOutcome::denied, now_));
    EXPECT_EQ(store->facts(daily_).value().ledger,
              (std::vector<LedgerEntry>{{january_, AskOutcome::bars, now_}, {january_, AskOutcome::denied, now_}}));
    EXPECT_EQ(store->read(daily_, always).value(), days_in(january_));
}

TEST_F(BarStoreTest, SaysOfEachPartOfASegmentWhatCameOfIt) {
    const std::vector<LedgerEntry> parts{{range("2024-01-01", "2024-01-10"), AskOutcome::bars, now_},
                                         {range("2024-01-10", "2024-01-11"), AskOutcome::failed, now_},
                                         {range("2024-01-11", "2024-02-01"), AskOutcome::bars, now_}};
    const auto store = open();
    ASSERT_TRUE(store->commit_segment(daily_, {.range = january_, .bars = days_in(january_), .entries = parts}));
    EXPECT_EQ(store->facts(daily_).value().ledger, parts);
    EXPECT_EQ(store->read(daily_, always).value(), days_in(january_));
    std::vector<LedgerEntry> broken = parts;
    broken[1].range.end = broken[1].range.start;
    EXPECT_FALSE(store->commit_segment(daily_, {.range = january_, .bars = days_in(january_, 500), .entries = broken}));
    EXPECT_EQ(store->facts(daily_).value().ledger, parts);
    EXPECT_EQ(store->read(daily_, always).value(), days_in(january_)) << "all of a segment, or nothing";
}

TEST_F(BarStoreTest, RefusesBarsThatAreOutsideTheSegmentOrOutOfOrder) {
    const auto store = open();
    EXPECT_FALSE(store->commit_segment(daily_, january_, days_in(february_), AskOutcome::bars, now_));
    Bars bars = days_in(january_);
    std::swap(bars.time[3], bars.time[4]);
    EXPECT_FALSE(store->commit_segment(daily_, january_, bars, AskOutcome::bars, now_));
    EXPECT_FALSE(store->commit_segment(daily_, {january_.end, january_.start}, {}, AskOutcome::empty, now_));
    EXPECT_TRUE(store->facts(daily_).value().ledger.empty());
}

TEST_F(BarStoreTest, RemembersSymbolsAndFirstTimestampsWithTheirAge) {
    ASSERT_TRUE(open()->remember_symbol(daily_, now_));
    ASSERT_TRUE(open()->remember_first_timestamp(daily_, {at("1980-12-12"), now_}));
    const SeriesFacts facts = open()->facts(daily_).value();
    EXPECT_EQ(facts.symbol_checked_at, now_);
    EXPECT_EQ(facts.first_timestamp, (FirstTimestamp{at("1980-12-12"), now_}));
    EXPECT_EQ(open()->facts(hourly_).value().symbol_checked_at, now_);
    EXPECT_FALSE(open()->facts(hourly_).value().first_timestamp);
}

TEST_F(BarStoreTest, RemembersThatAFirstTimestampIsUnknown) {
    const auto store = open();
    ASSERT_TRUE(store->remember_first_timestamp(daily_, {std::nullopt, now_}));
    EXPECT_EQ(store->facts(daily_).value().first_timestamp, (FirstTimestamp{std::nullopt, now_}));
}

TEST_F(BarStoreTest, KnowsTheNewestBarOfASeries) {
    const auto store = open();
    EXPECT_EQ(store->facts(hourly_)->newest_bar, std::nullopt);
    ASSERT_TRUE(store->remember_first_timestamp(hourly_, {std::nullopt, now_}));
    EXPECT_EQ(store->facts(hourly_)->newest_bar, std::nullopt);
    const TimeRange turn = range("2023-12-30", "2024-01-02");
    ASSERT_TRUE(store->commit_segment(hourly_, turn, bars_in(turn, std::chrono::hours{1}), AskOutcome::bars, now_));
    EXPECT_EQ(store->facts(hourly_)->newest_bar, at("2024-01-01T23:00"));
}

TEST_F(BarStoreTest, NamesAChunkThatIsDamaged) {
    const auto store = open();
    const TimeRange turn = range("2023-12-30", "2024-01-02");
    ASSERT_TRUE(store->commit_segment(hourly_, turn, bars_in(turn, std::chrono::hours{1}), AskOutcome::bars, now_));
    SQLite::Database raw(file().string(), SQLite::OPEN_READWRITE);
    for (const char* damage :
         {"UPDATE block SET close = zeroblob(length(close)) WHERE part = 2024",
          "UPDATE block SET close = x'00' WHERE part = 2024", "UPDATE block SET rows = -1 WHERE part = 2024"}) {
        raw.exec(damage);
        const auto read = store->read(hourly_, always);
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, Errc::storage);
        EXPECT_THAT(read.error().message, HasSubstr("AAPL 1h: the chunk of 2024 is damaged"));
    }
    EXPECT_EQ(store->read(hourly_, range("2023-12-30", "2024-01-01")).value().size(), 48U);
}

TEST_F(BarStoreTest, ReadsChunksOfTheFirstFilesAndTheirSum) {
    const Bars bars = days_in(january_);
    const auto store = open();
    test::write_first_chunks(file(), daily_, bars);
    EXPECT_EQ(open()->read(daily_, always).value(), bars);
    ASSERT_TRUE(store->commit_segment(daily_, february_, days_in(february_, 200), AskOutcome::bars, now_));
    EXPECT_EQ(open()->read(daily_, january_).value(), bars);
    test::write_first_chunks(file(), hourly_, bars);
    SQLite::Database(file(), SQLite::OPEN_READWRITE).exec("UPDATE chunk SET checksum = checksum + 1");
    EXPECT_EQ(open()->read(hourly_, always).error().code, Errc::storage);
}

TEST_F(BarStoreTest, AnnouncesNothingThatAFileWhichIsNoLongerThereTook) {
    const auto store = open();
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_), AskOutcome::bars, now_));
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_, 200), AskOutcome::bars, now_));
    const std::vector<TimeRange> covered{january_};
    const std::vector<std::pair<std::string, std::function<Result<void>()>>> writes{
        {"store AAPL 1d",
         [&]() -> Result<void> {
             const auto done = store->commit_segment(daily_, february_, days_in(february_), AskOutcome::bars, now_);
             return done ? Result<void>{} : Result<void>(done.error());
         }},
        {"store AAPL 1h",
         [&]() -> Result<void> {
             const auto done = store->store_own(hourly_, bars_in(january_, std::chrono::hours{1}), covered, now_);
             return done ? Result<void>{} : Result<void>(done.error());
         }},
        {"forget bars of AAPL 1d",
         [&]() -> Result<void> {
             const auto done = store->forget(daily_, january_, now_);
             return done ? Result<void>{} : Result<void>(done.error());
         }},
        {"undo a change of AAPL 1d",
         [&]() -> Result<void> {
             const auto done = store->undo(daily_);
             return done ? Result<void>{} : Result<void>(done.error());
         }},
        {"delete AAPL 1d",
         [&]() -> Result<void> {
             const auto done = store->remove(daily_);
             return done ? Result<void>{} : Result<void>(done.error());
         }},
    };
    const auto expect_refused = [&](std::string_view why) {
        for (const auto& [what, write] : writes) {
            const auto done = write();
            ASSERT_FALSE(done) << what << ", " << why;
            EXPECT_EQ(done.error().code, Errc::storage);
            EXPECT_THAT(done.error().message, HasSubstr("cannot " + what));
            EXPECT_THAT(done.error().message, HasSubstr(file().string() + " was removed or replaced"));
        }
    };
    const std::filesystem::path elsewhere = folder_ / "moved.db";
    std::filesystem::rename(file(), elsewhere);
    expect_refused("it was moved");
    std::filesystem::copy(elsewhere, file());
    expect_refused("another is there");
    std::filesystem::rename(elsewhere, file());
    EXPECT_EQ(store->read(daily_, always).value().size(), 31U) << "something was written all the same";
    for (const auto& [what, write] : writes) {
        EXPECT_TRUE(write()) << what << ", when it is back";
    }
}

TEST_F(BarStoreTest, LeavesBarsAndLedgerAsTheyWereWhenThereIsNoRoom) {
    const auto store = open({.max_page_count = 30});
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_), AskOutcome::bars, now_));
    const TimeRange years = range("2024-02-01", "2034-02-01");
    const auto full = store->commit_segment(daily_, years, days_in(years), AskOutcome::bars, now_);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Errc::storage_full);
    EXPECT_EQ(store->read(daily_, always).value(), days_in(january_));
    EXPECT_EQ(store->facts(daily_).value().ledger, (std::vector<LedgerEntry>{{january_, AskOutcome::bars, now_}}));
}

TEST_F(BarStoreTest, LeavesBarsAsTheyWereWhenTheLedgerCannotBeWritten) {
    const auto store = open();
    ASSERT_TRUE(store->commit_segment(daily_, january_, days_in(january_), AskOutcome::bars, now_));
    SQLite::Database raw(file().string(), SQLite::OPEN_READWRITE);
    raw.exec("CREATE TRIGGER refuse BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'refused'); END");
    const auto failed = store->commit_segment(daily_, february_, days_in(february_), AskOutcome::bars, now_);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Errc::storage);
    EXPECT_EQ(store->read(daily_, always).value(), days_in(january_));
    raw.exec("DROP TRIGGER refuse");
    EXPECT_TRUE(store->commit_segment(daily_, february_, days_in(february_), AskOutcome::bars, now_));
}

/// Commits month after month until it is killed.
[[noreturn]] void commit_for_ever(const std::filesystem::path& file, const SeriesKey& key, int ready) {
    const auto store = BarStore::open(file).value();
    UtcTime start = at("1990-01-01");
    for (int i = 0;; ++i, start += std::chrono::days{30}) {
        const TimeRange month{start, start + std::chrono::days{30}};
        if (!store->commit_segment(key, month, days_in(month), AskOutcome::bars, month.end)) {
            _exit(1);
        }
        if (i == 5 && write(ready, "r", 1) != 1) {
            _exit(1);
        }
    }
}

TEST_F(BarStoreTest, AgreesWithItsLedgerAfterBeingKilledInTheMiddle) {
    std::array<int, 2> pipe_ends{};
    ASSERT_EQ(pipe(pipe_ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
        commit_for_ever(file(), daily_, pipe_ends[1]);
    }
    char ready = 0;
    ASSERT_EQ(::read(pipe_ends[0], &ready, 1), 1);
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    close(pipe_ends[0]);
    close(pipe_ends[1]);

    const auto store = open();
    const Bars bars = store->read(daily_, always).value();
    std::size_t promised = 0;
    for (const LedgerEntry& entry : store->facts(daily_).value().ledger) {
        promised += static_cast<std::size_t>((entry.range.end - entry.range.start) / std::chrono::days{1});
    }
    EXPECT_GE(promised, 5U * 30U);
    EXPECT_EQ(bars.size(), promised);
    EXPECT_TRUE(bars.check());
}

TEST_F(BarStoreTest, MergesWhatTwoWritersOfOneSeriesBring) {
    const auto write_months = [this](int first) {
        const auto store = BarStore::open(file(), {.busy_timeout = std::chrono::seconds{60}}).value();
        for (int i = first; i < 24; i += 2) {
            const UtcTime start = at("2020-01-01") + i * std::chrono::days{30};
            const TimeRange month{start, start + std::chrono::days{30}};
            const auto done = store->commit_segment(daily_, month, days_in(month), AskOutcome::bars, now_);
            EXPECT_TRUE(done) << done.error().message;
        }
    };
    auto even = std::async(std::launch::async, write_months, 0);
    auto odd = std::async(std::launch::async, write_months, 1);
    even.get();
    odd.get();
    const auto store = open();
    EXPECT_EQ(store->read(daily_, always).value().size(), 24U * 30U);
    EXPECT_EQ(store->facts(daily_).value().ledger.size(), 24U);
}

}  // namespace
}  // namespace ktrdr
