// A file of overrides changes days of a calendar that is there, or is refused by its name and line; what is changed has
// its sessions in order and apart, on the dates that the calendar has.

#include <ktrdr/calendar/bar_grid.hpp>

#include "sessions.hpp"

namespace ktrdr::fuzz {
namespace {

SessionCalendarPtr base(bool around_the_clock) {
    static const SessionCalendarPtr tokyo = SessionCalendar::read(
                                                "calendar,XTKS\n"
                                                "zone,Asia/Tokyo\n"
                                                "dates,2024-01-01,2024-03-31\n"
                                                "offset,2023-12-30T00:00Z,+09:00\n"
                                                "week,2024-01-01,mon-fri,09:00,15:00,11:30,12:30\n",
                                                "XTKS.csv")
                                                .value();
    static const SessionCalendarPtr crypto = SessionCalendar::read(
                                                 "calendar,CRYPTO\n"
                                                 "zone,UTC\n"
                                                 "dates,2024-01-01,2024-03-31\n"
                                                 "week,2024-01-01,mon-sun,00:00,24:00\n",
                                                 "CRYPTO.csv")
                                                 .value();
    return around_the_clock ? crypto : tokyo;
}

void check(const SessionCalendar& changed, const SessionCalendar& before) {
    require(changed.first_date() == before.first_date() && changed.last_date() == before.last_date(),
            "the dates are the calendar's own");
    require(changed.sessions().size() <= before.sessions().size() + 91, "a date has one session");
    check_sessions(changed);
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    const std::string_view text = text_of(data, size);
    for (const bool around_the_clock : {false, true}) {
        const auto before = base(around_the_clock);
        const std::size_t sessions = before->sessions().size();
        if (const auto changed = before->with_overrides(text, "mine.csv")) {
            check(**changed, *before);
            require(BarGrid::make(Timeframe::parse("1h").value(), *changed, {}).has_value(), "it is a grid");
        } else {
            require(changed.error().code == Errc::invalid_argument, "a refusal says what is wrong");
            require(changed.error().message.find("mine.csv") != std::string::npos ||
                        changed.error().message.find("the calendar ") != std::string::npos,
                    "and where");
        }
        require(before->sessions().size() == sessions, "the calendar stays as it was");
    }
    return 0;
}
