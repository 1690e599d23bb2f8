#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// A range that is missing, or a part of one, inside a request.
struct AskedHole {
    TimeRange range{};
    /// The stored bars next to it, three at most, that are asked for again: by them is seen whether the provider's
    /// history is still the one that is stored.
    Bars before{};
    Bars behind{};
};

/// One request.
struct AskedSegment {
    TimeRange asked{};
    /// What its answer is to cover, oldest first; unlike those of any other.
    std::vector<AskedHole> holes{};
    /// Of every bar inside `asked` that is stored beside the holes.
    std::vector<std::int64_t> stored{};
    /// By so much it begins before what is needed, so that it is long in whole units.
    std::chrono::nanoseconds widened{0};

    /// From the first hole's start to the last one's end.
    [[nodiscard]] TimeRange range() const { return {holes.front().range.start, holes.back().range.end}; }
};

/// Makes requests of missing ranges, one after the other.
///
/// A request asks for a span at most. A missing range is asked for together with the next one where the bars that are
/// stored between them cost less than a request. Thread safety: none. Errors: those of reading.
class KTRDR_EXPORT RequestPlanner final {
public:
    using ReadBars = std::function<Result<Bars>(TimeRange)>;

    struct Order {
        /// The newest missing range comes first.
        bool newest_first{false};
        /// Ask for whole days, and from a week on for whole weeks, where the span allows it: for what a provider may
        /// have left out that rounds durations down.
        bool whole_units{false};
    };
    /// What a request may cost at the moment.
    struct Pace {
        /// Positive.
        std::chrono::nanoseconds span{};
        /// So many bars cost as much as a request.
        double bars_for_a_request{0};
    };

    /// `missing` oldest first, apart from each other; `read` answers stored bars.
    RequestPlanner(const std::vector<TimeRange>& missing, BarGrid grid, Order order, ReadBars read);

    [[nodiscard]] bool done() const noexcept { return left_.empty(); }
    /// What no request was made of yet, oldest first.
    [[nodiscard]] std::vector<TimeRange> left() const { return {left_.begin(), left_.end()}; }
    /// How many requests that is at least.
    [[nodiscard]] std::size_t requests_left(std::chrono::nanoseconds span) const;
    /// Not when it is done.
    [[nodiscard]] Result<AskedSegment> next(const Pace& pace);

private:
    [[nodiscard]] AskedSegment inside_a_hole(std::chrono::nanoseconds span);
    void take_oldest(const Bars& near, const Pace& pace, AskedSegment& segment);
    void take_newest(const Bars& near, const Pace& pace, AskedSegment& segment);
    void add_neighbours(const Bars& near, AskedSegment& segment) const;

    const BarGrid grid_;
    const Order order_;
    const ReadBars read_;
    std::deque<TimeRange> left_;
    /// A request was made of a part of the range that is next.
    bool begun_{false};
};

}  // namespace ktrdr
