#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/session.hpp>

namespace ktrdr {

/// Hours by the exchange's own clock, in minutes since 00:00 of the session's date.
struct WallHours {
    std::chrono::minutes open{0};
    std::chrono::minutes close{0};
    /// Both 0 where there is no break.
    std::chrono::minutes pause_start{0};
    std::chrono::minutes pause_end{0};

    [[nodiscard]] bool has_pause() const noexcept { return pause_start != pause_end; }
    friend bool operator==(const WallHours&, const WallHours&) = default;
};

/// The rows of a calendar's text. What it says, and its form, stand at `SessionCalendar`.
struct CalendarTable {
    struct Offset {
        UtcTime from{};
        std::chrono::minutes ahead{0};
    };
    struct Week {
        std::chrono::sys_days from{};
        std::optional<WallHours> hours{};
    };
    struct Day {
        std::string where{};
        std::optional<WallHours> hours{};
    };

    std::string name{};
    std::string zone{"UTC"};
    /// Unset in a text that changes another calendar.
    std::optional<std::chrono::sys_days> first{};
    std::chrono::sys_days last{};
    /// Rising.
    std::vector<Offset> offsets{};
    /// By `weekday::c_encoding`, each rising.
    std::array<std::vector<Week>, 7> weeks{};
    std::map<std::chrono::sys_days, Day> days{};

    [[nodiscard]] std::optional<WallHours> usual_hours(std::chrono::sys_days date) const;
    [[nodiscard]] UtcTime utc_of(std::chrono::sys_days date, std::chrono::minutes wall) const;
    [[nodiscard]] std::chrono::minutes ahead_at(UtcTime time) const;
};

/// Without the blanks around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);
/// What stands between its commas.
[[nodiscard]] std::vector<std::string_view> fields_of(std::string_view line);
/// `invalid_argument` for a text that is too long to be read.
[[nodiscard]] Result<void> check_size(std::string_view text, std::string_view source);

/// Errors: `invalid_argument` naming `source` and the line.
[[nodiscard]] Result<CalendarTable> read_calendar_table(std::string_view text, std::string_view source);

/// Every session between the table's dates; `invalid_argument` where one overlaps the next.
[[nodiscard]] Result<std::vector<Session>> sessions_of(const CalendarTable& table);

}  // namespace ktrdr
