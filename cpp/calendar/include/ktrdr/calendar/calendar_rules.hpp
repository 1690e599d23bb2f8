#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/session_calendar.hpp>

namespace ktrdr {

/// What a series is of, for the choice of its calendar; each empty where nobody has said.
struct SeriesMarket {
    std::string_view symbol{};
    std::string_view asset_class{};
    std::string_view exchange{};
    std::string_view currency{};
};

/// A file's calendars and changes of calendars, and which series have which.
///
/// The text: calendars as `SessionCalendar::read` and `with_overrides` take them, one after the other, each from its
/// `calendar` row on; and anywhere rows that say which series have a calendar, of the file or one that ships:
/// `series,XTKS,exchange=TSEJ` or `series,FOREX,symbol=EURUSD,asset_class=forex`. The first that fits counts.
///
/// Thread safety: a constant; any thread.
class KTRDR_EXPORT CalendarRules final {
public:
    /// Errors: `invalid_argument` naming `source`, the line and what would be right.
    [[nodiscard]] static Result<std::shared_ptr<const CalendarRules>> read(std::string_view text,
                                                                           std::string_view source);
    /// The calendar of that name, as the file has or changes it; null where it does neither.
    [[nodiscard]] SessionCalendarPtr find(std::string_view name) const;
    /// That of the first row that fits; null where none does.
    [[nodiscard]] SessionCalendarPtr calendar_of(const SeriesMarket& market) const;

private:
    struct Rule {
        SessionCalendarPtr calendar{};
        /// Each empty where any will do.
        std::string symbol{};
        std::string asset_class{};
        std::string exchange{};
        std::string currency{};
    };
    friend class RulesReader;

    std::map<std::string, SessionCalendarPtr, std::less<>> calendars_{};
    std::vector<Rule> rules_{};
};

using CalendarRulesPtr = std::shared_ptr<const CalendarRules>;

}  // namespace ktrdr
