#include <gtest/gtest.h>

#include <random>
#include <set>

#include <soak.hpp>

#include "calendars.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

/// Sessions that begin on the evening before and end on the morning after, and a day without one in between.
SessionCalendarPtr nights() {
    return SessionCalendar::read(
               "calendar,NIGHTS\nzone,Asia/Tokyo\ndates,2024-01-01,2024-12-31\noffset,2023-12-30T00:00Z,+09:00\n"
               "week,2024-01-01,mon-thu,-07:00,15:00\nweek,2024-01-01,fri,-07:00,25:30\nclosed,2024-03-06\n",
               "nights.csv")
        .value();
}

std::vector<SessionCalendarPtr> calendars() {
    std::vector<SessionCalendarPtr> all{test::tokyo(), nights()};
    for (const std::string_view name : SessionCalendar::shipped_names()) {
        all.push_back(test::shipped(name));
    }
    return all;
}

/// The date of the session that a bar is of: the one that its period has time in.
std::optional<sys_days> session_of(const SessionCalendar& calendar, Period period) {
    const auto session = calendar.session_at(period.start);
    const auto last = calendar.session_at(period.end - std::chrono::nanoseconds{1});
    return session ? std::optional(session->date) : last ? std::optional(last->date) : std::nullopt;
}

TEST(RangeOfDates, HoldsAllBarsOfTheirSessionsAndNoneOfOthers) {
    std::mt19937 random(7);
    const std::vector<SessionCalendarPtr> all = calendars();
    for (int turn = 0; turn < soak_count(400, 20'000); ++turn) {
        const SessionCalendarPtr& calendar = all[random() % all.size()];
        const bool forex = calendar->name() == "FOREX";
        const std::array<const char*, 5> timeframes{"5m", "15m", "30m", "1h", "4h"};
        const BarGrid bars = test::grid(timeframes.at(random() % timeframes.size()), calendar,
                                        {.provider = random() % 2 == 0 ? "IB" : "other",
                                         .asset_class = forex ? "forex" : "stock",
                                         .cut = static_cast<BarCut>(random() % 3)});
        const auto span = static_cast<unsigned>((calendar->last_date() - calendar->first_date()).count() - 60);
        const sys_days first = calendar->first_date() + days{20 + random() % span};
        const sys_days last = first + days{random() % 12};
        const TimeRange named{bars.range_of(first).start, bars.range_of(last).end};
        const TimeRange around{UtcTime{first - days{8}}, UtcTime{last + days{8}}};
        const auto stamps = bars.expected(around);
        ASSERT_TRUE(stamps) << calendar->name() << " " << format_time(around.start) << " " << format_time(around.end);
        for (const UtcTime stamp : *stamps) {
            const auto date = session_of(*calendar, bars.period_of(stamp));
            ASSERT_TRUE(date) << calendar->name() << " " << bars.timeframe().name() << " " << format_time(stamp);
            ASSERT_EQ(named.contains(stamp), *date >= first && *date <= last)
                << calendar->name() << " " << bars.timeframe().name() << " " << format_time(stamp) << " for "
                << format_date(UtcTime{first}) << " to " << format_date(UtcTime{last});
        }
    }
}

TEST(RangeOfADate, WithoutASessionHoldsNothingOfThoseAround) {
    const BarGrid hours = test::grid("1h", test::shipped("FOREX"));
    EXPECT_EQ(hours.range_of(test::date("2024-07-07")), range("2024-07-07", "2024-07-07T21:00")) << "Sunday";
    EXPECT_EQ(hours.range_of(test::date("2024-07-06")), range("2024-07-06", "2024-07-07")) << "Saturday";
    const BarGrid stocks = test::grid("1h", test::shipped("XNYS"), {.session = "extended"});
    EXPECT_EQ(stocks.range_of(test::date("2024-07-06")), range("2024-07-06T04:00", "2024-07-07")) << "Saturday";
    const BarGrid late = test::grid("1h", nights());
    EXPECT_EQ(late.range_of(test::date("2024-01-06")), range("2024-01-06", "2024-01-07")) << "Saturday";
    EXPECT_EQ(late.range_of(test::date("2024-03-06")), range("2024-03-06", "2024-03-06T08:00")) << "closed";
}

}  // namespace
}  // namespace ktrdr
