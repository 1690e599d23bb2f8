#include "gap_texts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

/// `2024-07-03T17:00Z`
std::string minute_text(UtcTime time) {
    return format_time(time).substr(0, 16) + "Z";
}

std::string when(const AbsenceReason& reason) {
    const std::string last = minute_text(reason.last_asked);
    return reason.first_asked == reason.last_asked
               ? fmt::format("asked {}", last)
               : fmt::format("asked from {} to {}", minute_text(reason.first_asked), last);
}

}  // namespace

void AbsenceReason::add(const AbsenceReason& other) noexcept {
    first_asked = std::min(first_asked, other.first_asked);
    last_asked = std::max(last_asked, other.last_asked);
}

AbsenceReason reason_of(const Evidence* known, GapClass answered_around) {
    if (known == nullptr) {
        return {};
    }
    AbsenceReason reason{GapClass::unknown, known->kind, known->asked_at, known->asked_at};
    switch (known->kind) {
        case EvidenceKind::bars: reason.kind = answered_around; break;
        case EvidenceKind::empty: reason.kind = GapClass::provider_empty; break;
        case EvidenceKind::failed:
        case EvidenceKind::denied: reason.kind = GapClass::failed; break;
        case EvidenceKind::unconfirmed: break;
    }
    return reason;
}

std::string text_of(const AbsenceReason& reason) {
    if (!reason.answer) {
        return "no answer of a provider is known";
    }
    switch (*reason.answer) {
        case EvidenceKind::bars: return when(reason) + ": bars came for the time around it, none for this";
        case EvidenceKind::empty: return when(reason) + ": the provider has nothing, and confirmed it";
        case EvidenceKind::unconfirmed: return when(reason) + ": nothing came, and no second answer confirms it yet";
        case EvidenceKind::failed: return when(reason) + ": the provider answered with an error";
        case EvidenceKind::denied: break;
    }
    return when(reason) + ": the provider said that this account may not have it";
}

std::string closure_text(const SessionCalendar& calendar, TimeRange range) {
    return fmt::format("{} is closed from {} to {}", calendar.name(), minute_text(range.start), minute_text(range.end));
}

std::string early_close_text(const SessionCalendar& calendar, const Session& session, UtcTime usual) {
    return fmt::format("the {} session of {} closed at {}, usually at {}", calendar.name(),
                       format_date(UtcTime{session.date}), minute_text(session.close()), minute_text(usual));
}

std::string no_trade_text(const SessionCalendar& calendar, const Session& session) {
    return fmt::format("outside of the {} session of {}, {} to {}: a stretch without trades has no bar",
                       calendar.name(), format_date(UtcTime{session.date}), minute_text(session.open()),
                       minute_text(session.close()));
}

}  // namespace ktrdr
