// How bars lie in the file: chunks of a month, a year or the whole, files of the first version, and what is written.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>

#include <ktrdr/bar_store/bar_store.hpp>

#include "first_files.hpp"
#include "soak.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

constexpr TimeRange all_of_time{UtcTime::min(), UtcTime::max()};

SeriesKey key_of(std::string_view timeframe, std::string symbol = "AAPL") {
    return {.provider = "IB", .symbol = std::move(symbol), .timeframe = Timeframe::parse(timeframe).value()};
}

Bars every(std::chrono::nanoseconds step, TimeRange within, double price = 100) {
    Bars bars;
    for (UtcTime time = within.start; time < within.end; time += step) {
        bars.push_back(time.time_since_epoch().count(), price, price + 1, price - 1, price + 0.5, 1000);
    }
    return bars;
}

std::string parts_of(const std::filesystem::path& file, const char* table) {
    SQLite::Database raw(file.string());
    return raw
        .execAndGet(fmt::format(
            "SELECT ifnull(group_concat(part), '') FROM (SELECT DISTINCT part FROM {} ORDER BY part)", table))
        .getString();
}

class ChunksTest : public testing::Test {
protected:
    [[nodiscard]] std::shared_ptr<BarStore> open() const { return BarStore::open(file_).value(); }

    test::TemporaryFolder folder_{};
    const std::filesystem::path file_ = folder_.path() / "ktrdr.db";
    const UtcTime now_ = at("2024-06-01T12:00");
};

TEST_F(ChunksTest, AreMonthsOfShortBarsYearsOfLongerOnesAndElseOne) {
    const TimeRange turn = range("2023-11-29", "2024-01-03");
    for (const auto& [timeframe, parts] : std::map<std::string, std::string>{{"1m", "202311,202312,202401"},
                                                                             {"5m", "202311,202312,202401"},
                                                                             {"10m", "2023,2024"},
                                                                             {"1h", "2023,2024"},
                                                                             {"8h", "2023,2024"},
                                                                             {"1d", "0"},
                                                                             {"1w", "0"},
                                                                             {"1M", "0"}}) {
        std::filesystem::remove(file_);
        const SeriesKey key = key_of(timeframe);
        const Bars bars = every(key.timeframe.shortest(), turn);
        ASSERT_TRUE(open()->store_own(key, bars, {}, now_));
        EXPECT_EQ(parts_of(file_, "block"), parts) << timeframe;
        EXPECT_EQ(open()->read(key, all_of_time).value(), bars) << timeframe;
        const TimeRange night = range("2023-12-31T20:00", "2024-01-01T04:00");
        EXPECT_EQ(open()->read(key, night).value(), bars.slice(night)) << timeframe;
    }
}

TEST_F(ChunksTest, ThatHaveTheirBarsAlreadyAreNotWrittenAgain) {
    const SeriesKey key = key_of("1m");
    const TimeRange week = range("2024-01-08", "2024-01-15");
    const auto store = open();
    EXPECT_EQ(store->store_own(key, every(std::chrono::minutes{1}, week), {}, now_).value(),
              (MergedRows{.added = 7 * 1440}));
    SQLite::Database raw(file_.string());
    const auto newest = [&] { return raw.execAndGet("SELECT max(id) FROM block").getInt64(); };
    const auto before = newest();
    EXPECT_EQ(store->store_own(key, every(std::chrono::minutes{1}, week), {}, now_).value(),
              (MergedRows{.added = 0, .replaced = 7 * 1440, .revised = 0}));
    EXPECT_EQ(newest(), before);
    Bars one = every(std::chrono::minutes{1}, {week.start, week.start + std::chrono::minutes{1}}, 500);
    EXPECT_EQ(store->store_own(key, one, {}, now_).value(), (MergedRows{.added = 0, .replaced = 1, .revised = 1}));
    EXPECT_EQ(newest(), before + 1) << "one block";
    EXPECT_EQ(store->read(key, week)->open.front(), 500);
}

TEST_F(ChunksTest, OfTheFirstFilesAreReadAsTheyAreAndDividedWhenAWriteTouchesThem) {
    const SeriesKey key = key_of("1m");
    ASSERT_TRUE(open());
    const Bars bars = every(std::chrono::minutes{7}, range("2022-06-01", "2024-03-01"));
    test::write_first_chunks(file_, key, bars);
    const auto store = open();
    EXPECT_EQ(store->read(key, all_of_time).value(), bars);
    EXPECT_EQ(store->facts(key)->newest_bar, bars.start_of(bars.size() - 1));
    EXPECT_EQ(store->list().value(),
              (std::vector<StoredSeries>{{key, bars.size(), bars.start_of(0), bars.start_of(bars.size() - 1)}}));
    EXPECT_EQ(parts_of(file_, "chunk"), "2022,2023,2024");

    const TimeRange hour = range("2023-05-01T10:00", "2023-05-01T11:00");
    const Bars more = every(std::chrono::minutes{1}, hour, 7);
    ASSERT_TRUE(store->commit_segment(key, hour, more, AskOutcome::bars, now_));
    EXPECT_EQ(parts_of(file_, "chunk"), "2022,2024");
    EXPECT_THAT(parts_of(file_, "block"), testing::StartsWith("202301,202302"));
    EXPECT_EQ(store->read(key, all_of_time).value(), merge(bars, more));
}

TEST_F(ChunksTest, OfTheFirstFilesStayWholeWhenTheWriteThatDividesThemFails) {
    const SeriesKey key = key_of("1m");
    ASSERT_TRUE(open());
    const Bars bars = every(std::chrono::minutes{7}, range("2023-01-01", "2023-12-31"));
    test::write_first_chunks(file_, key, bars);
    const auto store = open();
    const auto no = [](std::size_t) { return Result<void>(fail(Errc::cancelled, "enough")); };
    EXPECT_FALSE(
        store->store_own(key, every(std::chrono::minutes{1}, range("2023-05-01", "2023-05-02")), {}, now_, no));
    EXPECT_EQ(parts_of(file_, "chunk"), "2023");
    EXPECT_EQ(parts_of(file_, "block"), "");
    EXPECT_EQ(store->read(key, all_of_time).value(), bars);
}

TEST_F(ChunksTest, OfAFileOfTheFirstSchemaAreThereAfterItsMigration) {
    const SeriesKey key = key_of("1h");
    const Bars bars = every(std::chrono::hours{1}, range("2023-01-01", "2024-03-01"));
    {
        const Schema first{"bar_store", BarStore::schema().migrations.first(1)};
        ASSERT_TRUE(Database::open(file_, {first}));
    }
    test::write_first_chunks(file_, key, bars);
    EXPECT_EQ(open()->read(key, all_of_time).value(), bars);
}

using Row = std::array<double, 5>;

/// What is stored, kept beside it.
struct Model {
    std::map<std::int64_t, Row> rows{};

    void put(const Bars& bars) {
        for (std::size_t i = 0; i < bars.size(); ++i) {
            rows[bars.time[i]] = {bars.open[i], bars.high[i], bars.low[i], bars.close[i], bars.volume[i]};
        }
    }
    [[nodiscard]] Bars bars(TimeRange within) const {
        Bars all;
        for (const auto& [stamp, row] : rows) {
            if (within.contains(UtcTime{std::chrono::nanoseconds{stamp}})) {
                all.push_back(stamp, row[0], row[1], row[2], row[3], row[4]);
            }
        }
        return all;
    }
};

/// Random bars of a series, on its grid; of weeks and months days, so that they stay in the years that nanoseconds
/// have.
class RandomBars final {
public:
    RandomBars(Timeframe timeframe, unsigned seed)
        : step_(std::min<std::chrono::nanoseconds>(timeframe.shortest(), std::chrono::days{1})), random_(seed) {}

    std::size_t below(std::size_t count) { return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_); }
    /// Around the turn of a year; some full, some with holes.
    Bars next() {
        const std::size_t count = std::array<std::size_t, 5>{1, 3, 200, 1500, 6000}[below(5)];
        const std::size_t sparse = 1 + below(3);
        std::int64_t stamp = origin + static_cast<std::int64_t>(below(20'000)) * step_.count();
        Bars bars;
        for (std::size_t i = 0; i < count; ++i, stamp += static_cast<std::int64_t>(1 + below(sparse)) * step_.count()) {
            const auto price = static_cast<double>(below(4));
            bars.push_back(stamp, price, price, price, price, Bars::no_volume);
        }
        return bars;
    }
    TimeRange part() {
        const UtcTime start{std::chrono::nanoseconds{origin} + static_cast<std::int64_t>(below(30'000)) * step_};
        return {start, start + static_cast<std::int64_t>(below(9000)) * step_};
    }

private:
    static inline const std::int64_t origin = at("2019-12-25T00:00").time_since_epoch().count();
    const std::chrono::nanoseconds step_;
    std::mt19937 random_;
};

TEST_F(ChunksTest, HoldWhatAPlainMapHoldsWhateverIsMergedInWhateverOrder) {
    const int rounds = soak_count(2, 15);
    for (const std::string_view timeframe : Timeframe::names()) {
        for (int round = 0; round < rounds; ++round) {
            const SeriesKey key = key_of(timeframe, fmt::format("S{}", round));
            RandomBars random(key.timeframe, static_cast<unsigned>(round) * 31 + 7);
            Model model;
            const auto store = open();
            if (round % 2 == 1) {
                const Bars first = random.next();
                test::write_first_chunks(file_, key, first);
                model.put(first);
            }
            for (int step = 0; step < 12; ++step) {
                const Bars bars = random.next();
                const std::size_t before = model.rows.size();
                model.put(bars);
                const auto rows = store->store_own(key, bars, {}, now_);
                ASSERT_TRUE(rows) << rows.error().message;
                EXPECT_EQ(rows->added, model.rows.size() - before);
                EXPECT_EQ(rows->added + rows->replaced, bars.size());
                const TimeRange part = random.part();
                ASSERT_EQ(store->read(key, part).value(), model.bars(part)) << timeframe << " round " << round;
            }
            ASSERT_EQ(store->read(key, all_of_time).value(), model.bars(all_of_time))
                << timeframe << " round " << round;
        }
    }
}

/// Bytes that this process has handed to the system to write.
std::int64_t written() {
    std::ifstream io("/proc/self/io");
    for (std::string name; io >> name;) {
        std::int64_t value = 0;
        io >> value;
        if (name == "wchar:") {
            return value;
        }
    }
    return -1;
}

/// Stores `bars` in segments of a week, as loads do.
void store_by_weeks(const std::filesystem::path& file, const SeriesKey& key, const Bars& bars, TimeRange year) {
    const auto store = BarStore::open(file).value();
    for (UtcTime start = year.start; start < year.end; start += std::chrono::days{7}) {
        const TimeRange week{start, std::min(start + std::chrono::days{7}, year.end)};
        ASSERT_TRUE(store->commit_segment(key, week, bars.slice(week), AskOutcome::bars, year.end));
    }
}

TEST_F(ChunksTest, WriteAYearOfMinutesThreeTimesAtMostAndAFurtherMinuteIn200Kilobytes) {
    if (written() < 0) {
        GTEST_SKIP() << "/proc/self/io says nothing here";
    }
    // So that a further minute goes into a month that is nearly full.
    const TimeRange year = range("2022-12-24", "2023-12-24");
    const Bars whole = every(std::chrono::minutes{1}, year);
    Bars sessions;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        const auto minute = i % 1440;
        if (i / 1440 % 7 < 5 && minute >= 870 && minute < 1260) {
            sessions.push_back(whole.time[i], 1, 1, 1, 1, 1);
        }
    }
    for (const Bars* const bars : {&whole, static_cast<const Bars*>(&sessions)}) {
        const SeriesKey key = key_of("1m");
        std::filesystem::remove(file_);
        {
            ASSERT_TRUE(open());
        }
        const std::int64_t before = written();
        store_by_weeks(file_, key, *bars, year);
        const std::int64_t year_took = written() - before;
        const auto size = static_cast<std::int64_t>(bars->size() * 48);
        EXPECT_LE(year_took, 3 * size);
        std::int64_t most = 0;
        for (int minute = 0; minute < 20; ++minute) {
            const TimeRange one{year.end + std::chrono::minutes{minute}, year.end + std::chrono::minutes{minute + 1}};
            const std::int64_t start = written();
            {
                ASSERT_TRUE(
                    open()->commit_segment(key, one, every(std::chrono::minutes{1}, one), AskOutcome::bars, one.end));
            }
            most = std::max(most, written() - start);
        }
        EXPECT_LE(most, 200'000);
    }
}

}  // namespace
}  // namespace ktrdr
