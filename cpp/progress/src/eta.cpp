#include <ktrdr/progress/eta.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace ktrdr {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

constexpr std::size_t kept_units = 5;
constexpr Nanoseconds quiet_time = std::chrono::seconds{3};
/// The weight of an old speed is halved after this long.
constexpr double half_life_seconds = 2;

double seconds(Nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

Nanoseconds median(const std::deque<Nanoseconds>& units) {
    std::vector<Nanoseconds> sorted(units.begin(), units.end());
    std::sort(sorted.begin(), sorted.end());
    const std::size_t middle = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

}  // namespace

void EtaEstimator::reset(SteadyTime now) {
    *this = EtaEstimator{};
    started_ = unit_started_ = speed_at_ = now;
}

void EtaEstimator::observe(SteadyTime now, std::int64_t done, std::int64_t total, double fraction) {
    total_ = total;
    if (done > done_) {
        // Several units between two looks share the time between them.
        const std::int64_t count = done - done_;
        const Nanoseconds each = (now - unit_started_) / count;
        for (std::int64_t i = 0; i < std::min<std::int64_t>(count, kept_units); ++i) {
            units_.push_back(each);
        }
        while (units_.size() > kept_units) {
            units_.pop_front();
        }
        unit_started_ = now;
    }
    done_ = std::max(done, done_);
    fraction_ = std::clamp(fraction, 0.0, 1.0);
    const double progress = static_cast<double>(done_) + fraction_;
    const double elapsed = seconds(now - speed_at_);
    if (elapsed > 0 && progress > speed_progress_) {
        const double fresh = (progress - speed_progress_) / elapsed;
        const double keep = speed_ > 0 ? std::exp2(-elapsed / half_life_seconds) : 0;
        speed_ = keep * speed_ + (1 - keep) * fresh;
        speed_at_ = now;
        speed_progress_ = progress;
    }
}

std::optional<std::chrono::milliseconds> EtaEstimator::remaining(SteadyTime now) const {
    if (total_ <= 0 || (done_ < 2 && now - started_ < quiet_time)) {
        return std::nullopt;
    }
    if (done_ >= total_) {
        return std::chrono::milliseconds{0};
    }
    double left = 0;
    if (!units_.empty()) {
        const Nanoseconds unit = median(units_);
        const Nanoseconds in_work = std::max(Nanoseconds{unit - (now - unit_started_)}, Nanoseconds::zero());
        left = seconds(unit) * static_cast<double>(total_ - done_ - 1) + seconds(in_work);
    } else if (speed_ > 0) {
        left = (static_cast<double>(total_) - speed_progress_) / speed_ - seconds(now - speed_at_);
    } else {
        return std::nullopt;
    }
    constexpr double longest = 1e9;
    return std::chrono::milliseconds(std::llround(1000 * std::clamp(left, 0.0, longest)));
}

}  // namespace ktrdr
