#pragma once

#include <chrono>
#include <cstddef>

#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {

/// How long requests for bars of one source and timeframe take, and what follows from it: how much one request asks
/// for, and how many bars that are stored may be asked for again to spare another.
///
/// A request costs so much for itself and so much for each bar; both are measured, later answers counting for more.
/// Until then a quarter of a second and a millisecond are taken for it. Thread safety: none; the io thread.
class RequestPace final {
public:
    using Seconds = std::chrono::duration<double>;

    RequestPace(const SourceLimits& limits, const Timeframe& timeframe);

    enum class Speed { fast, usual, slow };
    /// An answer came: judged by what was measured before, and measured.
    Speed answered(std::size_t bars, Seconds took);
    /// So much was asked for and came whole. Where what a request costs for itself is much of it, the next asks for
    /// more.
    void came_whole(std::chrono::nanoseconds asked);
    /// Answers hold no more than that; more is tried once many came whole.
    void hold_to(std::chrono::nanoseconds span);

    /// How much a request asks for now.
    [[nodiscard]] std::chrono::nanoseconds span() const noexcept { return span_; }
    /// No request asks for less because one was refused.
    [[nodiscard]] std::chrono::nanoseconds shortest_span() const noexcept { return shortest_; }
    /// So many bars take as long to come as a request does for itself.
    [[nodiscard]] double bars_for_a_request() const noexcept { return per_request_ / per_bar_; }

private:
    void measure();

    std::chrono::nanoseconds most_;
    std::chrono::nanoseconds longest_;
    std::chrono::nanoseconds shortest_;
    std::chrono::nanoseconds span_;
    /// Seconds.
    double per_request_;
    double per_bar_;
    bool measured_{false};
    int whole_in_row_{0};
    double last_bars_{0};
    /// Sums over answers, older ones counting for less: how many, bars, seconds, and their products.
    double n_{0};
    double b_{0};
    double t_{0};
    double bb_{0};
    double bt_{0};
};

}  // namespace ktrdr
