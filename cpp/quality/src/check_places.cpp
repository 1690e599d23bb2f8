// Stamps that no bar of the timeframe has.

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/market/bar_check.hpp>
#include <ktrdr/market/time_text.hpp>

#include "rules.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::nanoseconds;

/// A stamp that no bar of the timeframe has.
class PlaceChecker final {
public:
    PlaceChecker(const Bars& bars, const BarGrid& grid, const RowPoll& wanted, FindingList& found)
        : bars_(bars), grid_(grid), calendar_(grid.calendar().get()), wanted_(wanted), found_(found) {}

    void check() {
        if (calendar_ == nullptr) {
            by_the_quarter();
        } else if (grid_.extended() && grid_.timeframe().is_intraday()) {
            by_the_date();
        } else {
            by_the_grid();
        }
    }

private:
    /// Sessions begin at quarters of an hour, whatever the zone.
    void by_the_quarter() {
        const nanoseconds unit = stamp_step(grid_.timeframe());
        for (std::size_t i = 0; i < bars_.size(); ++i) {
            wanted_.at(i);
            if (bars_.time[i] % unit.count() != 0) {
                mark_off_grid(i);
            }
        }
    }

    void by_the_grid() {
        const auto [lowest, highest] = std::minmax_element(bars_.time.begin(), bars_.time.end());
        if (lowest == bars_.time.end()) {
            return;
        }
        const TimeRange known = calendar_->coverage();
        const TimeRange range{std::max(known.start, UtcTime{nanoseconds{*lowest}}),
                              std::min(known.end, UtcTime{nanoseconds{*highest}} + nanoseconds{1})};
        const auto stamps = grid_.expected(range.empty() ? TimeRange{known.start, known.start} : range)
                                .value_or(std::vector<UtcTime>{});
        auto next = stamps.begin();
        wanted_.ask();
        for (std::size_t i = 0; i < bars_.size(); ++i) {
            wanted_.at(i);
            const UtcTime stamp = bars_.start_of(i);
            if (next != stamps.end() && *next == stamp) {
                ++next;
                continue;
            }
            next = std::lower_bound(stamps.begin(), stamps.end(), stamp);
            if (next != stamps.end() && *next == stamp) {
                ++next;
            } else if (known.contains(stamp)) {
                mark(i, is_near_a_session(stamp));
            }
        }
    }

    /// Extended hours: at whole lengths from the midnight of a date that has a session.
    void by_the_date() {
        const nanoseconds length = grid_.timeframe().shortest();
        for (std::size_t i = 0; i < bars_.size(); ++i) {
            wanted_.at(i);
            const UtcTime stamp = bars_.start_of(i);
            if (!date_.contains(stamp)) {
                date_ = date_of(stamp);
            }
            const bool inside = date_.contains(stamp);
            if (calendar_->coverage().contains(stamp) &&
                (!inside || (stamp - date_.start) % length != nanoseconds{0})) {
                mark(i, inside);
            }
        }
    }

    [[nodiscard]] TimeRange date_of(UtcTime stamp) const {
        const auto sessions = calendar_->sessions();
        const auto session = std::partition_point(sessions.begin(), sessions.end(), [stamp](const Session& one) {
            return one.midnight() + days{1} <= stamp;
        });
        return session == sessions.end() ? TimeRange{} : TimeRange{session->midnight(), session->midnight() + days{1}};
    }

    /// Whether a bar of that length from there on would have some of a session.
    [[nodiscard]] bool is_near_a_session(UtcTime stamp) const {
        if (!grid_.timeframe().is_intraday()) {
            return stamp < grid_.end_of(grid_.floor(stamp));
        }
        const auto next = calendar_->next_open(stamp);
        return calendar_->is_open(stamp) || (next && *next < grid_.next_unbroken(stamp));
    }

    void mark(std::size_t row, bool in_session) {
        if (in_session) {
            mark_off_grid(row);
            return;
        }
        found_.mark(QualityRule::out_of_session, Severity::warning, row, BarColumn::time, 0, [&] {
            return fmt::format("{} is closed at {}", calendar_->name(), format_time(bars_.start_of(row)));
        });
    }

    void mark_off_grid(std::size_t row) {
        found_.mark(QualityRule::off_grid, Severity::warning, row, BarColumn::time, 0, [&] {
            const std::string where = calendar_ == nullptr ? std::string("anywhere") : "on " + calendar_->name();
            return fmt::format("no {} bar begins at {} {}", grid_.timeframe().name(), format_time(bars_.start_of(row)),
                               where);
        });
    }

    const Bars& bars_;
    const BarGrid& grid_;
    const SessionCalendar* calendar_;
    const RowPoll& wanted_;
    FindingList& found_;
    TimeRange date_{};
};

}  // namespace

void check_places(const Bars& bars, const BarGrid& grid, const RowPoll& wanted, FindingList& found) {
    PlaceChecker(bars, grid, wanted, found).check();
}

}  // namespace ktrdr
