#pragma once

#include <array>

#include <ktrdr/calendar/session_calendar.hpp>

namespace ktrdr::test {

/// The calendars that ship, held by a test program as long as it runs: who asks for one that nobody holds reads its
/// table, and under a sanitizer that takes longer than most tests.
inline const std::array held_calendars{SessionCalendar::shipped("XNYS").value(),
                                       SessionCalendar::shipped("FOREX").value(),
                                       SessionCalendar::shipped("CRYPTO").value()};

}  // namespace ktrdr::test
