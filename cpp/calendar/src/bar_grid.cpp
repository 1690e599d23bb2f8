#include <ktrdr/calendar/bar_grid.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sessions_before.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::nanoseconds;
using std::chrono::sys_days;

constexpr std::array<std::string_view, 3> cut_names{"open_then_clock", "from_open", "clock"};
constexpr std::array<std::string_view, 7> asset_classes{"stock", "etf", "index", "future", "option", "forex", "crypto"};
constexpr std::array<std::string_view, 2> session_types{"regular", "extended"};
/// A maintenance break of IB's own at the beginning of each forex session.
constexpr std::chrono::minutes ib_forex_delay{15};
/// No period is longer, so nothing is added to a stamp behind that.
constexpr UtcTime last_stamp = UtcTime::max() - days{62};
constexpr UtcTime first_stamp = UtcTime::min() + days{62};

/// Which of the choices the value is.
template <std::size_t Count>
Result<std::size_t> choose(std::string_view field, std::string_view value,
                           const std::array<std::string_view, Count>& choices) {
    const auto found = std::find(choices.begin(), choices.end(), value);
    if (found != choices.end()) {
        return static_cast<std::size_t>(found - choices.begin());
    }
    return fail(Errc::invalid_argument,
                fmt::format("{} {:?} is not known: use one of {}", field, value.substr(0, 32), fmt::join(choices, " ")),
                {{"field", field}, {"value", value.substr(0, 32)}});
}

/// The first day of the week or month that a date is in; for shorter timeframes the date itself.
sys_days first_day(const Timeframe& timeframe, sys_days date, std::chrono::weekday first_of_week) noexcept {
    switch (timeframe.unit()) {
        case Timeframe::Unit::week: return date - (std::chrono::weekday{date} - first_of_week);
        case Timeframe::Unit::month: {
            const std::chrono::year_month_day day{date};
            return sys_days{day.year() / day.month() / 1};
        }
        case Timeframe::Unit::minute:
        case Timeframe::Unit::hour:
        case Timeframe::Unit::day: break;
    }
    return date;
}

sys_days same_day_next_month(sys_days date) noexcept {
    const std::chrono::year_month_day next = std::chrono::year_month_day{date} + std::chrono::months{1};
    return next.ok() ? sys_days{next} : sys_days{next.year() / next.month() / std::chrono::last};
}

/// The whole multiple of `length` from `anchor` at or before `time`.
UtcTime multiple_at(UtcTime time, UtcTime anchor, nanoseconds length) noexcept {
    nanoseconds past = (time - anchor) % length;
    past += past < nanoseconds{0} ? length : nanoseconds{0};
    return time - past;
}

/// With bars cut by the exchange's clock one may lie wholly in the break.
bool lies_in_pause(const Session& session, UtcTime stamp, nanoseconds length) noexcept {
    return session.pause.start <= stamp && stamp + length <= session.pause.end;
}

}  // namespace

std::string_view to_string(BarCut cut) noexcept {
    return cut_names[static_cast<std::size_t>(cut)];
}

Result<BarCut> parse_bar_cut(std::string_view name) {
    const auto cut = choose("cut", name, cut_names);
    return cut ? Result<BarCut>(static_cast<BarCut>(*cut)) : Result<BarCut>(cut.error());
}

Result<BarGrid> BarGrid::make(const Timeframe& timeframe, SessionCalendarPtr calendar, const GridOptions& options) {
    if (const auto known = choose("asset_class", options.asset_class, asset_classes); !known) {
        return known.error();
    }
    if (const auto known = choose("session", options.session, session_types); !known) {
        return known.error();
    }
    BarGrid grid(timeframe);
    grid.calendar_ = std::move(calendar);
    grid.cut_ = options.cut;
    // A market that trades around the clock has no hours beside its session's.
    grid.extended_ = options.session == "extended" && grid.calendar_ && !grid.calendar_->around_the_clock();
    if (options.provider == "IB" && options.asset_class == "forex") {
        grid.delay_ = ib_forex_delay;
    }
    return grid;
}

BarGrid BarGrid::with_timeframe(const Timeframe& timeframe) const {
    BarGrid other = *this;
    other.timeframe_ = timeframe;
    return other;
}

Period BarGrid::period_of(UtcTime stamp) const noexcept {
    if (calendar_ && calendar_->coverage().contains(stamp)) {
        const auto known = timeframe_.is_intraday() ? intraday_period(stamp) : keyed_period(stamp);
        if (known) {
            return *known;
        }
    }
    return plain_period(stamp);
}

UtcTime BarGrid::floor(UtcTime time) const noexcept {
    if (calendar_ && calendar_->coverage().contains(time)) {
        const auto known = timeframe_.is_intraday() ? intraday_floor(time) : keyed_floor(time);
        if (known) {
            return *known;
        }
    }
    return plain_floor(time);
}

UtcTime BarGrid::next(UtcTime stamp) const noexcept {
    if (calendar_ && calendar_->coverage().contains(stamp)) {
        const auto known = timeframe_.is_intraday() ? intraday_next(stamp) : keyed_next(stamp);
        if (known) {
            return *known;
        }
    }
    return plain_period(stamp).end;
}

UtcTime BarGrid::closed_end(UtcTime now) const noexcept {
    if (!calendar_ || !calendar_->coverage().contains(now)) {
        return closed_end_behind(now);
    }
    if (timeframe_.is_intraday()) {
        const UtcTime newest = floor(now);
        if (!is_closed(newest, now)) {
            return newest;
        }
        // Behind the last session of the table nobody knows which is next.
        const auto after = intraday_next(newest);
        return after ? *after : closed_end_behind(now);
    }
    // In extended hours a day may end after the next one's date has begun, so the newest is not the only one in
    // question.
    const auto sessions = calendar_->sessions();
    const std::size_t index = sessions_before(
        sessions, [this, now](const Session& one) { return is_closed(UtcTime{key_of(one.date)}, now); });
    return index == sessions.size() ? closed_end_behind(now) : UtcTime{key_of(sessions[index].date)};
}

UtcTime BarGrid::closed_end_behind(UtcTime now) const noexcept {
    UtcTime end = plain_closed_end(now);
    // A last bar that its session cuts short is closed before its length is over.
    while (end < now && is_closed(end, now)) {
        end = end_of(end);
    }
    return end;
}

bool BarGrid::may_begin_in(TimeRange range, UtcTime other) const noexcept {
    if (calendar_ || timeframe_.is_intraday() || range.start < first_stamp || range.end > last_stamp) {
        return !range.empty();
    }
    return multiple_at(range.end - nanoseconds{1}, other, days{1}) >= range.start;
}

UtcTime BarGrid::stored_stamp(UtcTime providers) const noexcept {
    if (!calendar_ || timeframe_.is_intraday() || !calendar_->coverage().contains(providers)) {
        return providers;
    }
    sys_days date = std::chrono::floor<days>(providers);
    if (UtcTime{date} != providers) {
        const auto sessions = calendar_->sessions();
        const std::size_t index =
            sessions_before(sessions, [providers](const Session& one) { return one.close() <= providers; });
        if (index == sessions.size()) {
            return providers;
        }
        date = sessions[index].date;
    }
    return UtcTime{key_of(date)};
}

std::optional<UtcTime> BarGrid::stamp_by_date(UtcTime providers) const noexcept {
    if (!calendar_ || timeframe_.is_intraday() || !calendar_->coverage().contains(providers)) {
        return std::nullopt;
    }
    const sys_days date = std::chrono::floor<days>(providers);
    const bool may_be = UtcTime{date} == providers || calendar_->is_session(date);
    return may_be ? std::optional(UtcTime{key_of(date)}) : std::nullopt;
}

bool BarGrid::may_be_closed(UtcTime providers, UtcTime now) const noexcept {
    if (is_closed(providers, now) || is_closed(stored_stamp(providers), now)) {
        return true;
    }
    const auto of_its_date = stamp_by_date(providers);
    return of_its_date && is_closed(*of_its_date, now);
}

TimeRange BarGrid::range_of(sys_days date) const noexcept {
    if (calendar_ && timeframe_.is_intraday()) {
        const auto sessions = calendar_->sessions();
        const std::size_t index = sessions_before(sessions, [date](const Session& one) { return one.date < date; });
        const auto hours = [&](std::size_t at) {
            const Blocks blocks = blocks_of(at);
            return TimeRange{std::min(blocks.begin()->first, sessions[at].open()), std::prev(blocks.end())->end};
        };
        if (index < sessions.size() && sessions[index].date == date) {
            return hours(index);
        }
        // Nothing of the sessions around it: forex's Monday begins on Sunday.
        const UtcTime earliest = index > 0 ? hours(index - 1).end : UtcTime::min();
        const UtcTime latest = std::max(earliest, index < sessions.size() ? hours(index).start : UtcTime::max());
        return {std::clamp(UtcTime{date}, earliest, latest), std::clamp(UtcTime{date + days{1}}, earliest, latest)};
    }
    return {UtcTime{date}, UtcTime{date + days{1}}};
}

std::optional<std::vector<UtcTime>> BarGrid::expected(TimeRange range) const {
    if (!calendar_ || (extended_ && timeframe_.is_intraday()) || range.start < calendar_->coverage().start ||
        range.end > calendar_->coverage().end) {
        return std::nullopt;
    }
    return timeframe_.is_intraday() ? intraday_stamps(range) : keyed_stamps(range);
}

Period BarGrid::plain_period(UtcTime stamp) const noexcept {
    if (stamp > last_stamp) {
        return {stamp, stamp, UtcTime::max()};
    }
    if (timeframe_.unit() != Timeframe::Unit::month) {
        return {stamp, stamp, stamp + timeframe_.shortest()};
    }
    const sys_days date = std::chrono::floor<days>(stamp);
    // Not by the time of day: before the first whole day that there is, none can be counted from.
    return {stamp, stamp, stamp + (same_day_next_month(date) - date)};
}

UtcTime BarGrid::plain_floor(UtcTime time) const noexcept {
    if (time < first_stamp) {
        return time;
    }
    if (timeframe_.is_intraday()) {
        return multiple_at(time, UtcTime{}, timeframe_.shortest());
    }
    return UtcTime{first_day(timeframe_, std::chrono::floor<days>(time), std::chrono::Monday)};
}

UtcTime BarGrid::plain_closed_end(UtcTime now) const noexcept {
    using std::chrono::minutes;
    const UtcTime minute = std::chrono::floor<minutes>(now);
    if (timeframe_.unit() != Timeframe::Unit::month) {
        // The length is the same wherever the bar begins.
        return minute - (plain_period(minute).end - minute) + minutes{1};
    }
    // Stamps of one date end on one date; the first date of which not all are closed has the answer.
    sys_days date = std::chrono::floor<days>(minute) - days{32};
    while (same_day_next_month(date) + days{1} <= minute) {
        date += days{1};
    }
    const auto closed = minute - same_day_next_month(date);
    return closed < nanoseconds{0} ? UtcTime{date} : UtcTime{date} + closed + minutes{1};
}

BarGrid::Blocks BarGrid::blocks_of(std::size_t index) const noexcept {
    const auto sessions = calendar_->sessions();
    const Session& session = sessions[index];
    const UtcTime midnight = session.midnight();
    if (extended_) {
        return {{Block{midnight, midnight, midnight + days{1}, midnight + days{1}}}, 1};
    }
    const UtcTime open = std::min(session.open() + delay_, session.close());
    if (cut_ == BarCut::clock) {
        const nanoseconds length = timeframe_.shortest();
        UtcTime first = multiple_at(open, midnight, length);
        if (index > 0 && first < sessions[index - 1].close()) {
            // The session before has a bar that runs on into this one.
            first += length;
        }
        const bool runs_on = calendar_->around_the_clock();
        return {{Block{first, midnight, session.close(), runs_on ? UtcTime::max() : session.close()}}, 1};
    }
    const auto block = [this, midnight](UtcTime start, UtcTime end) {
        return Block{start, cut_ == BarCut::from_open ? start : midnight, end, end};
    };
    if (session.pause.empty()) {
        return {{block(open, session.close())}, 1};
    }
    return {{block(open, session.pause.start), block(session.pause.end, session.close())}, 2};
}

std::size_t BarGrid::first_ending_after(UtcTime time) const noexcept {
    const auto sessions = calendar_->sessions();
    return sessions_before(sessions, [this, time](const Session& one) {
        return (extended_ ? one.midnight() + days{1} : one.close()) <= time;
    });
}

std::optional<Period> BarGrid::intraday_period(UtcTime stamp) const noexcept {
    const std::size_t index = first_ending_after(stamp);
    if (index == calendar_->sessions().size()) {
        return std::nullopt;
    }
    const nanoseconds length = timeframe_.shortest();
    for (const Block& block : blocks_of(index)) {
        if (stamp < block.first || stamp >= block.end) {
            continue;
        }
        const UtcTime multiple = multiple_at(stamp, block.anchor, length);
        if (stamp == block.first || stamp == multiple) {
            return Period{stamp, stamp, std::min(multiple + length, block.latest)};
        }
    }
    return std::nullopt;
}

std::optional<UtcTime> BarGrid::intraday_floor(UtcTime time) const noexcept {
    const auto sessions = calendar_->sessions();
    const nanoseconds length = timeframe_.shortest();
    // The session that the time is in, else the one before.
    for (std::size_t index = first_ending_after(time) + 1; index-- > 0;) {
        if (index == sessions.size()) {
            continue;
        }
        const Blocks blocks = blocks_of(index);
        for (std::size_t i = blocks.count; i-- > 0;) {
            const Block& block = blocks.block[i];
            if (block.first <= time && block.first < block.end) {
                const UtcTime inside = std::min(time, block.end - nanoseconds{1});
                return std::max(block.first, multiple_at(inside, block.anchor, length));
            }
        }
    }
    return std::nullopt;
}

std::optional<UtcTime> BarGrid::intraday_next(UtcTime stamp) const noexcept {
    const auto sessions = calendar_->sessions();
    const nanoseconds length = timeframe_.shortest();
    for (std::size_t index = first_ending_after(stamp); index < sessions.size(); ++index) {
        for (const Block& block : blocks_of(index)) {
            UtcTime found = stamp < block.first ? block.first : multiple_at(stamp, block.anchor, length) + length;
            while (found < block.end && lies_in_pause(sessions[index], found, length)) {
                found += length;
            }
            if (found < block.end) {
                return found;
            }
        }
    }
    return std::nullopt;
}

std::vector<UtcTime> BarGrid::intraday_stamps(TimeRange range) const {
    const auto sessions = calendar_->sessions();
    const nanoseconds length = timeframe_.shortest();
    std::vector<UtcTime> stamps;
    for (std::size_t index = first_ending_after(range.start); index < sessions.size(); ++index) {
        const Session& session = sessions[index];
        const Blocks blocks = blocks_of(index);
        if (blocks.begin()->first >= range.end) {
            break;
        }
        for (const Block& block : blocks) {
            const UtcTime end = std::min(block.end, range.end);
            UtcTime stamp = block.first;
            for (UtcTime after = multiple_at(stamp, block.anchor, length) + length; stamp < end; after += length) {
                if (stamp >= range.start && !lies_in_pause(session, stamp, length)) {
                    stamps.push_back(stamp);
                }
                stamp = after;
            }
        }
    }
    return stamps;
}

sys_days BarGrid::key_of(sys_days date) const noexcept {
    return first_day(timeframe_, date, calendar_->first_of_week());
}

std::optional<UtcTime> BarGrid::end_of_session(std::size_t index) const noexcept {
    const auto sessions = calendar_->sessions();
    if (extended_) {
        return sessions[index].midnight() + days{1};
    }
    if (!calendar_->around_the_clock()) {
        return sessions[index].close();
    }
    return index + 1 < sessions.size() ? std::optional(sessions[index + 1].open()) : std::nullopt;
}

std::optional<Period> BarGrid::keyed_period(UtcTime stamp) const noexcept {
    const sys_days key = std::chrono::floor<days>(stamp);
    // A week or month that the table does not hold to its end may have sessions behind that.
    if (UtcTime{key} != stamp || key_of(key) != key || key_of(calendar_->last_date() + days{1}) <= key) {
        return std::nullopt;
    }
    const auto sessions = calendar_->sessions();
    const std::size_t first = sessions_before(sessions, [key](const Session& one) { return one.date < key; });
    const std::size_t after =
        sessions_before(sessions, [this, key](const Session& one) { return key_of(one.date) <= key; });
    const auto end = first < after ? end_of_session(after - 1) : std::nullopt;
    if (!end) {
        return std::nullopt;
    }
    return Period{stamp, extended_ ? sessions[first].midnight() : sessions[first].open(), *end};
}

std::optional<UtcTime> BarGrid::keyed_floor(UtcTime time) const noexcept {
    const auto sessions = calendar_->sessions();
    // A day has begun when its date has, or its session: that of forex opens the evening before.
    const std::size_t index = sessions_before(
        sessions, [time](const Session& one) { return std::min(one.open(), UtcTime{one.date}) <= time; });
    if (index < sessions.size() && UtcTime{key_of(sessions[index].date)} <= time) {
        return UtcTime{key_of(sessions[index].date)};
    }
    return index == 0 ? std::nullopt : std::optional(UtcTime{key_of(sessions[index - 1].date)});
}

std::optional<UtcTime> BarGrid::keyed_next(UtcTime stamp) const noexcept {
    const auto sessions = calendar_->sessions();
    const std::size_t index =
        sessions_before(sessions, [this, stamp](const Session& one) { return UtcTime{key_of(one.date)} <= stamp; });
    return index == sessions.size() ? std::nullopt : std::optional(UtcTime{key_of(sessions[index].date)});
}

std::vector<UtcTime> BarGrid::keyed_stamps(TimeRange range) const {
    std::vector<UtcTime> stamps;
    auto stamp = keyed_next(range.start - nanoseconds{1});
    while (stamp && *stamp < range.end) {
        stamps.push_back(*stamp);
        stamp = keyed_next(*stamp);
    }
    return stamps;
}

}  // namespace ktrdr
