// A load's process is killed, at any moment: what it had stored is there once, and the next load asks for the rest.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <sstream>

#include <data/loading_fixture.hpp>

#include "killed_child.hpp"
#include "soak.hpp"

namespace ktrdr {
namespace {

constexpr std::chrono::days span{20};
constexpr int segment_count = 50;

/// A load of fifty segments, over a file that outlives it.
class FiftySegments final : public LoadingTest {
public:
    explicit FiftySegments(const std::filesystem::path& file, std::size_t in_flight = 1) : LoadingTest(file) {
        source_->limits = {.max_span = span, .max_in_flight = in_flight};
    }
    void TestBody() override {}

    [[nodiscard]] static TimeRange all() { return {at("2010-01-01"), at("2010-01-01") + segment_count * span}; }
    Result<BarsPtr> load_all() { return load(all()); }
    /// Tells of each range before it is asked for, and of how many segments were announced as stored by then.
    [[noreturn]] void load_and_tell(int fd) {
        source_->on_fetch = [this, fd](TimeRange asked) -> Result<void> {
            const auto done = operation_->progress().snapshot().context.at("current_segment").to_number<int>();
            std::ostringstream line;
            line << asked.start.time_since_epoch().count() << ' ' << asked.end.time_since_epoch().count() << ' ' << done
                 << '\n';
            // One write of a short line is whole in a pipe.
            [[maybe_unused]] const auto told = ::write(fd, line.str().data(), line.str().size());
            return {};
        };
        (void)load_all();
        [[maybe_unused]] const auto told = ::write(fd, "end\n", 4);
        for (;;) {
            pause();
        }
    }

    [[nodiscard]] Bars bars() const { return stored(); }
    [[nodiscard]] BarCheck check() const { return store_->verify().value(); }
    [[nodiscard]] std::vector<LedgerEntry> entries() const { return ledger(); }
    [[nodiscard]] std::vector<TimeRange> asked() const { return source_->fetched; }
};

/// What a process said before it was killed.
struct LastWords {
    std::vector<TimeRange> asked{};
    /// Segments that it had announced as stored.
    int announced{0};
    bool ended{false};
};

LastWords words_of(const std::string& text) {
    LastWords words;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line == "end") {
            words.ended = true;
            words.announced = segment_count;
            continue;
        }
        std::istringstream numbers(line);
        std::int64_t start = 0;
        std::int64_t end = 0;
        int announced = 0;
        if (numbers >> start >> end >> announced) {
            words.asked.push_back({UtcTime{std::chrono::nanoseconds{start}}, UtcTime{std::chrono::nanoseconds{end}}});
            words.announced = std::max(words.announced, announced);
        }
    }
    return words;
}

/// Run the load in a process of its own, kill it at that moment (or when it has ended), and answer what it said.
LastWords killed_at(const std::filesystem::path& file, std::size_t in_flight, test::KilledAt moment) {
    return words_of(test::said_before_death(moment, [&](int fd) {
        // What it leaves in a folder of its own goes with the test's.
        setenv("TMPDIR", file.parent_path().c_str(), 1);
        FiftySegments(file, in_flight).load_and_tell(fd);
    }));
}

/// That the file is sound, and holds nothing but true bars, each once; and all those that were announced.
void expect_nothing_lost(const FiftySegments& after, const LastWords& words, std::size_t in_flight) {
    EXPECT_TRUE(after.check().damage.empty()) << after.check().damage.front().what;
    const Bars bars = after.bars();
    EXPECT_TRUE(bars.check()) << "out of order or twice";
    const Bars truth = daily_bars(FiftySegments::all());
    std::size_t found = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
        found +=
            bars.slice({truth.start_of(i), truth.start_of(i) + std::chrono::nanoseconds{1}}) == truth.rows(i, i + 1)
                ? 1U
                : 0U;
    }
    EXPECT_EQ(found, bars.size()) << "bars that nobody has sent";
    EXPECT_GE(bars.size(), static_cast<std::size_t>(words.announced * span.count()));
    if (in_flight == 1 && !words.asked.empty() && !words.ended) {
        // One after the other: what was asked for last follows what is stored, or is.
        const Bars before = truth.slice({FiftySegments::all().start, words.asked.back().start});
        EXPECT_GE(bars.size(), before.size());
        EXPECT_EQ(bars.slice({FiftySegments::all().start, words.asked.back().start}), before);
    }
    for (const LedgerEntry& entry : after.entries()) {
        EXPECT_EQ(bars.slice(entry.range), truth.slice(entry.range)) << "the ledger says more than is stored";
    }
}

/// That another load brings the rest and asks for nothing that is stored, but for three bars at its seams.
void expect_only_the_rest_is_asked_for(FiftySegments& next) {
    const Bars before = next.bars();
    ASSERT_TRUE(next.load_all());
    EXPECT_EQ(next.bars(), daily_bars(FiftySegments::all()));
    for (const TimeRange& asked : next.asked()) {
        constexpr std::size_t seams = 6;
        EXPECT_LE(before.slice(asked).size(), seams) << asked.start.time_since_epoch().count();
    }
    const std::size_t requests = next.asked().size();
    ASSERT_TRUE(next.load_all());
    EXPECT_EQ(next.asked().size(), requests) << "a third load asks for nothing";
}

/// How long a load takes here with each of its segments, and its process with it.
std::chrono::microseconds segment_time(std::size_t in_flight) {
    const test::TemporaryFolder folder(test::memory());
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(killed_at(folder.path() / "ktrdr.db", in_flight, {segment_count + 1, {}}).ended);
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began) /
           segment_count;
}

/// From when its process begins to open the file until it has its last answer.
test::KilledAt any_moment(std::mt19937& random, std::chrono::microseconds segment) {
    const auto asked = static_cast<std::ptrdiff_t>(random() % (segment_count + 1));
    const auto most = static_cast<unsigned>(segment.count()) * (asked == 0 ? 10 : 2);
    return {asked, std::chrono::microseconds{random() % std::max(most, 1U)}};
}

TEST(Crash, OfALoadAtAnyMomentLosesNoBarThatWasStoredAndTheNextAsksForTheRest) {
    std::mt19937 random(7);
    int midway = 0;
    const int rounds = soak_count(24, 1000);
    for (const std::size_t in_flight : {std::size_t{1}, std::size_t{3}}) {
        const auto segment = segment_time(in_flight);
        for (int round = 0; round < (rounds + 1) / 2; ++round) {
            const test::TemporaryFolder folder(test::memory());
            const std::filesystem::path file = folder.path() / "ktrdr.db";
            const auto words = killed_at(file, in_flight, any_moment(random, segment));
            FiftySegments next(file);
            expect_nothing_lost(next, words, in_flight);
            midway += !words.asked.empty() && !words.ended ? 1 : 0;
            expect_only_the_rest_is_asked_for(next);
            ASSERT_FALSE(testing::Test::HasFailure())
                << "round " << round << ", " << in_flight << " in flight, " << words.asked.size() << " asked for";
        }
    }
    EXPECT_GT(midway, rounds / 4) << "the kills came before anything happened, or when all was over";
    RecordProperty("midway", midway);
}

TEST(Crash, AgainAndAgainOfOneSeriesEndsInTheWholeOfIt) {
    std::mt19937 random(11);
    const test::TemporaryFolder folder(test::memory());
    const std::filesystem::path file = folder.path() / "ktrdr.db";
    const auto segment = segment_time(3);
    LastWords words;
    int deaths = 0;
    for (; deaths < 1000 && !words.ended; ++deaths) {
        words = killed_at(file, 3, {static_cast<std::ptrdiff_t>(random() % 6), segment * (random() % 3)});
        const FiftySegments after(file);
        EXPECT_TRUE(after.check().damage.empty());
        const Bars bars = after.bars();
        for (const LedgerEntry& entry : after.entries()) {
            ASSERT_EQ(bars.slice(entry.range), daily_bars(FiftySegments::all()).slice(entry.range));
        }
    }
    EXPECT_TRUE(words.ended) << "a thousand deaths, and still not whole";
    EXPECT_GT(deaths, 3);
    EXPECT_EQ(FiftySegments(file).bars(), daily_bars(FiftySegments::all()));
}

}  // namespace
}  // namespace ktrdr
