#include <ktrdr/progress/rate.hpp>

#include <algorithm>

#include "windows.hpp"

namespace ktrdr {
void RateMeter::reset(SteadyTime now, std::int64_t items) {
    *this = RateMeter{};
    window_started_ = moved_ = now;
    window_items_ = items_ = items;
}

void RateMeter::observe(SteadyTime now, std::int64_t items) {
    if (items <= items_) {
        return;
    }
    items_ = items;
    moved_ = now;
    ++movements_;
    const double taken = seconds_between(window_started_, now);
    const bool first_of_short_work = rates_.count() == 0 && movements_ > 1 && taken > 0;
    if (taken < shortest_window && !first_of_short_work) {
        return;
    }
    const auto gain = static_cast<double>(items - window_items_);
    rates_.keep(gain / taken);
    seconds_.keep(taken);
    gains_.keep(gain);
    window_started_ = now;
    window_items_ = items;
}

double RateMeter::rate(SteadyTime now) const {
    if (rates_.count() == 0) {
        return 0;
    }
    const double silence = seconds_between(moved_, now);
    return silence > std::max(seconds_.sum(), quiet_seconds) ? gains_.sum() / silence : rates_.typical();
}

}  // namespace ktrdr
