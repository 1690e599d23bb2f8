// Requests for missing ranges: they cover what is missing, keep to the span, and cost what they must.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>

#include <ktrdr/calendar/session_calendar.hpp>
#include <ktrdr/data/planner.hpp>
#include <ktrdr/data/request_planner.hpp>
#include <ktrdr/market/time_text.hpp>

#include "soak.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using testing::SizeIs;

BarGrid grid_in(std::string_view timeframe, std::string_view calendar) {
    const auto frame = Timeframe::parse(timeframe).value();
    return calendar.empty()
               ? BarGrid(frame)
               : BarGrid::make(frame, SessionCalendar::shipped(calendar).value(), {.provider = "IB"}).value();
}

Bars bars_of(const std::vector<UtcTime>& stamps) {
    Bars bars;
    for (const UtcTime stamp : stamps) {
        bars.push_back(stamp.time_since_epoch().count(), 10, 11, 9, 10, 100);
    }
    return bars;
}

struct Plan {
    std::vector<AskedSegment> segments{};
    std::vector<TimeRange> ranges{};
};

Plan plan_of(const std::vector<TimeRange>& missing, const BarGrid& grid, RequestPlanner::Order order,
             RequestPlanner::Pace pace, const Bars& stored) {
    RequestPlanner planner(missing, grid, order, [&stored](TimeRange range) { return stored.slice(range); });
    Plan plan;
    while (!planner.done()) {
        EXPECT_GE(planner.requests_left(pace.span), 1U);
        plan.segments.push_back(planner.next(pace).value());
        for (const AskedHole& hole : plan.segments.back().holes) {
            plan.ranges.push_back(hole.range);
        }
    }
    EXPECT_EQ(planner.requests_left(pace.span), 0U);
    std::sort(plan.ranges.begin(), plan.ranges.end());
    return plan;
}

/// Those that touch as one.
std::vector<TimeRange> as_one(const std::vector<TimeRange>& ranges) {
    std::vector<TimeRange> all;
    for (const TimeRange& range : ranges) {
        if (!all.empty() && range.start == all.back().end) {
            all.back().end = range.end;
        } else {
            all.push_back(range);
        }
    }
    return all;
}

void expect_sound(const AskedSegment& segment, std::chrono::nanoseconds span, const Bars& stored,
                  const std::string& where) {
    ASSERT_FALSE(segment.holes.empty()) << where;
    ASSERT_LE(segment.asked.end - segment.asked.start, span) << where;
    ASSERT_LE(segment.asked.start, segment.range().start) << where;
    ASSERT_GE(segment.asked.end, segment.range().end) << where;
    std::vector<std::int64_t> beside;
    const Bars inside = stored.slice(segment.asked);
    for (std::size_t i = 0; i < inside.size(); ++i) {
        const bool in_a_hole = std::any_of(segment.holes.begin(), segment.holes.end(), [&](const AskedHole& hole) {
            return hole.range.contains(inside.start_of(i));
        });
        if (!in_a_hole) {
            beside.push_back(inside.time[i]);
        }
    }
    ASSERT_EQ(segment.stored, beside) << where;
}

/// Of every timeframe, with a calendar and without, over leap days, clock changes and year ends.
class PlannedRanges : public testing::TestWithParam<std::string_view> {
protected:
    int upto(int limit) { return std::uniform_int_distribution(0, limit)(random_); }

    void run(unsigned seed) {
        random_.seed(seed);
        const std::array<std::string_view, 4> calendars{"", "XNYS", "FOREX", "CRYPTO"};
        const BarGrid grid = grid_in(GetParam(), calendars.at(static_cast<std::size_t>(upto(3))));
        const auto bar = grid.timeframe().shortest();
        // Leap days, ends of years, and both changes of the clock in New York lie among the starts.
        const std::array starts{at("2020-02-27"),       at("2023-12-29T17:23"), at("2024-02-28"),
                                at("2024-03-08T13:30"), at("2021-11-05T03:00"), at("2019-12-31T23:59"),
                                at("2022-03-11")};
        const UtcTime start = starts.at(static_cast<std::size_t>(upto(6))) + minutes{upto(3000)};
        const TimeRange asked{start, start + (20 + upto(600)) * bar + minutes{upto(2000)}};
        const auto span = std::max<std::chrono::nanoseconds>(days{1}, (5 + upto(200)) * bar + minutes{upto(5000)});

        std::vector<LedgerEntry> ledger;
        for (int i = upto(6); i > 0; --i) {
            const UtcTime first = start + upto(500) * bar + minutes{upto(60)};
            ledger.push_back(
                {{first, first + (1 + upto(60)) * bar}, static_cast<AskOutcome>(upto(4)), at("2024-06-01")});
        }
        const UtcTime now = at("2025-06-01");
        const auto missing = missing_ranges(asked, {.ledger = ledger}, grid, now);
        std::vector<UtcTime> stamps;
        const auto expected = grid.expected({asked.start - days{40}, asked.end + days{40}});
        for (UtcTime stamp = grid.floor(asked.start - 50 * bar); !expected && stamp < asked.end + 50 * bar;
             stamp = grid.next(stamp)) {
            stamps.push_back(stamp);
        }
        const Bars all = bars_of(expected.value_or(stamps));
        Bars stored;
        for (std::size_t i = 0; i < all.size(); ++i) {
            const bool lacks = std::any_of(missing.begin(), missing.end(),
                                           [&](const TimeRange& part) { return part.contains(all.start_of(i)); });
            if (!lacks) {
                stored.push_back(all.time[i], 10, 11, 9, 10, 100);
            }
        }
        const RequestPlanner::Order order{.newest_first = upto(1) == 1, .whole_units = upto(2) == 0};
        const Plan plan = plan_of(missing, grid, order, {span, static_cast<double>(upto(100) - 1)}, stored);
        const std::string where = fmt::format("{} seed {}", GetParam(), seed);
        ASSERT_EQ(as_one(plan.ranges), as_one(missing)) << where;
        for (const AskedSegment& segment : plan.segments) {
            ASSERT_NO_FATAL_FAILURE(expect_sound(segment, span, stored, where));
        }
        // Every bar that should exist is stored or asked for.
        for (std::size_t i = 0; i < all.size(); ++i) {
            const UtcTime stamp = all.start_of(i);
            const bool covered = std::binary_search(stored.time.begin(), stored.time.end(), all.time[i]);
            const bool wanted = std::any_of(plan.ranges.begin(), plan.ranges.end(),
                                            [stamp](const TimeRange& part) { return part.contains(stamp); });
            ASSERT_TRUE(!asked.contains(stamp) || covered != wanted) << where << " " << format_time(stamp);
        }
    }

    std::mt19937 random_{};
};

TEST_P(PlannedRanges, CoverEveryBarThatIsMissingOnceAndKeepToTheSpan) {
    const int count = soak_count(100, 1000);
    for (int i = 0; i < count && !HasFailure(); ++i) {
        run(static_cast<unsigned>(i));
    }
}

INSTANTIATE_TEST_SUITE_P(Timeframes, PlannedRanges,
                         testing::Values("1m", "2m", "3m", "5m", "10m", "15m", "20m", "30m", "1h", "2h", "3h", "4h",
                                         "8h", "1d", "1w", "1M"));

TEST(RequestPlanner, AsksForHundredsOfSmallHolesAtOnce) {
    const BarGrid grid = grid_in("1h", "XNYS");
    const TimeRange year = range("2023-01-01", "2024-01-01");
    const auto stamps = grid.expected(year).value();
    std::vector<UtcTime> there;
    std::vector<TimeRange> missing;
    for (std::size_t i = 0; i < stamps.size(); ++i) {
        if (i % 5 == 2) {
            missing.push_back({stamps[i], grid.end_of(stamps[i])});
        } else {
            there.push_back(stamps[i]);
        }
    }
    ASSERT_GT(missing.size(), 300U);
    const Bars stored = bars_of(there);
    EXPECT_LE(plan_of(missing, grid, {}, {days{180}, 50}, stored).segments.size(), 3U);
    EXPECT_LE(plan_of(missing, grid, {.newest_first = true}, {days{180}, 50}, stored).segments.size(), 3U);
    EXPECT_THAT(plan_of(missing, grid, {}, {days{180}, 3}, stored).segments, SizeIs(missing.size()))
        << "where bars are dear the holes are asked for alone";
}

TEST(RequestPlanner, LeavesADistanceThatCostsMoreThanARequest) {
    const BarGrid grid = grid_in("1d", "");
    std::vector<UtcTime> there;
    for (int i = 0; i < 365; ++i) {
        there.push_back(at("2023-01-01") + days{i});
    }
    const std::vector<TimeRange> missing{range("2023-03-01", "2023-03-02"), range("2023-03-12", "2023-03-13"),
                                         range("2023-06-01", "2023-06-02")};
    Bars stored = bars_of(there);
    for (const TimeRange& hole : missing) {
        stored = merge(stored.slice({UtcTime::min(), hole.start}), stored.slice({hole.end, UtcTime::max()}));
    }
    const Plan plan = plan_of(missing, grid, {}, {days{365}, 30}, stored);
    ASSERT_THAT(plan.segments, SizeIs(2));
    EXPECT_EQ(plan.segments[0].asked, range("2023-02-26", "2023-03-16"));
    EXPECT_EQ(plan.segments[0].holes[0].behind.start_of(0), at("2023-03-02"));
    EXPECT_EQ(plan.segments[0].holes[1].before.start_of(2), at("2023-03-11"));
    EXPECT_EQ(plan.segments[1].asked, range("2023-05-29", "2023-06-05"));
}

TEST(RequestPlanner, AsksForTheNewestFirstWhereItIsToldTo) {
    const std::vector<TimeRange> missing{range("2020-01-01", "2020-01-10"), range("2020-02-01", "2020-02-03")};
    std::vector<TimeRange> asked;
    for (const AskedSegment& one :
         plan_of(missing, grid_in("1h", ""), {.newest_first = true}, {days{4}, -1}, {}).segments) {
        asked.push_back(one.asked);
    }
    EXPECT_EQ(asked, (std::vector{range("2020-02-01", "2020-02-03"), range("2020-01-06", "2020-01-10"),
                                  range("2020-01-02", "2020-01-06"), range("2020-01-01", "2020-01-02")}));
}

TEST(RequestPlanner, AsksInWholeDaysAndWeeksWhereUnitsMayBeRoundedDown) {
    const BarGrid grid = grid_in("1h", "");
    const auto length_of = [&grid](TimeRange missing, days span) {
        const Plan plan = plan_of({missing}, grid, {.whole_units = true}, {span, -1}, {});
        EXPECT_EQ(plan.segments[0].asked.end, missing.end);
        return plan.segments[0].asked.end - plan.segments[0].asked.start;
    };
    EXPECT_EQ(length_of(range("2020-01-01T10:00", "2020-01-01T11:00"), days{30}), days{1});
    EXPECT_EQ(length_of(range("2020-01-01T10:00", "2020-01-03T11:00"), days{30}), days{3});
    EXPECT_EQ(length_of(range("2020-01-01", "2020-01-08"), days{30}), days{7});
    EXPECT_EQ(length_of(range("2020-01-01", "2020-01-09"), days{30}), days{14});
    const Plan within = plan_of({range("2020-01-01", "2020-01-09")}, grid, {.whole_units = true}, {days{10}, -1}, {});
    ASSERT_THAT(within.segments, SizeIs(2)) << "never more than the span";
    EXPECT_EQ(within.segments[0].asked, range("2020-01-01", "2020-01-08"));
    EXPECT_EQ(within.segments[1].asked, range("2020-01-08", "2020-01-09"));
}

TEST(RequestPlanner, NeedsNoMoreRequestsForAYearThanTheGoals) {
    const TimeRange year = range("2023-01-01", "2024-01-01");
    EXPECT_LE(plan_of({year}, grid_in("1m", "XNYS"), {}, {days{7}, 250}, {}).segments.size(), 53U);
    EXPECT_LE(plan_of({year}, grid_in("1h", "XNYS"), {}, {days{180}, 250}, {}).segments.size(), 3U);
}

}  // namespace
}  // namespace ktrdr
