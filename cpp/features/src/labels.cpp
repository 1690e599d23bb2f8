#include <ktrdr/features/labels.hpp>

#include <fmt/format.h>

namespace ktrdr {
namespace {

std::int64_t label_of(double now, double later, double threshold) {
    if (!(now > 0 && later > 0)) {
        return Labels::undecided;
    }
    const double change = later / now - 1;
    const Signal signal = change > threshold ? Signal::buy : change < -threshold ? Signal::sell : Signal::hold;
    return static_cast<std::int64_t>(signal);
}

}  // namespace

Result<Labels> forward_return_labels(const Bars& bars, const BarGrid& grid, ForwardReturn rule) {
    if (!(rule.threshold >= 0 && rule.threshold < 1)) {
        return fail(
            Errc::invalid_argument,
            fmt::format("threshold is {}; a fraction from 0 to below 1 is needed (0.02 is 2 %)", rule.threshold),
            {{"field", "threshold"}});
    }
    if (rule.lookahead < 1) {
        return fail(Errc::invalid_argument, "label_lookahead is 0; at least 1 bar is needed",
                    {{"field", "label_lookahead"}});
    }
    const std::size_t count = bars.size();
    Labels labels{std::vector<std::int64_t>(count, Labels::undecided), std::vector<UtcTime>(count, UtcTime::max())};
    for (std::size_t bar = 0; bar + rule.lookahead < count; ++bar) {
        const std::size_t last = bar + rule.lookahead;
        labels.classes[bar] = label_of(bars.close[bar], bars.close[last], rule.threshold);
        labels.ends[bar] = grid.end_of(bars.start_of(last));
    }
    return labels;
}

}  // namespace ktrdr
