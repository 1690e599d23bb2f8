// What ktrdr called gaps before there were classes.

#include <algorithm>

#include <ktrdr/quality/gaps.hpp>

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::sys_days;

/// Longer than the longest weekend with a holiday beside it.
constexpr days long_closure{4};

/// A date without a session whose weekday has none a week before or after, either.
bool is_usually_closed(const SessionCalendar& calendar, sys_days date) {
    return !calendar.is_session(date - days{7}) && !calendar.is_session(date + days{7});
}

GapLabel label_of_closure(TimeRange range, const SessionCalendar& calendar) {
    const auto sessions = calendar.sessions();
    const auto next = std::partition_point(sessions.begin(), sessions.end(),
                                           [range](const Session& one) { return one.close() <= range.start; });
    if (next == sessions.begin() || next == sessions.end()) {
        return GapLabel::expected_trading_hours;
    }
    if (next->open() <= range.start) {
        // A break, or the first minutes of a session, before its first bar.
        return GapLabel::expected_trading_hours;
    }
    GapLabel label = GapLabel::expected_trading_hours;
    for (sys_days date = std::prev(next)->date + days{1}; date < next->date; date += days{1}) {
        if (is_usually_closed(calendar, date)) {
            label = label == GapLabel::expected_trading_hours ? GapLabel::expected_weekend : label;
        } else {
            label = GapLabel::expected_holiday;
        }
    }
    const bool is_long = next->open() - std::prev(next)->close() > long_closure;
    return label == GapLabel::expected_holiday && is_long ? GapLabel::market_closure : label;
}

}  // namespace

std::string_view to_string(GapLabel label) noexcept {
    switch (label) {
        case GapLabel::expected_weekend: return "expected_weekend";
        case GapLabel::expected_holiday: return "expected_holiday";
        case GapLabel::expected_trading_hours: return "expected_trading_hours";
        case GapLabel::market_closure: return "market_closure";
        case GapLabel::unexpected: break;
    }
    return "unexpected";
}

GapLabel label_of(GapClass kind, TimeRange range, const SessionCalendar* calendar) {
    switch (kind) {
        case GapClass::closed:
            return calendar != nullptr ? label_of_closure(range, *calendar) : GapLabel::expected_trading_hours;
        case GapClass::early_close:
        case GapClass::no_trade: return GapLabel::expected_trading_hours;
        case GapClass::provider_empty:
        case GapClass::failed:
        case GapClass::unknown: break;
    }
    return GapLabel::unexpected;
}

}  // namespace ktrdr
