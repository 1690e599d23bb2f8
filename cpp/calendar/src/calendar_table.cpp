#include "calendar_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t\r";
    const auto first = text.find_first_not_of(blank);
    return first == std::string_view::npos ? std::string_view{}
                                           : text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::vector<std::string_view> fields_of(std::string_view line) {
    std::vector<std::string_view> fields;
    for (std::size_t start = 0; start <= line.size();) {
        const std::size_t comma = std::min(line.find(',', start), line.size());
        fields.push_back(trimmed(line.substr(start, comma - start)));
        start = comma + 1;
    }
    return fields;
}

namespace {

using std::chrono::days;
using std::chrono::minutes;
using std::chrono::sys_days;
using std::chrono::weekday;

constexpr std::size_t most_bytes = 4 << 20;
/// Two changes a year for as long as dates reach, and room.
constexpr std::size_t most_offsets = 2000;
/// Far enough for any market, and with room to add to in nanoseconds.
constexpr sys_days earliest{std::chrono::year{1900} / 1 / 1};
constexpr sys_days latest{std::chrono::year{2200} / 12 / 31};
constexpr std::array<std::string_view, 7> weekday_names{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
/// The longest session, and how far its hours may lie from its date.
constexpr minutes most_hours{48 * 60};

/// Two digits after `at`, or nothing.
std::optional<int> two_digits(std::string_view text, std::size_t at) {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (at + 2 > text.size() || !digit(text[at]) || !digit(text[at + 1])) {
        return std::nullopt;
    }
    return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

/// `[+-]hh:mm`
std::optional<minutes> read_minutes(std::string_view text) {
    const bool sign = !text.empty() && (text[0] == '-' || text[0] == '+');
    const bool before = sign && text[0] == '-';
    text.remove_prefix(sign ? 1 : 0);
    const auto hour = two_digits(text, 0);
    const auto minute = two_digits(text, 3);
    if (text.size() != 5 || text[2] != ':' || !hour || !minute || *minute > 59) {
        return std::nullopt;
    }
    const minutes count{*hour * 60 + *minute};
    return before ? -count : count;
}

/// A name that a message can show as it is.
bool is_name(std::string_view text, std::size_t longest) {
    const auto plain = [](char c) { return c > ' ' && c <= '~'; };
    return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), plain);
}

std::optional<weekday> read_weekday(std::string_view text) {
    const auto found = std::find(weekday_names.begin(), weekday_names.end(), text);
    return found == weekday_names.end() ? std::nullopt
                                        : std::optional(weekday{static_cast<unsigned>(found - weekday_names.begin())});
}

/// Reads one text, row by row.
class TableReader final {
public:
    explicit TableReader(std::string_view source) : source_(source) {}

    Result<CalendarTable> read(std::string_view text) {
        constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
        if (const auto checked = check_size(text, source_); !checked) {
            return checked.error();
        }
        text.remove_prefix(text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0);
        while (!text.empty()) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            ++line_;
            if (const auto row = read_line(trimmed(text.substr(0, end))); !row) {
                return row.error();
            }
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        if (table_.name.empty()) {
            return wrong("has no row; the first is calendar,NAME");
        }
        if (const auto checked = check_days(); !checked) {
            return checked.error();
        }
        return std::move(table_);
    }

private:
    [[nodiscard]] std::string where() const { return fmt::format("{}: line {}", source_, line_); }

    [[nodiscard]] Error wrong(std::string_view how) const {
        return fail(Errc::invalid_argument, fmt::format("{}: {}", where(), how),
                    {{"source", source_}, {"line", line_}});
    }

    Result<void> read_line(std::string_view line) {
        if (line.empty() || line.front() == '#') {
            return {};
        }
        const std::vector<std::string_view> fields = fields_of(line);
        struct Kind {
            std::string_view name;
            std::size_t least;
            std::size_t most;
            Result<void> (TableReader::*read)(const std::vector<std::string_view>&);
            std::string_view form;
        };
        constexpr std::array kinds{
            Kind{"calendar", 2, 2, &TableReader::read_name, "calendar,NAME"},
            Kind{"zone", 2, 2, &TableReader::read_zone, "zone,Area/City"},
            Kind{"dates", 3, 3, &TableReader::read_dates, "dates,FIRST,LAST"},
            Kind{"offset", 3, 3, &TableReader::read_offset, "offset,2024-03-10T07:00Z,-04:00"},
            Kind{"week", 4, 7, &TableReader::read_week, "week,FROM,mon-fri,09:30,16:00 or week,FROM,sat,closed"},
            Kind{"closed", 2, 2, &TableReader::read_closed, "closed,DATE"},
            Kind{"session", 4, 6, &TableReader::read_session, "session,DATE,09:30,13:00"},
        };
        const auto kind =
            std::find_if(kinds.begin(), kinds.end(), [&fields](const Kind& one) { return one.name == fields[0]; });
        if (kind == kinds.end()) {
            return wrong(
                fmt::format("{:?} begins no row; rows begin with calendar, zone, dates, offset, week, closed "
                            "or session",
                            fields[0].substr(0, 32)));
        }
        if (table_.name.empty() != (kind->name == "calendar")) {
            return wrong("the first row, and no other, is calendar,NAME");
        }
        if (fields.size() < kind->least || fields.size() > kind->most) {
            return wrong(fmt::format("has {} fields; write it like {}", fields.size(), kind->form));
        }
        return (this->*kind->read)(fields);
    }

    Result<void> read_name(const std::vector<std::string_view>& fields) {
        if (!is_name(fields[1], 32)) {
            return wrong("a calendar's name is 1 to 32 printable characters");
        }
        table_.name = fields[1];
        return {};
    }

    Result<void> read_zone(const std::vector<std::string_view>& fields) {
        if (!is_name(fields[1], 64)) {
            return wrong("a zone's name is 1 to 64 printable characters");
        }
        table_.zone = fields[1];
        return {};
    }

    Result<sys_days> read_date(std::string_view text) const {
        const auto time = parse_time("date", text);
        if (!time || !is_date_only(text)) {
            return wrong(fmt::format("{:?} is no date; write it like 2024-01-31", text.substr(0, 32)));
        }
        const sys_days date = std::chrono::floor<days>(*time);
        if (date < earliest || date > latest) {
            return wrong(fmt::format("{} is too far; dates are from {} to {}", text, format_date(UtcTime{earliest}),
                                     format_date(UtcTime{latest})));
        }
        return date;
    }

    Result<void> read_dates(const std::vector<std::string_view>& fields) {
        const auto first = read_date(fields[1]);
        const auto last = read_date(fields[2]);
        if (!first || !last) {
            return first ? last.error() : first.error();
        }
        if (table_.first || *first > *last) {
            return wrong(table_.first ? "a second dates row" : "the first date lies behind the last");
        }
        table_.first = *first;
        table_.last = *last;
        return {};
    }

    Result<void> read_offset(const std::vector<std::string_view>& fields) {
        const auto from = parse_time("time", fields[1]);
        const auto ahead = read_minutes(fields[2]);
        const auto& rows = table_.offsets;
        if (!from || is_date_only(fields[1])) {
            return wrong(fmt::format("{:?} is no time; write it like 2024-03-10T07:00Z", fields[1].substr(0, 32)));
        }
        if (!ahead || *ahead < -minutes{18 * 60} || *ahead > minutes{18 * 60}) {
            return wrong(
                fmt::format("{:?} is no offset; write it like -05:00, 18 hours at most", fields[2].substr(0, 32)));
        }
        if (rows.size() == most_offsets || (!rows.empty() && rows.back().from >= *from)) {
            return wrong(fmt::format("an offset row must be later than the one before it, and there are {} at most",
                                     most_offsets));
        }
        table_.offsets.push_back({*from, *ahead});
        return {};
    }

    Result<std::optional<WallHours>> read_hours(const std::vector<std::string_view>& fields, std::size_t first) const {
        const std::size_t count = fields.size() - first;
        if (count == 1 && fields[first] == "closed") {
            return std::optional<WallHours>{};
        }
        if (count != 2 && count != 4) {
            return wrong("hours are an open and a close, and a break's start and end where there is one");
        }
        std::array<minutes, 4> times{};
        for (std::size_t i = 0; i < count; ++i) {
            const auto time = read_minutes(fields[first + i]);
            if (!time || *time < -most_hours || *time > most_hours) {
                return wrong(
                    fmt::format("{:?} is no time of day; write it like 09:30, -07:00 for 17:00 on the day "
                                "before, 25:30 for 01:30 on the day after",
                                fields[first + i].substr(0, 32)));
            }
            times[i] = *time;
        }
        const WallHours hours{times[0], times[1], times[2], times[3]};
        if (hours.open >= hours.close || hours.close - hours.open > most_hours) {
            return wrong("a session opens before it closes, and lasts 48 hours at most");
        }
        if (count == 4 &&
            !(hours.open < hours.pause_start && hours.pause_start < hours.pause_end && hours.pause_end < hours.close)) {
            return wrong("a break begins after the open and ends before the close");
        }
        return std::optional(hours);
    }

    Result<void> read_week(const std::vector<std::string_view>& fields) {
        const auto from = read_date(fields[1]);
        if (!from) {
            return from.error();
        }
        const std::size_t dash = std::min(fields[2].find('-'), fields[2].size());
        const auto first = read_weekday(fields[2].substr(0, dash));
        const auto last = dash == fields[2].size() ? first : read_weekday(fields[2].substr(dash + 1));
        if (!first || !last) {
            return wrong(fmt::format("{:?} are no weekdays; write them like mon-fri or sat", fields[2].substr(0, 32)));
        }
        const auto hours = read_hours(fields, 3);
        if (!hours) {
            return hours.error();
        }
        for (weekday day = *first;; ++day) {
            auto& rows = table_.weeks[day.c_encoding()];
            if (!rows.empty() && rows.back().from >= *from) {
                return wrong(fmt::format("the row of {} before it begins on {}; a later one begins later",
                                         weekday_names[day.c_encoding()], format_date(UtcTime{rows.back().from})));
            }
            rows.push_back({*from, *hours});
            if (day == *last) {
                return {};
            }
        }
    }

    Result<void> read_day(std::string_view text, std::optional<WallHours> hours) {
        const auto date = read_date(text);
        if (!date) {
            return date.error();
        }
        const auto [there, added] = table_.days.try_emplace(*date, CalendarTable::Day{where(), hours});
        if (!added) {
            return wrong(fmt::format("{} is named twice, before in {}", text, there->second.where));
        }
        return {};
    }

    Result<void> read_closed(const std::vector<std::string_view>& fields) { return read_day(fields[1], std::nullopt); }

    Result<void> read_session(const std::vector<std::string_view>& fields) {
        const auto hours = read_hours(fields, 2);
        if (!hours) {
            return hours.error();
        }
        if (!*hours) {
            return wrong("a date without a session is written closed,DATE");
        }
        return read_day(fields[1], *hours);
    }

    Result<void> check_days() const {
        if (!table_.first) {
            const bool rules =
                std::any_of(table_.weeks.begin(), table_.weeks.end(), [](const auto& rows) { return !rows.empty(); });
            if (rules || !table_.offsets.empty()) {
                return wrong(
                    "there is no dates,FIRST,LAST row: without one a text changes another calendar, by closed "
                    "and session rows only");
            }
            return {};
        }
        for (const auto& [date, day] : table_.days) {
            if (date < *table_.first || date > table_.last) {
                return fail(
                    Errc::invalid_argument,
                    fmt::format("{}: {} is not between the calendar's dates", day.where, format_date(UtcTime{date})),
                    {{"source", source_}});
            }
        }
        return {};
    }

    std::string source_;
    std::size_t line_{0};
    CalendarTable table_{};
};

}  // namespace

std::optional<WallHours> CalendarTable::usual_hours(sys_days date) const {
    const auto& rows = weeks[weekday{date}.c_encoding()];
    const auto after =
        std::upper_bound(rows.begin(), rows.end(), date, [](sys_days day, const Week& row) { return day < row.from; });
    return after == rows.begin() ? std::nullopt : std::prev(after)->hours;
}

UtcTime CalendarTable::utc_of(sys_days date, minutes wall) const {
    const UtcTime local = UtcTime{date} + wall;
    if (offsets.empty()) {
        return local;
    }
    // Of an hour that the clock shows twice the later one counts.
    for (auto row = offsets.rbegin(); row != offsets.rend(); ++row) {
        if (local - row->ahead >= row->from) {
            return local - row->ahead;
        }
    }
    return local - offsets.front().ahead;
}

minutes CalendarTable::ahead_at(UtcTime time) const {
    const auto after = std::upper_bound(offsets.begin(), offsets.end(), time,
                                        [](UtcTime at, const Offset& row) { return at < row.from; });
    return offsets.empty() ? minutes{0} : after == offsets.begin() ? offsets.front().ahead : std::prev(after)->ahead;
}

Result<void> check_size(std::string_view text, std::string_view source) {
    if (text.size() <= most_bytes) {
        return {};
    }
    return fail(Errc::invalid_argument,
                fmt::format("{}: a calendar of {} bytes; {} is the most that is read", source, text.size(), most_bytes),
                {{"source", source}});
}

Result<CalendarTable> read_calendar_table(std::string_view text, std::string_view source) {
    return TableReader(source).read(text);
}

Result<std::vector<Session>> sessions_of(const CalendarTable& table) {
    std::vector<Session> sessions;
    for (sys_days date = *table.first; date <= table.last; date += days{1}) {
        const std::optional<WallHours> usual = table.usual_hours(date);
        const auto own = table.days.find(date);
        const std::optional<WallHours> hours = own == table.days.end() ? usual : own->second.hours;
        if (!hours) {
            continue;
        }
        Session session{date,
                        {table.utc_of(date, hours->open), table.utc_of(date, hours->close)},
                        {},
                        minutes{0},
                        usual && hours->close < usual->close};
        if (hours->has_pause()) {
            session.pause = {table.utc_of(date, hours->pause_start), table.utc_of(date, hours->pause_end)};
        }
        session.offset = table.ahead_at(session.open());
        if (session.hours.empty() || (!sessions.empty() && sessions.back().close() > session.open())) {
            const std::string where = own == table.days.end() ? "the calendar " + table.name : own->second.where;
            return fail(Errc::invalid_argument,
                        fmt::format("{}: the session of {} opens at {}, before the one of {} has closed", where,
                                    format_date(UtcTime{date}), format_time(session.open()),
                                    format_date(UtcTime{sessions.empty() ? date : sessions.back().date})),
                        {{"date", format_date(UtcTime{date})}});
        }
        sessions.push_back(session);
    }
    return sessions;
}

}  // namespace ktrdr
