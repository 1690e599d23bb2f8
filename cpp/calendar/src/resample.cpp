#include <ktrdr/calendar/resample.hpp>

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

void add_row(Bars& to, const Bars& from, std::size_t row) {
    to.high.back() = std::max(to.high.back(), from.high[row]);
    to.low.back() = std::min(to.low.back(), from.low[row]);
    to.close.back() = from.close[row];
    const bool given = to.volume.back() != Bars::no_volume && from.volume[row] != Bars::no_volume;
    to.volume.back() = given ? to.volume.back() + from.volume[row] : Bars::no_volume;
}

Error reaches_over(const BarGrid& from, const BarGrid& to, UtcTime stamp, const Period& longer) {
    return fail(
        Errc::invalid_argument,
        fmt::format("the {} bar stamped {} ends at {}, after the {} bar it begins in ({}): choose a timeframe that "
                    "it divides, or the cut of its provider",
                    from.timeframe().name(), format_time(stamp), format_time(from.end_of(stamp)), to.timeframe().name(),
                    format_time(longer.end)),
        {{"field", "timeframe"}, {"stamp", format_time(stamp)}});
}

}  // namespace

Result<Resampled> resample(const Bars& bars, const BarGrid& from, const BarGrid& to, std::optional<TimeRange> covered,
                           const std::function<Result<void>()>& poll) {
    constexpr std::size_t rows_between_polls = 16 * 1024;
    if (auto checked = bars.check(); !checked) {
        return checked.error();
    }
    Resampled made;
    if (bars.empty()) {
        return made;
    }
    const TimeRange whole = covered.value_or(TimeRange{bars.start_of(0), from.end_of(bars.start_of(bars.size() - 1))});
    std::optional<Period> longer;
    for (std::size_t row = 0; row < bars.size(); ++row) {
        if (poll && row % rows_between_polls == 0) {
            if (const auto wanted = poll(); !wanted) {
                return wanted.error();
            }
        }
        const Period shorter = from.period_of(bars.start_of(row));
        // By its last moment: cut by the full hour, the bar that the open is in begins before it.
        const UtcTime inside = shorter.end - std::chrono::nanoseconds{1};
        const bool begins = !longer || inside >= longer->end;
        if (begins) {
            longer = to.period_of(to.floor(inside));
            const Period before = to.period_of(to.floor(shorter.start));
            const bool outlasts = inside >= before.end;
            if (outlasts && shorter.start < before.end) {
                return reaches_over(from, to, shorter.stamp, before);
            }
        }
        if (inside < longer->start || inside >= longer->end) {
            ++made.outside;
            continue;
        }
        if (longer->start < whole.start || longer->end > whole.end) {
            ++made.partial;
            continue;
        }
        const std::int64_t stamp = longer->stamp.time_since_epoch().count();
        if (made.bars.empty() || made.bars.time.back() != stamp) {
            made.bars.push_back(stamp, bars.open[row], bars.high[row], bars.low[row], bars.close[row],
                                bars.volume[row]);
        } else {
            add_row(made.bars, bars, row);
        }
    }
    return made;
}

}  // namespace ktrdr
