// Work over many bars asks on every pass whether it is still wanted, and ends there with what it is told.
#include <gtest/gtest.h>

#include <algorithm>

#include <ktrdr/quality/check_quality.hpp>
#include <ktrdr/quality/clock.hpp>
#include <ktrdr/quality/repair.hpp>

#include "soak.hpp"
#include "synthetic.hpp"

namespace ktrdr {
namespace {

const Error enough{Errc::cancelled, "enough", {}};

/// Counts how often it is asked, and answers an error from the so-manieth time on; 0 for never.
struct Poll {
    int stop_at{0};
    int asked{0};

    QualityPoll watch() {
        return [this]() -> Result<void> {
            return ++asked == stop_at || (stop_at > 0 && asked > stop_at) ? Result<void>(enough) : Result<void>{};
        };
    }
};

/// Three months of minutes around the clock, under a sanitizer half of them, which are several pieces too; one in a
/// thousand is there twice, out of place or has high and low changed.
Bars minutes_of_a_spring() {
    const std::string_view end = soak_step(2) == 1 ? "2024-06-01" : "2024-04-15";
    Bars bars = test::complete(test::grid("1m", test::shipped("CRYPTO")), range("2024-03-01", end));
    for (std::size_t row = 1000; row + 1 < bars.size(); row += 1000) {
        std::swap(bars.high[row], bars.low[row]);
        bars.time[row + 1] = row % 2000 == 0 ? bars.time[row] : bars.time[row - 1] - 1;
    }
    return bars;
}

/// Run some work to its end, then stop it at each time that it asks.
template <class Work>
void expect_it_ends_wherever_it_asks(int least, const Work& work) {
    Poll never;
    ASSERT_TRUE(work(never.watch()));
    EXPECT_GE(never.asked, least) << "it was hardly asked";
    constexpr int stops = sanitized ? 3 : 12;
    for (int time = 1; time <= never.asked; time += std::max(1, never.asked / stops)) {
        Poll poll{.stop_at = time};
        const auto ended = work(poll.watch());
        ASSERT_FALSE(ended) << "it went on at " << time << " of " << never.asked;
        EXPECT_EQ(ended.error(), enough);
        EXPECT_LE(poll.asked, time + 1) << "it asked again";
    }
}

/// Rows between two questions, at most.
constexpr int piece = 16 * 1024;

TEST(Unwanted, ACheckEndsInEachOfItsPasses) {
    const Bars bars = minutes_of_a_spring();
    const BarGrid grid = test::grid("1m", test::shipped("CRYPTO"));
    const int pieces = static_cast<int>(bars.size()) / piece;
    // Order, duplicates, numbers, volumes, places, equal bars, gaps, openings, moves, wicks, clock.
    expect_it_ends_wherever_it_asks(10 * pieces,
                                    [&](const QualityPoll& poll) { return check_quality(bars, grid, {.poll = poll}); });
}

TEST(Unwanted, ACheckWithoutACalendarEndsInEachOfItsPasses) {
    const Bars bars = minutes_of_a_spring();
    const int pieces = static_cast<int>(bars.size()) / piece;
    expect_it_ends_wherever_it_asks(9 * pieces, [&](const QualityPoll& poll) {
        return check_quality(bars, BarGrid(Timeframe::parse("1m").value()), {.poll = poll});
    });
}

TEST(Unwanted, ACheckAgainstLongerBarsEndsAmongThem) {
    const BarGrid grid = test::grid("1m", test::shipped("CRYPTO"));
    const BarGrid hours = test::grid("1h", test::shipped("CRYPTO"));
    const Bars bars = test::complete(grid, range("2024-01-01", "2024-02-01"));
    const auto longer = std::make_shared<const Bars>(test::complete(hours, range("2024-01-01", "2024-02-01")));
    Poll without;
    Poll with;
    ASSERT_TRUE(check_quality(bars, grid, {.poll = without.watch()}));
    const auto check = [&](const QualityPoll& poll) {
        return check_quality(bars, grid, {.longer = LongerBars{longer, hours}, .poll = poll});
    };
    ASSERT_TRUE(check(with.watch()));
    EXPECT_GE(with.asked, without.asked + 3);
    expect_it_ends_wherever_it_asks(with.asked, check);
}

TEST(Unwanted, GapsOfEachKindOfGridEndAmongBars) {
    const TimeRange all = range("2024-03-01", "2024-06-01");
    const Bars bars = test::complete(test::grid("1m", test::shipped("CRYPTO")), all);
    const BarGrid session = test::grid("1m", test::shipped("XNYS"));
    const BarGrid extended = test::grid("1m", test::shipped("XNYS"), {.session = "extended"});
    for (const BarGrid& grid : {session, extended, BarGrid(Timeframe::parse("1m").value())}) {
        expect_it_ends_wherever_it_asks(
            3, [&](const QualityPoll& poll) { return find_gaps(bars, grid, all, {}, {.poll = poll}); });
    }
}

TEST(Unwanted, AClockIsTriedNoFurther) {
    const BarGrid grid = test::grid("1m", test::shipped("XNYS"));
    Bars bars = test::complete(grid, range("2024-03-01", "2024-06-01"));
    for (std::int64_t& stamp : bars.time) {
        stamp += std::chrono::nanoseconds(std::chrono::hours{5}).count();
    }
    // It is tried by some thirty clocks.
    expect_it_ends_wherever_it_asks(60, [&](const QualityPoll& poll) { return diagnose_clock(bars, grid, poll); });
}

TEST(Unwanted, ARepairEndsInEachOfItsPasses) {
    const Bars bars = minutes_of_a_spring();
    const BarGrid grid = test::grid("1m", test::shipped("CRYPTO"));
    const QualityReport report = check_quality(bars, grid, {.most_of_a_rule = bars.size()}).value();
    expect_it_ends_wherever_it_asks(2 * static_cast<int>(bars.size()) / piece,
                                    [&](const QualityPoll& poll) { return repair(bars, report, poll); });
}

}  // namespace
}  // namespace ktrdr
