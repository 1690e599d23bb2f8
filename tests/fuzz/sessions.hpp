#pragma once

#include <ktrdr/calendar/session_calendar.hpp>

#include "fuzz.hpp"

namespace ktrdr::fuzz {

inline void check_sessions(const SessionCalendar& calendar) {
    const Session* before = nullptr;
    for (const Session& session : calendar.sessions()) {
        require(calendar.first_date() <= session.date && session.date <= calendar.last_date(), "a date is in range");
        require(session.open() < session.close(), "a session opens before it closes");
        require(session.pause.empty() || (session.open() < session.pause.start && session.pause.end < session.close()),
                "a break is inside");
        require(before == nullptr || (before->date < session.date && before->close() <= session.open()),
                "sessions are in order and apart");
        before = &session;
    }
}

}  // namespace ktrdr::fuzz
