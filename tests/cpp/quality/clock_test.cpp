#include <ktrdr/quality/clock.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include <ktrdr/quality/check_quality.hpp>

#include "soak.hpp"
#include "synthetic.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::hours;
using test::complete;
using test::grid;
using test::shipped;
using testing::HasSubstr;

/// Stamps in UTC that are taken for times by the exchange's clock.
Bars converted(Bars bars, const SessionCalendar& calendar, int times) {
    for (std::int64_t& stamp : bars.time) {
        for (int left = times; left > 0; --left) {
            // In hours where no market that ever closes has bars the clock is changed.
            const UtcTime wall{std::chrono::nanoseconds{stamp}};
            const UtcTime guess = wall - calendar.offset_at(wall);
            stamp = (wall - calendar.offset_at(guess)).time_since_epoch().count();
        }
    }
    return bars;
}

Bars shifted(Bars bars, hours by) {
    for (std::int64_t& stamp : bars.time) {
        stamp += std::chrono::nanoseconds{by}.count();
    }
    return bars;
}

struct Series {
    std::string_view calendar;
    std::string_view timeframe;
    GridOptions options;
    TimeRange when;
};

std::vector<Series> all_series() {
    std::vector<Series> all;
    for (const TimeRange when : {range("2024-01-08", "2024-02-24"), range("2024-06-03", "2024-08-10"),
                                 range("2023-01-02", "2024-12-31"), range("2024-02-12", "2024-04-06")}) {
        for (const std::string_view timeframe : {"5m", "30m", "1h", "4h", "1d"}) {
            all.push_back({"XNYS", timeframe, {.provider = "IB"}, when});
            all.push_back({"XNYS", timeframe, {.cut = BarCut::clock}, when});
            all.push_back({"FOREX", timeframe, {.asset_class = "forex"}, when});
        }
    }
    return all;
}

/// Each of them, but under a sanitizer only some, of every calendar, cut and timeframe.
std::vector<Series> series_to_try() {
    std::vector<Series> some;
    const std::vector<Series> all = all_series();
    for (std::size_t number = 0; number < all.size(); number += soak_step(7)) {
        some.push_back(all[number]);
    }
    return some;
}

std::string name_of(const Series& one) {
    return std::string(one.calendar) + " " + std::string(one.timeframe) + " " + format_time(one.when.start);
}

TEST(Clock, OfAGoodSeriesIsNeverAccused) {
    for (const Series& one : series_to_try()) {
        const BarGrid of = grid(one.timeframe, shipped(one.calendar), one.options);
        const ClockReport report = diagnose_clock(complete(of, one.when), of).value();
        EXPECT_EQ(report.change, std::nullopt) << name_of(one) << " " << report.evidence;
        EXPECT_EQ(report.fit, 1) << name_of(one);
    }
}

TEST(Clock, ThatWasConvertedToOftenIsFoundAndUndoneToTheNanosecond) {
    for (const Series& one : series_to_try()) {
        const auto calendar = shipped(one.calendar);
        const BarGrid of = grid(one.timeframe, calendar, one.options);
        const Bars bars = complete(of, one.when);
        for (const int times : {1, 2, 3}) {
            const Bars wrong = converted(bars, *calendar, times);
            const ClockReport report = diagnose_clock(wrong, of).value();
            ASSERT_TRUE(report.change) << name_of(one) << " " << times << ": " << report.evidence;
            EXPECT_EQ(*report.change, (ClockChange{times, hours{0}})) << name_of(one) << " " << report.evidence;
            EXPECT_EQ(undo_clock(wrong, *calendar, *report.change).value(), bars) << name_of(one);
        }
    }
}

TEST(Clock, ThatShowsTheExchangesOwnTimesIsFoundAndUndone) {
    for (const Series& one : series_to_try()) {
        const auto calendar = shipped(one.calendar);
        const BarGrid of = grid(one.timeframe, calendar, one.options);
        const Bars bars = complete(of, one.when);
        Bars wrong = bars;
        for (std::size_t i = 0; i < bars.size(); ++i) {
            wrong.time[i] = (bars.start_of(i) + calendar->offset_at(bars.start_of(i))).time_since_epoch().count();
        }
        const ClockReport report = diagnose_clock(wrong, of).value();
        ASSERT_TRUE(report.change) << name_of(one) << ": " << report.evidence;
        EXPECT_EQ(*report.change, (ClockChange{-1, hours{0}})) << name_of(one);
        EXPECT_EQ(undo_clock(wrong, *calendar, *report.change).value(), bars) << name_of(one);
        EXPECT_THAT(report.evidence, HasSubstr("the exchange's own times"));
    }
}

TEST(Clock, ThatIsAheadByHoursAllYearIsFoundAndUndone) {
    const auto calendar = shipped("XNYS");
    const BarGrid of = grid("30m", calendar, {.provider = "IB"});
    const Bars bars = complete(of, range("2023-01-02", "2024-12-31"));
    for (const int by : {-9, -3, 2, 8}) {
        const Bars wrong = shifted(bars, hours{by});
        const ClockReport report = diagnose_clock(wrong, of).value();
        ASSERT_TRUE(report.change) << by << " " << report.evidence;
        EXPECT_EQ(*report.change, (ClockChange{0, hours{by}}));
        EXPECT_EQ(undo_clock(wrong, *calendar, *report.change).value(), bars);
    }
    EXPECT_EQ(to_string(ClockChange{0, hours{2}}), "ahead by 2 hours");
    EXPECT_EQ(to_string(ClockChange{0, hours{-1}}), "behind by 1 hour");
    EXPECT_EQ(to_string(ClockChange{2, hours{0}}), "converted to UTC 2 times too often");
}

/// As forex has been recorded: on one Sunday of three from three hours before the market opens on. (Where it is every
/// Sunday, a week is as long as one that is ahead by those hours, and nothing tells.)
Bars with_strays(const Bars& bars, const SessionCalendar& calendar, TimeRange when) {
    std::vector<UtcTime> strays;
    UtcTime before{};
    for (const Session& session : calendar.sessions()) {
        if (when.contains(session.open()) && session.open() - before > hours{30}) {
            for (const int early : {3, 2, 1}) {
                if (session.date.time_since_epoch().count() / 7 % 3 == 0) {
                    strays.push_back(session.open() - hours{early});
                }
            }
        }
        before = session.close();
    }
    return merge(bars, test::walk(strays));
}

TEST(Clock, IsFoundBehindStraysOfTheVendor) {
    const auto calendar = shipped("FOREX");
    const BarGrid hour = grid("1h", calendar, {.asset_class = "forex"});
    for (const TimeRange when :
         {range("2024-01-08", "2024-02-24"), range("2024-06-03", "2024-08-10"), range("2022-01-03", "2024-01-01")}) {
        const Bars bars = with_strays(complete(hour, when), *calendar, when);
        EXPECT_EQ(diagnose_clock(bars, hour).value().change, std::nullopt) << format_time(when.start);
        for (const int times : {1, 2, 3}) {
            const Bars wrong = converted(bars, *calendar, times);
            const ClockReport report = diagnose_clock(wrong, hour).value();
            ASSERT_TRUE(report.change) << times << " " << report.evidence;
            EXPECT_EQ(*report.change, (ClockChange{times, hours{0}}));
            EXPECT_EQ(undo_clock(wrong, *calendar, *report.change).value(), bars);
        }
    }
}

TEST(Clock, OfExtendedHoursIsFoundByWhatWasTraded) {
    const auto calendar = shipped("XNYS");
    const BarGrid extended = grid("5m", calendar, {.session = "extended"});
    std::vector<UtcTime> stamps;
    for (const Session& session : calendar->sessions(test::date("2024-01-08"), test::date("2024-02-20"))) {
        for (UtcTime stamp = session.midnight() + hours{4}; stamp < session.midnight() + hours{20};
             stamp += std::chrono::minutes{5}) {
            stamps.push_back(stamp);
        }
    }
    Bars bars = test::walk(stamps);
    for (std::size_t i = 0; i < bars.size(); ++i) {
        bars.volume[i] = calendar->is_open(bars.start_of(i)) ? 1000 : 100;
    }
    EXPECT_EQ(diagnose_clock(bars, extended).value().change, std::nullopt);
    for (const int times : {1, 2, 3}) {
        const Bars wrong = converted(bars, *calendar, times);
        EXPECT_EQ(diagnose_clock(wrong, extended).value().change, (ClockChange{times, hours{0}})) << times;
    }
}

TEST(Clock, OfAMarketThatNeverClosesTellsNothing) {
    const BarGrid crypto = grid("1h", shipped("CRYPTO"));
    const Bars bars = shifted(complete(crypto, range("2024-01-01", "2024-06-01")), hours{5});
    EXPECT_EQ(diagnose_clock(bars, crypto).value().change, std::nullopt);
}

TEST(Clock, IsNotAccusedOnTheWordOfFewBarsOrOfSeveralUndos) {
    const auto calendar = shipped("XNYS");
    const BarGrid hour = grid("1h", calendar, {.provider = "IB"});
    const Bars few = converted(complete(hour, range("2024-07-01", "2024-07-03")), *calendar, 1);
    const ClockReport too_few = diagnose_clock(few, hour).value();
    EXPECT_EQ(too_few.change, std::nullopt);
    EXPECT_THAT(too_few.evidence, HasSubstr("too few"));

    // One bar a day: at 20:00 nothing trades, but one or several hours before.
    std::vector<UtcTime> stamps;
    for (const Session& session : calendar->sessions(test::date("2024-06-01"), test::date("2024-09-01"))) {
        stamps.push_back(UtcTime{session.date} + hours{21});
    }
    const ClockReport several = diagnose_clock(test::walk(stamps), hour).value();
    EXPECT_EQ(several.change.has_value() && several.change->conversions == 0, false) << several.evidence;
}

TEST(Clock, OfGoodBarsWithHolesAndStraysIsNeverAccused) {
    const int count = soak_count(60, 2000);
    for (int number = 0; number < count; ++number) {
        std::mt19937 random(static_cast<unsigned>(number));
        const auto series = all_series();
        const Series& one = series[static_cast<std::size_t>(number) % series.size()];
        const BarGrid of = grid(one.timeframe, shipped(one.calendar), one.options);
        const Bars bars = complete(of, one.when);
        std::vector<bool> gone(bars.size());
        const auto share = 1 + random() % 9;
        for (std::size_t i = 0; i < gone.size(); ++i) {
            gone[i] = random() % 10 >= share;
        }
        Bars left = test::without(bars, gone);
        // A stray in twenty, anywhere.
        std::vector<UtcTime> strays;
        const std::size_t many = left.size() / 20;
        for (std::size_t i = 0; i < many; ++i) {
            strays.push_back(one.when.start + std::chrono::minutes{random() % 20000});
        }
        std::sort(strays.begin(), strays.end());
        strays.erase(std::unique(strays.begin(), strays.end()), strays.end());
        left = merge(left, test::walk(strays));
        const ClockReport report = diagnose_clock(left, of).value();
        EXPECT_EQ(report.change, std::nullopt) << number << " " << name_of(one) << " " << report.evidence;
    }
}

TEST(Clock, IsAFindingOfTheReport) {
    const auto calendar = shipped("XNYS");
    const BarGrid hour = grid("1h", calendar, {.provider = "IB"});
    const Bars wrong = converted(complete(hour, range("2024-01-08", "2024-03-01")), *calendar, 2);
    const QualityReport report = check_quality(wrong, hour).value();
    ASSERT_EQ(report.count(QualityRule::clock), 1U);
    EXPECT_EQ(report.findings.back().severity, Severity::error);
    EXPECT_EQ(report.findings.back().value, 2);
    EXPECT_THAT(report.findings.back().evidence, HasSubstr("converted to UTC 2 times too often"));
}

TEST(Clock, NeedsACalendarAndBarsInOrder) {
    EXPECT_FALSE(diagnose_clock({}, grid("1h")));
    const Bars bars = test::walk({at("2024-07-02"), at("2024-07-01")});
    EXPECT_FALSE(diagnose_clock(bars, grid("1h", shipped("XNYS"))));
}

TEST(Clock, IsNotUndoneWhereTwoBarsWouldHaveOneStamp) {
    // 2024-11-03 05:30Z and 06:30Z are both 01:30 in New York.
    const Bars bars = test::walk({at("2024-11-03T05:30"), at("2024-11-03T06:30")});
    const auto undone = undo_clock(bars, *shipped("XNYS"), {1, hours{0}});
    ASSERT_FALSE(undone);
    EXPECT_THAT(undone.error().message, HasSubstr("row 1"));
    EXPECT_FALSE(undo_clock(bars, *shipped("XNYS"), {99, hours{0}}));
    EXPECT_EQ(undo_clock(bars, *shipped("XNYS"), {}).value(), bars);
}

}  // namespace
}  // namespace ktrdr
