#include <gtest/gtest.h>

#include <random>

#include <ktrdr/data/planner.hpp>
#include <ktrdr/data/request_planner.hpp>
#include <ktrdr/market/time_text.hpp>

#include "times.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;

BarGrid grid(std::string_view timeframe) {
    return BarGrid(Timeframe::parse(timeframe).value());
}

const UtcTime now = at("2024-06-03T15:30:20");

std::vector<TimeRange> missing(TimeRange asked, const std::vector<LedgerEntry>& ledger, std::string_view frame = "1d") {
    return missing_ranges(asked, {.ledger = ledger}, grid(frame), now);
}

TEST(MissingRanges, IsTheWholeRangeOfAnEmptyLedger) {
    const TimeRange year = range("2020-01-01", "2021-01-01");
    EXPECT_EQ(missing(year, {}), std::vector{year});
}

TEST(MissingRanges, LeavesOutWhatWasAnswered) {
    const UtcTime asked = at("2024-01-01");
    const std::vector<LedgerEntry> ledger{{range("2020-03-01", "2020-04-01"), AskOutcome::bars, asked},
                                          {range("2020-06-01", "2020-07-01"), AskOutcome::empty, asked},
                                          {range("2020-03-15", "2020-05-01"), AskOutcome::bars, asked}};
    EXPECT_EQ(missing(range("2020-01-01", "2021-01-01"), ledger),
              (std::vector{range("2020-01-01", "2020-03-01"), range("2020-05-01", "2020-06-01"),
                           range("2020-07-01", "2021-01-01")}));
    EXPECT_TRUE(missing(range("2020-03-10", "2020-04-20"), ledger).empty());
}

TEST(MissingRanges, AsksAgainForWhatFailedOrWasDenied) {
    const TimeRange month = range("2020-03-01", "2020-04-01");
    const UtcTime asked = at("2024-01-01");
    EXPECT_EQ(missing(month, {{month, AskOutcome::failed, asked}}), std::vector{month});
    EXPECT_EQ(missing(month, {{month, AskOutcome::denied, asked}}), std::vector{month});
}

TEST(MissingRanges, CountsAnEntryUpToTheLastBarThatWasClosedThen) {
    const std::vector<LedgerEntry> ledger{
        {range("2024-05-01", "2024-06-01"), AskOutcome::bars, at("2024-05-20T12:00")}};
    // A day that began at 12:00 on the 19th had just ended, one that began later had not.
    EXPECT_EQ(missing(range("2024-05-01", "2024-06-01"), ledger), std::vector{range("2024-05-19T12:01", "2024-06-01")});
    EXPECT_EQ(missing(range("2024-05-01", "2024-06-01"), ledger, "1h"),
              std::vector{range("2024-05-20T11:01", "2024-06-01")});
}

TEST(MissingRanges, AsksAgainAfterADayForWhatWasEmptyOnItsOwnDay) {
    // Every day that began in it, at whatever hour, is over at the next midnight.
    const TimeRange days_ago = range("2024-05-28", "2024-05-31T00:01");
    const UtcTime next_midnight = at("2024-06-01T00:00:01");
    EXPECT_EQ(missing(days_ago, {{days_ago, AskOutcome::empty, next_midnight}}), std::vector{days_ago});
    EXPECT_TRUE(missing(days_ago, {{days_ago, AskOutcome::empty, at("2024-06-02T01:00")}}).empty());
    EXPECT_TRUE(missing(days_ago, {{days_ago, AskOutcome::bars, next_midnight}}).empty());
    EXPECT_TRUE(missing_ranges(days_ago, {.ledger = {{days_ago, AskOutcome::empty, next_midnight}}}, grid("1d"),
                               at("2024-06-01T20:00"))
                    .empty());
}

/// Of every hour of some weeks: an entry of an hour that was empty when it was over.
TEST(MissingRanges, AsksAgainForWhatWasEmptyOnceOneSessionMoreIsOver) {
    for (const char* const name : {"XNYS", "FOREX", "CRYPTO"}) {
        const SessionCalendarPtr calendar = SessionCalendar::shipped(name).value();
        const BarGrid hourly = BarGrid::make(Timeframe::parse("1h").value(), calendar, {.provider = "IB"}).value();
        // A holiday, a half day, and the clock's change among them.
        for (UtcTime asked = at("2024-10-28T00:30"); asked < at("2024-12-03"); asked += hours{1}) {
            const auto stamps = hourly.expected({asked - days{9}, asked}).value();
            const UtcTime stamp = *std::find_if(stamps.rbegin(), stamps.rend(),
                                                [&](UtcTime one) { return hourly.is_closed(one, asked); });
            const TimeRange part{stamp, hourly.end_of(stamp)};
            const auto missing_at = [&](UtcTime when) {
                return !missing_ranges(part, {.ledger = {{part, AskOutcome::empty, asked}}}, hourly, when).empty();
            };
            const UtcTime over = *calendar->next_close(*calendar->next_open(asked));
            ASSERT_FALSE(missing_at(over)) << name << " " << format_time(asked);
            ASSERT_TRUE(missing_at(over + std::chrono::seconds{1})) << name << " " << format_time(asked);
            // What is long over is no matter of a session.
            const TimeRange old{stamp - days{30}, stamp - days{20}};
            ASSERT_TRUE(
                missing_ranges(old, {.ledger = {{old, AskOutcome::empty, asked}}}, hourly, over + days{90}).empty());
        }
    }
}

TEST(MissingRanges, LeavesOutTheRestInWhichNoDayBegins) {
    const TimeRange asked = range("2024-05-01", "2024-06-02T15:31");
    const std::vector<LedgerEntry> ledger{{asked, AskOutcome::bars, at("2024-06-02T20:00")}};
    // Counted up to 20:01 of the day before; midnight lies in the rest, 21:00 and 03:00 do too, 16:00 does not.
    const std::vector rest{range("2024-06-01T20:01", "2024-06-02T15:31")};
    const auto missing_after = [&](std::string_view newest, std::string_view frame) {
        return missing_ranges(asked, {.newest_bar = at(newest), .ledger = ledger}, grid(frame), now);
    };
    EXPECT_EQ(missing_after("2024-06-01", "1d"), rest);
    EXPECT_EQ(missing_after("2024-05-31T03:00", "1d"), rest);
    EXPECT_TRUE(missing_after("2024-06-01T16:00", "1d").empty());
    EXPECT_EQ(missing_ranges(asked, {.ledger = ledger}, grid("1d"), now), rest) << "nobody knows when days begin";
}

/// What is asked for ranges that have no neighbours.
std::vector<TimeRange> cut(const std::vector<TimeRange>& ranges, std::chrono::nanoseconds span) {
    RequestPlanner planner(ranges, grid("1h"), {}, [](TimeRange) { return Bars{}; });
    std::vector<TimeRange> asked;
    while (!planner.done()) {
        const AskedSegment segment = planner.next({span, -1}).value();
        EXPECT_EQ(segment.asked, segment.range());
        asked.push_back(segment.asked);
    }
    return asked;
}

TEST(CutByRequestPlanner, KeepsToTheSpanOldestFirst) {
    const std::vector<TimeRange> ranges{range("2020-01-01", "2020-01-10"), range("2020-02-01", "2020-02-03")};
    EXPECT_EQ(cut(ranges, days{4}),
              (std::vector{range("2020-01-01", "2020-01-05"), range("2020-01-05", "2020-01-09"),
                           range("2020-01-09", "2020-01-10"), range("2020-02-01", "2020-02-03")}));
}

TEST(CutByRequestPlanner, LeavesARangeOfExactlyOneSpanWhole) {
    const std::vector ranges{range("2020-01-01", "2020-01-05")};
    EXPECT_EQ(cut(ranges, days{4}), ranges);
    EXPECT_TRUE(cut({}, days{4}).empty());
}

/// Random ledgers over 200 hours, judged hour by hour against a plain table.
class RandomLedger : public testing::TestWithParam<unsigned> {
protected:
    static constexpr int length = 200;
    std::mt19937 random_{GetParam()};
    const UtcTime start_ = at("2020-01-01");

    int upto(int limit) { return std::uniform_int_distribution(0, limit)(random_); }
    [[nodiscard]] UtcTime hour(int index) const { return start_ + hours{index}; }

    std::vector<LedgerEntry> make_ledger(std::vector<bool>& covered) {
        std::vector<LedgerEntry> ledger;
        for (int i = upto(12); i > 0; --i) {
            const int first = upto(length - 2);
            const int last = first + 1 + upto(length - first - 2);
            const auto outcome = static_cast<AskOutcome>(upto(4));
            ledger.push_back({{hour(first), hour(last)}, outcome, at("2024-01-01")});
            for (int h = first; h < last && outcome <= AskOutcome::empty; ++h) {
                covered[static_cast<std::size_t>(h)] = true;
            }
        }
        return ledger;
    }
};

TEST_P(RandomLedger, SegmentsCoverExactlyWhatIsMissing) {
    std::vector<bool> covered(length, false);
    const std::vector<LedgerEntry> ledger = make_ledger(covered);
    const int first = upto(length / 2);
    const int last = first + 1 + upto(length / 2 - 1);
    const std::chrono::hours span{1 + upto(30)};
    const auto missing_runs = missing_ranges({hour(first), hour(last)}, {.ledger = ledger}, grid("1h"), now);
    const auto segments = cut(missing_runs, span);
    std::vector<bool> asked(length, false);
    UtcTime reached = hour(first);
    for (const TimeRange& segment : segments) {
        EXPECT_FALSE(segment.empty());
        EXPECT_LE(segment.end - segment.start, span);
        EXPECT_GE(segment.start, reached) << "overlap or out of order";
        reached = segment.end;
        for (UtcTime time = segment.start; time < segment.end; time += hours{1}) {
            asked[static_cast<std::size_t>((time - start_) / hours{1})] = true;
        }
    }
    EXPECT_LE(reached, hour(last));
    for (int h = 0; h < length; ++h) {
        const auto index = static_cast<std::size_t>(h);
        EXPECT_EQ(asked[index], h >= first && h < last && !covered[index]) << "hour " << h;
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomLedger, testing::Range(0U, 300U));

}  // namespace
}  // namespace ktrdr
