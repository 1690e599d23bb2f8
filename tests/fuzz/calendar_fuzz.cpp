// A calendar that is read has its sessions in order and apart, and a grid over it answers anything.

#include <ktrdr/calendar/bar_grid.hpp>

#include "sessions.hpp"

namespace ktrdr::fuzz {
namespace {

void check_grid(const SessionCalendarPtr& calendar) {
    const auto sessions = calendar->sessions();
    for (const char* const name : {"30m", "8h", "1d", "1w", "1M"}) {
        for (const BarCut cut : {BarCut::open_then_clock, BarCut::from_open, BarCut::clock}) {
            const auto grid = BarGrid::make(Timeframe::parse(name).value(), calendar, {.cut = cut});
            require(grid.has_value(), "it is a grid");
            for (std::size_t i = 0; i < sessions.size(); i += 1 + sessions.size() / 16) {
                for (const UtcTime time : {sessions[i].open(), sessions[i].close(), UtcTime{sessions[i].date}}) {
                    // Not after its stamp: on a half day in Auckland the session of a date is over before 00:00 UTC of
                    // it.
                    const Period period = grid->period_of(time);
                    require(period.start < period.end, "a bar ends after it starts");
                    require(grid->next(time) > time, "the next is later");
                    require(!grid->is_closed(grid->closed_end(time), time), "what is asked for ends with the closed");
                }
            }
        }
    }
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    const std::string_view text = text_of(data, size);
    if (const auto calendar = SessionCalendar::read(text, "mine.csv")) {
        check_sessions(**calendar);
        check_grid(*calendar);
    } else {
        require(calendar.error().code == Errc::invalid_argument, "a refusal says what is wrong");
        require(calendar.error().message.find("mine.csv") != std::string::npos ||
                    calendar.error().message.find("the calendar ") != std::string::npos,
                "and where");
    }
    return 0;
}
