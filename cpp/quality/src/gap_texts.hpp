#pragma once

#include <optional>
#include <string>

#include <ktrdr/calendar/session_calendar.hpp>
#include <ktrdr/quality/gaps.hpp>

namespace ktrdr {

/// Why bars are absent, as far as answers tell; bars that follow each other and have one reason are one gap.
struct AbsenceReason {
    GapClass kind{GapClass::unknown};
    /// Unset where nobody has been asked.
    std::optional<EvidenceKind> answer{};
    /// Of the answers that say so.
    UtcTime first_asked{};
    UtcTime last_asked{};

    [[nodiscard]] bool same_as(const AbsenceReason& other) const noexcept {
        return kind == other.kind && answer == other.answer;
    }
    void add(const AbsenceReason& other) noexcept;
};

/// `answered_around` is the class where bars came, but not these.
[[nodiscard]] AbsenceReason reason_of(const Evidence* known, GapClass answered_around);
[[nodiscard]] std::string text_of(const AbsenceReason& reason);
[[nodiscard]] std::string closure_text(const SessionCalendar& calendar, TimeRange range);
[[nodiscard]] std::string early_close_text(const SessionCalendar& calendar, const Session& session, UtcTime usual);
[[nodiscard]] std::string no_trade_text(const SessionCalendar& calendar, const Session& session);

}  // namespace ktrdr
