#include <ktrdr/progress/eta.hpp>

#include <algorithm>
#include <cmath>

namespace ktrdr {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

constexpr Nanoseconds shortest_window = std::chrono::seconds{1};
constexpr Nanoseconds quiet_time = std::chrono::seconds{3};
/// The weight of an old speed is halved after this long.
constexpr double half_life_seconds = 2;

double seconds(Nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

}  // namespace

void EtaEstimator::reset(SteadyTime now) {
    *this = EtaEstimator{};
    started_ = unit_started_ = speed_at_ = now;
}

void EtaEstimator::keep_unit(Nanoseconds taken) {
    units_[unit_count_ % units_.size()] = taken;
    ++unit_count_;
}

Nanoseconds EtaEstimator::median_unit() const {
    auto sorted = units_;
    const std::size_t count = std::min(unit_count_, sorted.size());
    std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count));
    const std::size_t middle = count / 2;
    return count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

void EtaEstimator::observe(SteadyTime now, std::int64_t done, std::int64_t total, double fraction) {
    total_ = total;
    const std::int64_t count = done - window_done_;
    const Nanoseconds taken = now - unit_started_;
    // Units much shorter than the looks at them are averaged over a while: how many fall between two looks varies.
    if (count > 0 && (unit_count_ == 0 || taken >= shortest_window)) {
        const auto most = static_cast<std::int64_t>(units_.size());
        for (std::int64_t i = taken < shortest_window ? 1 : std::min(count, most); i > 0; --i) {
            keep_unit(taken / count);
        }
        unit_started_ = now;
        window_done_ = done;
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
    if (unit_count_ > 0) {
        const Nanoseconds unit = median_unit();
        const double all = seconds(unit) * static_cast<double>(total_ - window_done_) - seconds(now - unit_started_);
        left = std::max(all, seconds(unit) * static_cast<double>(total_ - done_ - 1));
    } else if (speed_ > 0) {
        left = (static_cast<double>(total_) - speed_progress_) / speed_ - seconds(now - speed_at_);
    } else {
        return std::nullopt;
    }
    constexpr double longest = 1e9;
    return std::chrono::milliseconds(std::llround(1000 * std::clamp(left, 0.0, longest)));
}

}  // namespace ktrdr
