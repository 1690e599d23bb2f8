#include <ktrdr/data/request_planner.hpp>

#include <algorithm>
#include <utility>

namespace ktrdr {
namespace {

using std::chrono::nanoseconds;

/// So many bars are asked for again where a missing range meets what is stored.
constexpr std::size_t overlap = 3;

/// Bars that are stored are looked for so far before and behind what is missing.
constexpr std::chrono::days neighbourhood{10};

UtcTime earlier(UtcTime time, nanoseconds by) {
    return std::max(time, UtcTime::min() + by) - by;
}

UtcTime later(UtcTime time, nanoseconds by) {
    return std::min(time, UtcTime::max() - by) + by;
}

std::size_t rows_between(const Bars& bars, UtcTime from, UtcTime to) {
    return from < to ? bars.row_from(to) - bars.row_from(from) : 0;
}

Bars last_of(const Bars& bars) {
    return bars.rows(bars.size() - std::min(bars.size(), overlap), bars.size());
}

Bars first_of(const Bars& bars) {
    return bars.rows(0, std::min(bars.size(), overlap));
}

/// What providers round durations to.
nanoseconds unit_of(nanoseconds length) {
    constexpr std::chrono::days week{7};
    return length < week ? nanoseconds{std::chrono::days{1}} : nanoseconds{week};
}

/// Whole days that hold it, from a week on whole weeks.
nanoseconds in_whole_units(nanoseconds length) {
    const nanoseconds unit = unit_of(length);
    return (length + unit - nanoseconds{1}) / unit * unit;
}

/// The whole units that it holds; less than one as it is.
nanoseconds whole_units_in(nanoseconds length) {
    const nanoseconds unit = unit_of(length);
    return length < unit ? length : length / unit * unit;
}

}  // namespace

RequestPlanner::RequestPlanner(const std::vector<TimeRange>& missing, BarGrid grid, Order order, ReadBars read)
    : grid_(std::move(grid)), order_(order), read_(std::move(read)), left_(missing.begin(), missing.end()) {}

std::size_t RequestPlanner::requests_left(nanoseconds span) const {
    std::size_t count = 0;
    UtcTime reached = UtcTime::min();
    for (const TimeRange& hole : left_) {
        const UtcTime start = std::max(hole.start, reached);
        if (start < hole.end) {
            const auto spans = static_cast<std::size_t>((hole.end - start + span - nanoseconds{1}) / span);
            count += spans;
            reached = later(start, static_cast<std::int64_t>(spans) * span);
        }
    }
    return count;
}

Result<AskedSegment> RequestPlanner::next(const Pace& usual) {
    Pace pace = usual;
    pace.span = order_.whole_units ? whole_units_in(pace.span) : pace.span;
    const TimeRange hole = order_.newest_first ? left_.back() : left_.front();
    if (begun_ && hole.end - hole.start > pace.span && !order_.whole_units) {
        return inside_a_hole(pace.span);
    }
    const auto around = std::min<nanoseconds>(neighbourhood + 10 * grid_.timeframe().shortest(), pace.span / 4);
    const nanoseconds units = order_.whole_units ? nanoseconds{std::chrono::days{7}} : nanoseconds{0};
    const TimeRange within = order_.newest_first
                                 ? TimeRange{std::max(earlier(hole.end, pace.span), UtcTime::min()), hole.end}
                                 : TimeRange{hole.start, later(hole.start, pace.span)};
    const auto near = read_({earlier(within.start, around + units), later(within.end, around)});
    if (!near) {
        return near.error();
    }
    AskedSegment segment;
    // Neighbours that lie farther off would leave no room for what is missing.
    const Bars neighbours = near->slice({earlier(within.start, around), UtcTime::max()});
    if (order_.newest_first) {
        take_newest(neighbours, pace, segment);
    } else {
        take_oldest(neighbours, pace, segment);
    }
    if (order_.whole_units) {
        const nanoseconds length = std::min(in_whole_units(segment.asked.end - segment.asked.start), pace.span);
        const UtcTime needed = segment.asked.start;
        segment.asked.start = std::min(needed, earlier(segment.asked.end, length));
        segment.widened = needed - segment.asked.start;
    }
    add_neighbours(*near, segment);
    return segment;
}

AskedSegment RequestPlanner::inside_a_hole(nanoseconds span) {
    AskedSegment segment;
    if (order_.newest_first) {
        TimeRange& hole = left_.back();
        segment.asked = {hole.end - span, hole.end};
        hole.end = segment.asked.start;
    } else {
        TimeRange& hole = left_.front();
        segment.asked = {hole.start, hole.start + span};
        hole.start = segment.asked.end;
    }
    segment.holes.push_back({segment.asked, {}, {}});
    return segment;
}

void RequestPlanner::take_oldest(const Bars& near, const Pace& pace, AskedSegment& segment) {
    const UtcTime begin = left_.front().start;
    const Bars before = begun_ ? Bars{} : last_of(near.slice({UtcTime::min(), begin}));
    segment.asked.start = before.empty() ? begin : before.start_of(0);
    const UtcTime limit = later(segment.asked.start, pace.span);
    UtcTime reached = begin;
    while (!left_.empty()) {
        TimeRange& hole = left_.front();
        const auto between = static_cast<double>(rows_between(near, reached, hole.start));
        if (!segment.holes.empty() && (hole.start >= limit || between > pace.bars_for_a_request)) {
            break;
        }
        begun_ = hole.end > limit;
        segment.holes.push_back({{hole.start, std::min(hole.end, limit)}, {}, {}});
        reached = segment.holes.back().range.end;
        if (begun_) {
            hole.start = limit;
            segment.asked.end = limit;
            return;
        }
        left_.pop_front();
    }
    const Bars behind = first_of(near.slice({reached, left_.empty() ? UtcTime::max() : left_.front().start}));
    // What would be left for a last request of stored bars alone is not asked for.
    segment.asked.end = behind.empty() ? reached : std::min(limit, grid_.end_of(behind.start_of(behind.size() - 1)));
}

void RequestPlanner::take_newest(const Bars& near, const Pace& pace, AskedSegment& segment) {
    const UtcTime end = left_.back().end;
    const Bars behind = begun_ ? Bars{} : first_of(near.slice({end, UtcTime::max()}));
    segment.asked.end = behind.empty() ? end : grid_.end_of(behind.start_of(behind.size() - 1));
    const UtcTime limit = earlier(segment.asked.end, pace.span);
    UtcTime reached = end;
    while (!left_.empty()) {
        TimeRange& hole = left_.back();
        const auto between = static_cast<double>(rows_between(near, hole.end, reached));
        if (!segment.holes.empty() && (hole.end <= limit || between > pace.bars_for_a_request)) {
            break;
        }
        begun_ = hole.start < limit;
        segment.holes.insert(segment.holes.begin(), AskedHole{{std::max(hole.start, limit), hole.end}, {}, {}});
        reached = segment.holes.front().range.start;
        if (begun_) {
            hole.end = limit;
            segment.asked.start = limit;
            return;
        }
        left_.pop_back();
    }
    const Bars before = last_of(near.slice({left_.empty() ? UtcTime::min() : left_.back().end, reached}));
    segment.asked.start = before.empty() ? reached : std::max(limit, before.start_of(0));
}

void RequestPlanner::add_neighbours(const Bars& near, AskedSegment& segment) const {
    UtcTime reached = segment.asked.start;
    for (std::size_t i = 0; i < segment.holes.size(); ++i) {
        AskedHole& hole = segment.holes[i];
        const bool last = i + 1 == segment.holes.size();
        const UtcTime next = last ? segment.asked.end : segment.holes[i + 1].range.start;
        const Bars gap = near.slice({reached, hole.range.start});
        segment.stored.insert(segment.stored.end(), gap.time.begin(), gap.time.end());
        hole.before = last_of(gap);
        hole.behind = first_of(near.slice({hole.range.end, next}));
        reached = hole.range.end;
    }
    const Bars rest = near.slice({reached, segment.asked.end});
    segment.stored.insert(segment.stored.end(), rest.time.begin(), rest.time.end());
}

}  // namespace ktrdr
