#include "range_sets.hpp"

#include <algorithm>

namespace ktrdr {

std::vector<TimeRange> joined(std::vector<TimeRange> ranges) {
    std::ranges::sort(ranges);
    std::vector<TimeRange> all;
    for (const TimeRange& range : ranges) {
        if (!all.empty() && range.start <= all.back().end) {
            all.back().end = std::max(all.back().end, range.end);
        } else {
            all.push_back(range);
        }
    }
    return all;
}

std::vector<TimeRange> without(const std::vector<TimeRange>& ranges, const std::vector<TimeRange>& others) {
    std::vector<TimeRange> left;
    auto other = others.begin();
    for (TimeRange range : ranges) {
        while (other != others.end() && other->end <= range.start) {
            ++other;
        }
        // The last that is looked at may reach into the next range.
        for (auto at = other; at != others.end() && at->start < range.end; ++at) {
            if (range.start < at->start) {
                left.push_back({range.start, at->start});
            }
            range.start = std::min(at->end, range.end);
        }
        if (!range.empty()) {
            left.push_back(range);
        }
    }
    return left;
}

}  // namespace ktrdr
