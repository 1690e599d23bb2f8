#include <ktrdr/quality/clock.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include <ktrdr/market/time_text.hpp>

#include "row_poll.hpp"

namespace ktrdr {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;

/// Fewer tell nothing.
constexpr std::size_t enough_for_a_clock = 20;
/// Bars that are looked at for each change: blocks of those that follow each other, so that no rhythm is met.
constexpr std::size_t looked_at = 50'000;
constexpr std::size_t block_bars = 1'000;
/// So much outside of sessions is no matter of a clock.
constexpr double stray = 0.005;
constexpr double least_fit = 0.8;
/// And an undo must bring in so much, for a few strays fit some clock or other.
constexpr double least_gain = 0.02;
constexpr double least_gain_by_shift = 0.08;
/// Of what lies outside of sessions so much may be left when a conversion is undone, or a shift, of which more are
/// tried: a vendor's own strays stay where they are.
constexpr double left_by_conversion = 0.5;
constexpr double left_by_shift = 0.1;
/// Two explanations this near, of what there is to explain, are as good as each other.
constexpr double as_good = 0.05;
constexpr int most_conversions = 3;
constexpr int first_shift = -12;
constexpr int last_shift = 14;

UtcTime to_wall(UtcTime utc, const SessionCalendar& calendar) noexcept {
    return utc + calendar.offset_at(utc);
}

/// Of an hour that the clock shows twice, the first.
UtcTime from_wall(UtcTime wall, const SessionCalendar& calendar) noexcept {
    const UtcTime guess = wall - calendar.offset_at(wall - hours{24});
    return to_wall(guess, calendar) == wall ? guess : wall - calendar.offset_at(wall + hours{24});
}

UtcTime undone(UtcTime stamp, const SessionCalendar& calendar, const ClockChange& change) noexcept {
    for (int left = change.conversions; left > 0; --left) {
        stamp = to_wall(stamp, calendar);
    }
    for (int left = change.conversions; left < 0; ++left) {
        stamp = from_wall(stamp, calendar);
    }
    return stamp - change.shift;
}

/// Whether times that mostly rise are such that a bar may be stamped so.
class SessionScan final {
public:
    explicit SessionScan(const BarGrid& grid)
        : grid_(grid), sessions_(grid.calendar()->sessions()), by_hours_(grid.timeframe().is_intraday()) {}

    [[nodiscard]] bool fits(UtcTime stamp) {
        if (!by_hours_) {
            return grid_.floor(stamp) == stamp;
        }
        while (next_ < sessions_.size() && sessions_[next_].close() <= stamp) {
            ++next_;
        }
        while (next_ > 0 && sessions_[next_ - 1].close() > stamp) {
            --next_;
        }
        return next_ < sessions_.size() && sessions_[next_].open() < grid_.next_unbroken(stamp);
    }

private:
    const BarGrid& grid_;
    std::span<const Session> sessions_;
    bool by_hours_;
    std::size_t next_{0};
};

class ClockTrial final {
public:
    ClockTrial(const Bars& bars, const BarGrid& grid, const QualityPoll& poll)
        : bars_(bars), grid_(grid), wanted_(poll) {
        stride_ = std::max<std::size_t>(1, bars.size() / looked_at);
        by_volume_ = std::all_of(bars.volume.begin(), bars.volume.end(), [](double one) { return one >= 0; }) &&
                     std::any_of(bars.volume.begin(), bars.volume.end(), [](double one) { return one > 0; });
    }

    [[nodiscard]] double fit(const ClockChange& change) const {
        SessionScan scan(grid_);
        const SessionCalendar& calendar = *grid_.calendar();
        const TimeRange known = calendar.coverage();
        double inside = 0;
        double all = 0;
        for (std::size_t i = 0; i < bars_.size(); ++i) {
            wanted_.at(i);
            if (i / block_bars % stride_ != 0) {
                continue;
            }
            const UtcTime stamp = bars_.start_of(i);
            if (!known.contains(stamp)) {
                continue;
            }
            const double weight = by_volume_ ? bars_.volume[i] : 1;
            all += weight;
            inside += scan.fits(undone(stamp, calendar, change)) ? weight : 0;
        }
        return all > 0 ? inside / all : 1;
    }

    ClockReport diagnose() const {
        ClockReport report;
        report.fit = fit({});
        const std::string now = fmt::format("{:.1f} % of {} lie in {} sessions as they are", 100 * report.fit,
                                            by_volume_ ? "what was traded" : "the bars", grid_.calendar()->name());
        report.scores.push_back({{}, report.fit});
        if (bars_.size() < enough_for_a_clock || 1 - report.fit <= stray) {
            report.evidence = bars_.size() < enough_for_a_clock
                                  ? fmt::format("{}; {} bars are too few to tell", now, bars_.size())
                                  : now;
            return report;
        }
        try_changes(report);
        decide(report, now);
        return report;
    }

private:
    void try_changes(ClockReport& report) const {
        for (const int conversions : {1, 2, 3, -1}) {
            const ClockChange change{conversions, hours{0}};
            report.scores.push_back({change, fit(change)});
        }
        for (int shift = first_shift; shift <= last_shift; ++shift) {
            if (shift != 0) {
                const ClockChange change{0, hours{shift}};
                report.scores.push_back({change, fit(change)});
            }
        }
        std::stable_sort(report.scores.begin(), report.scores.end(),
                         [](const ClockScore& one, const ClockScore& other) { return one.fit > other.fit; });
    }

    static void decide(ClockReport& report, const std::string& now) {
        const double outside = 1 - report.fit;
        const double best = 1 - report.scores.front().fit;
        const auto explains = [&](const ClockScore& score) {
            const double left = 1 - score.fit;
            const double most = score.change.conversions != 0 ? left_by_conversion : left_by_shift;
            return score.change != ClockChange{} && score.fit >= least_fit && left <= most * outside &&
                   outside - left >= (score.change.conversions != 0 ? least_gain : least_gain_by_shift) &&
                   left <= best + as_good * outside;
        };
        std::vector<ClockScore> good;
        std::copy_if(report.scores.begin(), report.scores.end(), std::back_inserter(good), explains);
        // Of a winter's bars a shift fits as well as the conversion that made it.
        if (std::any_of(good.begin(), good.end(), [](const ClockScore& one) { return one.change.conversions != 0; })) {
            std::erase_if(good, [](const ClockScore& one) { return one.change.conversions == 0; });
        }
        if (good.size() == 1) {
            report.change = good.front().change;
            report.evidence = fmt::format("{}, {:.1f} % when that is undone: the stamps are {}", now,
                                          100 * good.front().fit, to_string(*report.change));
        } else if (good.empty()) {
            report.evidence = now + ", and no other clock puts them there";
        } else {
            report.evidence = fmt::format("{}; {} clocks would put them there as well as each other", now, good.size());
        }
    }

    const Bars& bars_;
    const BarGrid& grid_;
    const RowPoll wanted_;
    std::size_t stride_{1};
    bool by_volume_{false};
};

}  // namespace

std::string to_string(const ClockChange& change) {
    if (change == ClockChange{}) {
        return "as they should be";
    }
    std::string text;
    if (change.conversions < 0) {
        text = "the exchange's own times, not UTC";
    } else if (change.conversions > 0) {
        text = change.conversions == 1 ? "converted to UTC once too often"
                                       : fmt::format("converted to UTC {} times too often", change.conversions);
    }
    if (change.shift != hours{0}) {
        const auto count = change.shift.count();
        text += fmt::format("{}{} by {} {}", text.empty() ? "" : ", and ", count > 0 ? "ahead" : "behind",
                            std::abs(count), std::abs(count) == 1 ? "hour" : "hours");
    }
    return text;
}

Result<ClockReport> diagnose_clock(const Bars& bars, const BarGrid& grid, const QualityPoll& poll) {
    if (!grid.calendar()) {
        return fail(Errc::invalid_argument, "a clock is looked at against a calendar: give one",
                    {{"field", "calendar"}});
    }
    if (auto checked = bars.check(); !checked) {
        return checked.error();
    }
    return until_unwanted([&]() -> Result<ClockReport> { return ClockTrial(bars, grid, poll).diagnose(); });
}

Result<Bars> undo_clock(const Bars& bars, const SessionCalendar& calendar, const ClockChange& change) {
    if (std::abs(change.conversions) > 2 * most_conversions || std::abs(change.shift.count()) > 48) {
        return fail(Errc::invalid_argument,
                    fmt::format("a clock {} is none that is undone: at most {} conversions and 48 hours",
                                to_string(change), 2 * most_conversions),
                    {{"field", "change"}});
    }
    Bars made = bars;
    for (std::size_t i = 0; i < made.size(); ++i) {
        made.time[i] = undone(bars.start_of(i), calendar, change).time_since_epoch().count();
        if (i > 0 && made.time[i] <= made.time[i - 1] && bars.time[i] > bars.time[i - 1]) {
            return fail(
                Errc::invalid_argument,
                fmt::format("row {} ({}): undone, it would not lie behind the row before it, as in an hour that "
                            "the clock shows twice; leave it out",
                            i, format_time(bars.start_of(i))),
                {{"row", i}});
        }
    }
    return made;
}

}  // namespace ktrdr
