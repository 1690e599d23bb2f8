#include <ktrdr/calendar/session_calendar.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <mutex>

#include <ktrdr/market/time_text.hpp>

#include "calendar_table.hpp"
#include "sessions_before.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::weekday;

struct ShippedTable {
    std::string_view name;
    std::string_view text;
};

constexpr auto shipped_tables = std::to_array<ShippedTable>({
#include "calendar_tables.inc"
});

constexpr auto all_shipped_names = [] {
    std::array<std::string_view, shipped_tables.size()> names{};
    for (std::size_t i = 0; i < names.size(); ++i) {
        names[i] = shipped_tables[i].name;
    }
    return names;
}();

Result<SessionCalendarPtr> calendar_of(CalendarTable table) {
    auto sessions = sessions_of(table);
    if (!sessions) {
        return sessions.error();
    }
    return SessionCalendarPtr(std::make_shared<const SessionCalendar>(
        std::make_shared<const CalendarTable>(std::move(table)), std::move(*sessions)));
}

weekday week_begins(const CalendarTable& table) {
    weekday found = std::chrono::Monday;
    unsigned longest = 0;
    for (unsigned day = 0; day < 7; ++day) {
        const auto trades = [&table](weekday one) {
            const auto& rows = table.weeks[one.c_encoding()];
            return !rows.empty() && rows.back().hours.has_value();
        };
        unsigned closed = 0;
        while (closed < 7 && !trades(weekday{day} - days{closed + 1})) {
            ++closed;
        }
        if (trades(weekday{day}) && closed > longest) {
            longest = closed;
            found = weekday{day};
        }
    }
    return found;
}

}  // namespace

Result<SessionCalendarPtr> SessionCalendar::read(std::string_view text, std::string_view source) {
    auto table = read_calendar_table(text, source);
    if (!table) {
        return table.error();
    }
    if (!table->first) {
        return fail(Errc::invalid_argument,
                    fmt::format("{}: there is no dates,FIRST,LAST row, so this changes the calendar {}: give it as "
                                "overrides of that",
                                source, table->name),
                    {{"source", source}});
    }
    return calendar_of(std::move(*table));
}

Result<SessionCalendarPtr> SessionCalendar::shipped(std::string_view name) {
    const auto found = std::find_if(shipped_tables.begin(), shipped_tables.end(),
                                    [name](const ShippedTable& table) { return table.name == name; });
    if (found == shipped_tables.end()) {
        return fail(Errc::invalid_argument,
                    fmt::format("no calendar {:?} ships with the package: use one of {}", name.substr(0, 32),
                                fmt::join(all_shipped_names, " ")),
                    {{"field", "calendar"}, {"value", name.substr(0, 32)}});
    }
    // Whoever asks while another holds it shares it. Never destroyed: threads may ask while the process ends.
    static auto& held = *new std::array<std::weak_ptr<const SessionCalendar>, shipped_tables.size()>{};
    static auto& mutex = *new std::mutex;
    auto& kept = held[static_cast<std::size_t>(found - shipped_tables.begin())];
    const std::scoped_lock lock(mutex);
    if (auto there = kept.lock()) {
        return SessionCalendarPtr(std::move(there));
    }
    auto made = read(found->text, found->name);
    if (made) {
        kept = *made;
    }
    return made;
}

std::span<const std::string_view> SessionCalendar::shipped_names() noexcept {
    return all_shipped_names;
}

Result<SessionCalendarPtr> SessionCalendar::with_overrides(std::string_view text, std::string_view source) const {
    auto changes = read_calendar_table(text, source);
    if (!changes) {
        return changes.error();
    }
    if (changes->first || changes->name != name()) {
        return fail(
            Errc::invalid_argument,
            changes->first
                ? fmt::format("{}: it has a dates row, so it is a calendar of its own, and changes none", source)
                : fmt::format("{}: it changes the calendar {}, not {}", source, changes->name, name()),
            {{"source", source}});
    }
    CalendarTable table = *table_;
    for (auto& [date, day] : changes->days) {
        if (date < *table.first || date > table.last) {
            return fail(
                Errc::invalid_argument,
                fmt::format("{}: {} is not between the dates of {}, {} and {}", day.where, format_date(UtcTime{date}),
                            name(), format_date(UtcTime{*table.first}), format_date(UtcTime{table.last})),
                {{"source", source}});
        }
        table.days.insert_or_assign(date, std::move(day));
    }
    return calendar_of(std::move(table));
}

SessionCalendar::SessionCalendar(std::shared_ptr<const CalendarTable> table, std::vector<Session> sessions)
    : table_(std::move(table)), sessions_(std::move(sessions)), first_of_week_(week_begins(*table_)) {
    const auto meets = [](const Session& one, const Session& next) { return one.close() == next.open(); };
    around_the_clock_ = std::adjacent_find(sessions_.begin(), sessions_.end(), meets) != sessions_.end();
}

const std::string& SessionCalendar::name() const noexcept {
    return table_->name;
}

const std::string& SessionCalendar::zone() const noexcept {
    return table_->zone;
}

std::chrono::minutes SessionCalendar::offset_at(UtcTime time) const noexcept {
    return table_->ahead_at(time);
}

sys_days SessionCalendar::first_date() const noexcept {
    return *table_->first;
}

sys_days SessionCalendar::last_date() const noexcept {
    return table_->last;
}

TimeRange SessionCalendar::coverage() const noexcept {
    return {UtcTime{first_date()}, UtcTime{last_date() + days{1}}};
}

std::span<const Session> SessionCalendar::sessions(sys_days first, sys_days last) const noexcept {
    const std::span<const Session> all = sessions_;
    const std::size_t begin = sessions_before(all, [first](const Session& one) { return one.date < first; });
    const std::size_t end = sessions_before(all, [last](const Session& one) { return one.date <= last; });
    return all.subspan(begin, std::max(begin, end) - begin);
}

std::optional<Session> SessionCalendar::session_on(sys_days date) const noexcept {
    const auto found = sessions(date, date);
    return found.empty() ? std::nullopt : std::optional(found.front());
}

std::optional<Session> SessionCalendar::session_at(UtcTime time) const noexcept {
    const std::size_t index = sessions_before(sessions_, [time](const Session& one) { return one.close() <= time; });
    return index < sessions_.size() && sessions_[index].hours.contains(time) ? std::optional(sessions_[index])
                                                                             : std::nullopt;
}

bool SessionCalendar::is_open(UtcTime time) const noexcept {
    const auto session = session_at(time);
    return session && !session->pause.contains(time);
}

std::optional<UtcTime> SessionCalendar::next_open(UtcTime time) const noexcept {
    const std::size_t index = sessions_before(sessions_, [time](const Session& one) { return one.open() <= time; });
    return index < sessions_.size() ? std::optional(sessions_[index].open()) : std::nullopt;
}

std::optional<UtcTime> SessionCalendar::next_close(UtcTime time) const noexcept {
    const std::size_t index = sessions_before(sessions_, [time](const Session& one) { return one.close() <= time; });
    return index < sessions_.size() ? std::optional(sessions_[index].close()) : std::nullopt;
}

std::optional<UtcTime> SessionCalendar::previous_open(UtcTime time) const noexcept {
    const std::size_t index = sessions_before(sessions_, [time](const Session& one) { return one.open() < time; });
    return index > 0 ? std::optional(sessions_[index - 1].open()) : std::nullopt;
}

std::optional<UtcTime> SessionCalendar::previous_close(UtcTime time) const noexcept {
    const std::size_t index = sessions_before(sessions_, [time](const Session& one) { return one.close() < time; });
    return index > 0 ? std::optional(sessions_[index - 1].close()) : std::nullopt;
}

}  // namespace ktrdr
