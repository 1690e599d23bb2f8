#include "request_pace.hpp"

#include <algorithm>

namespace ktrdr {
namespace {

/// What is taken for the cost of a request and of a bar before any was measured, in seconds.
constexpr double first_per_request = 0.25;
constexpr double first_per_bar = 0.001;

/// What an answer counts for beside the next one.
constexpr double memory = 0.9;

/// An answer within this is fast, whatever others took, and none within the other is slow: clocks and machines stutter.
constexpr double surely_fast = 0.2;
constexpr double surely_not_slow = 1.0;

/// A request whose own cost is more than this share asks for too little.
constexpr double most_overhead = 0.2;

/// So many answers that came whole make it worth a try whether longer ones do, too.
constexpr int whole_to_try_more = 16;

}  // namespace

RequestPace::RequestPace(const SourceLimits& limits, const Timeframe& timeframe)
    : most_(limits.max_span),
      longest_(limits.max_span),
      shortest_(std::min<std::chrono::nanoseconds>(
          limits.max_span, std::max<std::chrono::nanoseconds>(std::chrono::days{1}, 10 * timeframe.shortest()))),
      span_(limits.first_span > std::chrono::nanoseconds{0} ? std::min(limits.first_span, longest_) : longest_),
      per_request_(first_per_request),
      per_bar_(first_per_bar) {}

RequestPace::Speed RequestPace::answered(std::size_t bars, Seconds took) {
    const auto count = static_cast<double>(bars);
    const double seconds = std::max(took.count(), 0.0);
    const double usual = per_request_ + per_bar_ * count;
    n_ = memory * n_ + 1;
    b_ = memory * b_ + count;
    t_ = memory * t_ + seconds;
    bb_ = memory * bb_ + count * count;
    bt_ = memory * bt_ + count * seconds;
    last_bars_ = count;
    measure();
    const bool first = !measured_;
    measured_ = true;
    if (seconds <= surely_fast || seconds <= 1.5 * usual) {
        return Speed::fast;
    }
    return !first && seconds > std::max(3 * usual, surely_not_slow) ? Speed::slow : Speed::usual;
}

/// The line of least squares through the answers and through two that go as the first guess does, on their scale: where
/// all answers have as many bars, these say what the rest is for.
void RequestPace::measure() {
    const double scale = std::max(t_ / (n_ * first_per_request + b_ * first_per_bar), 1e-9);
    const double guess_bars = std::max(b_ / n_, 1.0);
    constexpr double weight = 0.25;
    const double guess_none = scale * first_per_request;
    const double guess_some = scale * (first_per_request + guess_bars * first_per_bar);
    const double n = n_ + 2 * weight;
    const double b = b_ + weight * guess_bars;
    const double t = t_ + weight * (guess_none + guess_some);
    const double bb = bb_ + weight * guess_bars * guess_bars;
    const double bt = bt_ + weight * guess_bars * guess_some;
    const double slope = (n * bt - b * t) / (n * bb - b * b);
    // Neither costs nothing, whatever the noise says.
    per_bar_ = std::max(slope, scale * first_per_bar / 20);
    per_request_ = std::max((t - per_bar_ * b) / n, scale * first_per_request / 20);
}

void RequestPace::came_whole(std::chrono::nanoseconds asked) {
    if (asked < span_ || last_bars_ <= 0) {
        return;
    }
    if (longest_ < most_ && ++whole_in_row_ >= whole_to_try_more) {
        whole_in_row_ = 0;
        longest_ = std::min(most_, 2 * longest_);
    }
    const double overhead = per_request_ / (per_request_ + per_bar_ * last_bars_);
    if (overhead > most_overhead) {
        span_ = std::min(longest_, 2 * span_);
    }
}

void RequestPace::hold_to(std::chrono::nanoseconds span) {
    longest_ = std::max(span, shortest_);
    span_ = std::min(span_, longest_);
    whole_in_row_ = 0;
}

}  // namespace ktrdr
