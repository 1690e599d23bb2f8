#include <ktrdr/progress/eta.hpp>

#include <algorithm>
#include <cmath>

#include "windows.hpp"

namespace ktrdr {
namespace {

/// The weight of an old speed is halved after this long.
constexpr double half_life_seconds = 2;
/// A unit in work that has taken so many times what the only one before it took shows that the latter tells nothing.
constexpr double doubtful = 3;

}  // namespace

void EtaEstimator::reset(SteadyTime now) {
    *this = EtaEstimator{};
    started_ = unit_started_ = speed_at_ = now;
}

bool EtaEstimator::observe(SteadyTime now, std::int64_t done, std::int64_t total, double fraction) {
    total_ = total;
    fraction = std::clamp(fraction, 0.0, 1.0);
    if (done_ == 0 && done > 1) {
        reset(now);
        total_ = total;
        done_ = window_done_ = done;
        speed_progress_ = static_cast<double>(done) + fraction;
        return true;
    }
    const std::int64_t count = done - window_done_;
    const double taken = seconds_between(unit_started_, now);
    // Units much shorter than the looks at them are averaged over a while: how many fall between two looks varies.
    if (count > 0 && (units_.count() == 0 || taken >= shortest_window)) {
        const std::int64_t told = taken < shortest_window ? 1 : std::min<std::int64_t>(count, RecentFive::most);
        for (std::int64_t i = 0; i < told; ++i) {
            units_.keep(taken / static_cast<double>(count));
        }
        unit_started_ = now;
        window_done_ = done;
    }
    done_ = std::max(done, done_);
    const double progress = static_cast<double>(done_) + fraction;
    const double elapsed = seconds_between(speed_at_, now);
    if (elapsed > 0 && progress > speed_progress_) {
        const double fresh = (progress - speed_progress_) / elapsed;
        const double keep = speed_ > 0 ? std::exp2(-elapsed / half_life_seconds) : 0;
        speed_ = keep * speed_ + (1 - keep) * fresh;
        speed_at_ = now;
        speed_progress_ = progress;
        speed_gap_ = elapsed;
    }
    return false;
}

std::optional<std::chrono::milliseconds> EtaEstimator::remaining(SteadyTime now) const {
    if (total_ <= 0) {
        return std::nullopt;
    }
    if (done_ >= total_) {
        return std::chrono::milliseconds{0};
    }
    if (too_early(now)) {
        return std::nullopt;
    }
    const double left = units_.count() > 0 ? left_by_units(now) : left_by_speed(now);
    constexpr double longest = 1e9;
    return std::chrono::milliseconds(std::llround(1000 * std::clamp(left, 0.0, longest)));
}

bool EtaEstimator::too_early(SteadyTime now) const {
    const bool quiet = seconds_between(started_, now) < quiet_seconds;
    if (units_.count() == 0) {
        return quiet || speed_ <= 0;
    }
    if (units_.count() == 1) {
        const double each = seconds_between(unit_started_, now) / static_cast<double>(done_ - window_done_ + 1);
        return (quiet && done_ < 2) || each > doubtful * units_.typical();
    }
    return false;
}

double EtaEstimator::left_by_units(SteadyTime now) const {
    const double unit = units_.typical();
    const double all = unit * static_cast<double>(total_ - window_done_) - seconds_between(unit_started_, now);
    return std::max(all, unit * static_cast<double>(total_ - done_ - 1));
}

// It counts down until the next movement was due. Then it stands: silence is no progress.
double EtaEstimator::left_by_speed(SteadyTime now) const {
    return (static_cast<double>(total_) - speed_progress_) / speed_ -
           std::min(seconds_between(speed_at_, now), speed_gap_);
}

}  // namespace ktrdr
