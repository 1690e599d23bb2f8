// The power goes: of the write-ahead log there is what the disk had taken, and no more.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>

#include <ktrdr/bar_store/bar_store.hpp>

#include "soak.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

/// What a disk writes whole, or not at all.
constexpr std::size_t sector = 512;
constexpr TimeRange the_whole{UtcTime::min(), UtcTime::max()};

std::string bytes_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {(std::istreambuf_iterator<char>(in)), {}};
}

/// A database whose log holds all of its commits, and how long it was after each.
class PowerLossTest : public testing::Test {
protected:
    static constexpr int commits = 24;

    PowerLossTest() {
        const auto store = BarStore::open(file_path_).value();
        // What making it wrote is older than any power cut.
        SQLite::Database(file_path_.string(), SQLite::OPEN_READWRITE).execAndGet("PRAGMA wal_checkpoint(TRUNCATE)");
        for (int i = 0; i < commits; ++i) {
            write(*store, i);
            const std::uintmax_t log = std::filesystem::file_size(log_path_);
            EXPECT_TRUE(log_after_.empty() || log > log_after_.back()) << "the log began anew";
            log_after_.push_back(log);
            states_.push_back(store->read(key_, the_whole).value());
        }
        // Before the last connection goes, and puts the log into the file.
        file_ = bytes_of(file_path_);
        log_ = bytes_of(log_path_);
    }

    /// Segments that follow one another, and now and then one that revises what is stored.
    void write(BarStore& store, int number) {
        const TimeRange day{at("2024-01-01") + std::chrono::days{number % 5 == 4 ? number - 2 : number},
                            at("2024-01-02") + std::chrono::days{number % 5 == 4 ? number - 2 : number}};
        Bars bars;
        for (UtcTime time = day.start; time < day.end; time += std::chrono::minutes{5}) {
            bars.push_back(time.time_since_epoch().count(), 100 + number, 101 + number, 99, 100, 5);
        }
        const auto done = store.commit_segment(key_, day, bars, AskOutcome::bars, at("2025-01-01"));
        ASSERT_TRUE(done) << done.error().message;
    }

    /// How many commits the log had taken when it was so long.
    [[nodiscard]] std::size_t commits_in(std::size_t length) const {
        return static_cast<std::size_t>(std::upper_bound(log_after_.begin(), log_after_.end(), length) -
                                        log_after_.begin());
    }

    /// Open what is left, and expect just those commits.
    void expect_commits(const std::string& log, std::size_t count) {
        const std::filesystem::path place = folder_.path() / "after";
        std::filesystem::create_directory(place);
        std::ofstream(place / "ktrdr.db", std::ios::binary) << file_;
        std::ofstream(place / "ktrdr.db-wal", std::ios::binary) << log;
        {
            const auto store = BarStore::open(place / "ktrdr.db");
            ASSERT_TRUE(store) << store.error().message;
            const BarCheck check = (*store)->verify().value();
            EXPECT_TRUE(check.damage.empty()) << check.damage.front().what;
            EXPECT_EQ((*store)->read(key_, the_whole).value(), count == 0 ? Bars{} : states_[count - 1]);
            EXPECT_EQ(check.ledger_entries, (*store)->facts(key_)->ledger.size());
            // And it is written to as any other.
            ASSERT_TRUE((*store)->commit_segment(key_, {at("2023-01-01"), at("2023-02-01")}, {}, AskOutcome::empty,
                                                 at("2025-01-01")));
        }
        std::filesystem::remove_all(place);
    }

    test::TemporaryFolder folder_{test::memory()};
    const std::filesystem::path file_path_ = folder_.path() / "ktrdr.db";
    const std::filesystem::path log_path_ = folder_.path() / "ktrdr.db-wal";
    const SeriesKey key_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("5m").value()};
    std::vector<std::uintmax_t> log_after_{};
    std::vector<Bars> states_{};
    std::string file_{};
    std::string log_{};
};

TEST_F(PowerLossTest, AtAnySectorOfTheLogLeavesWhatWasCommittedBeforeAndNothingElse) {
    const std::size_t sectors = log_.size() / sector;
    const std::size_t step = sectors / static_cast<std::size_t>(soak_count(60, static_cast<int>(sectors)));
    for (std::size_t cut = 0; cut <= sectors; cut += std::max<std::size_t>(step, 1)) {
        const std::size_t length = std::min(cut * sector, log_.size());
        expect_commits(log_.substr(0, length), commits_in(length));
        ASSERT_FALSE(testing::Test::HasFailure()) << "the log ended at byte " << length << " of " << log_.size();
    }
    expect_commits(log_, commits);
}

/// A page of the log is eight sectors, and a disk may take them in any order.
TEST_F(PowerLossTest, InTheMiddleOfAPageLeavesNothingOfItsCommit) {
    std::mt19937 random(5);
    const std::size_t sectors = log_.size() / sector;
    const int rounds = soak_count(40, 2000);
    for (int round = 0; round < rounds; ++round) {
        const std::size_t torn = random() % sectors;
        const std::size_t length = log_.size() - (random() % 2 == 0 ? 0 : random() % (log_.size() - torn * sector));
        std::string log = log_.substr(0, std::max(length, (torn + 1) * sector));
        const std::string was = log.substr(torn * sector, sector);
        // Zeros where it never came, or what lay there before.
        std::string instead(sector, '\0');
        if (random() % 2 == 0) {
            std::generate(instead.begin(), instead.end(), [&random] { return static_cast<char>(random()); });
        }
        log.replace(torn * sector, sector, instead);
        if (was == instead) {
            continue;
        }
        expect_commits(log, commits_in(torn * sector));
        ASSERT_FALSE(testing::Test::HasFailure()) << "sector " << torn << " of " << sectors;
    }
}

}  // namespace
}  // namespace ktrdr
