#include <ktrdr/features/labels.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ktrdr {
namespace {

constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

bool is_price(double close) {
    return std::isfinite(close);
}

/// Closes of one stretch without holes, from which labels are read.
class StretchLabels {
public:
    StretchLabels(const Bars& bars, const LabelRule& rule, Stretch stretch, Labels& labels)
        : close_(bars.close),
          rule_(rule),
          stretch_(stretch),
          beyond_(stretch.last == bars.size() ? DropReason::undecided : DropReason::hole),
          labels_(labels) {}

protected:
    /// The label of a bar by the close of `target`, known with bar `last`; `nowhere` lies beyond the stretch.
    void decide(std::size_t bar, std::size_t target, std::size_t last, double up, double down) {
        if (!is_price(close_[bar]) || (target != nowhere && !is_price(close_[target]))) {
            labels_.reasons[bar] = DropReason::nan;
        } else if (close_[bar] == 0) {
            labels_.reasons[bar] = DropReason::undecided;
        } else if (target == nowhere) {
            labels_.reasons[bar] = beyond_;
        } else {
            const Signal signal = has_risen(close_[bar], close_[target], up)       ? Signal::buy
                                  : has_risen(-close_[bar], -close_[target], down) ? Signal::sell
                                                                                   : Signal::hold;
            labels_.classes[bar] = static_cast<std::int64_t>(signal);
            labels_.last[bar] = last;
            labels_.reasons[bar] = DropReason::none;
        }
    }

    [[nodiscard]] std::size_t ahead(std::size_t bar) const {
        return rule_.lookahead < stretch_.last - bar ? bar + rule_.lookahead : nowhere;
    }

    const std::vector<double>& close_;
    const LabelRule& rule_;
    const Stretch stretch_;
    /// What a label lacks that looks beyond the stretch.
    const DropReason beyond_;
    Labels& labels_;
};

class ForwardReturns final : StretchLabels {
public:
    using StretchLabels::StretchLabels;
    void run() {
        for (std::size_t bar = stretch_.first; bar < stretch_.last; ++bar) {
            const std::size_t target = ahead(bar);
            decide(bar, target, target, rule_.threshold, rule_.threshold);
        }
    }
};

class ZigzagLegs final : StretchLabels {
public:
    using StretchLabels::StretchLabels;
    void run() {
        for (std::size_t bar = stretch_.first; bar < stretch_.last; ++bar) {
            if (is_price(close_[bar])) {
                take(bar);
            }
        }
        label_until(stretch_.last, nowhere, never, never);
    }

private:
    void take(std::size_t bar) {
        const auto has_turned = [&](std::size_t extreme, double sign) {
            return extreme != nowhere && has_risen(sign * close_[extreme], sign * close_[bar], rule_.zigzag_threshold);
        };
        if (has_turned(high_, -1)) {
            label_until(high_, bar, rule_.threshold, never);
            high_ = nowhere;
            low_ = bar;
        } else if (has_turned(low_, 1)) {
            label_until(low_, bar, never, rule_.threshold);
            low_ = nowhere;
            high_ = bar;
        } else {
            if (high_ != nowhere && close_[bar] > close_[high_]) {
                high_ = bar;
            }
            if (low_ != nowhere && close_[bar] < close_[low_]) {
                low_ = bar;
            }
            if (first_) {
                high_ = low_ = bar;
                first_ = false;
            }
        }
    }

    /// The bars before a turn, from the turn before on. Of a leg up no bar is sell, of one down nowhere is buy.
    void label_until(std::size_t extreme, std::size_t known, double up, double down) {
        for (; begin_ < extreme; ++begin_) {
            const std::size_t target = begin_ + std::min(rule_.lookahead, extreme - begin_);
            decide(begin_, known == nowhere ? nowhere : target, known, up, down);
        }
    }

    static constexpr double never = std::numeric_limits<double>::infinity();

    /// Where the leg in hand has been so far; a leg up has no low, one down no high, the first may become either.
    std::size_t high_{nowhere};
    std::size_t low_{nowhere};
    bool first_{true};
    /// The first bar without a label.
    std::size_t begin_{stretch_.first};
};

class TripleBarriers final : StretchLabels {
public:
    using StretchLabels::StretchLabels;
    void run() {
        make_blocks();
        for (std::size_t bar = stretch_.first; bar < stretch_.last; ++bar) {
            label(bar);
        }
    }

private:
    static constexpr std::size_t length = 64;
    /// The span of the closes of bars that follow each other.
    struct Block {
        double lowest{std::numeric_limits<double>::infinity()};
        double highest{-std::numeric_limits<double>::infinity()};
        bool has_nan{false};
    };

    void make_blocks() {
        blocks_.assign((stretch_.last - stretch_.first) / length + 1, {});
        for (std::size_t bar = stretch_.first; bar < stretch_.last; ++bar) {
            Block& block = blocks_[(bar - stretch_.first) / length];
            block.lowest = std::min(block.lowest, close_[bar]);
            block.highest = std::max(block.highest, close_[bar]);
            block.has_nan = block.has_nan || !is_price(close_[bar]);
        }
    }

    [[nodiscard]] bool passes(double from, double lowest, double highest) const {
        return has_risen(from, highest, rule_.threshold) ||
               has_risen(-from, -lowest, rule_.stop_threshold.value_or(rule_.threshold));
    }

    void label(std::size_t bar) {
        const std::size_t end = std::min(stretch_.last - 1, bar + std::min(rule_.lookahead, stretch_.last - bar));
        std::size_t at = bar + 1;
        while (at <= end) {
            const std::size_t offset = at - stretch_.first;
            const Block& block = blocks_[offset / length];
            if (offset % length == 0 && at + length <= end + 1 && !block.has_nan &&
                !passes(close_[bar], block.lowest, block.highest)) {
                at += length;
            } else if (!is_price(close_[at]) || passes(close_[bar], close_[at], close_[at])) {
                break;
            } else {
                ++at;
            }
        }
        const std::size_t target = at <= end ? at : ahead(bar);
        decide(bar, target, target, rule_.threshold, rule_.stop_threshold.value_or(rule_.threshold));
    }

    std::vector<Block> blocks_{};
};

/// How much of each label is its own.
void weigh(Labels& labels) {
    const std::size_t count = labels.classes.size();
    std::vector<double> looking(count + 1);
    const auto is_decided = [&](std::size_t bar) { return labels.reasons[bar] == DropReason::none; };
    for (std::size_t bar = 0; bar < count; ++bar) {
        if (is_decided(bar)) {
            looking[bar + 1] += 1;
            looking[labels.last[bar] + 1] -= 1;
        }
    }
    // From the change at each bar of how many look at it, to the sum of one over that number over the bars before.
    double sum = 0;
    double at_once = 0;
    for (double& each : looking) {
        at_once += each;
        each = sum;
        sum += at_once > 0.5 ? 1 / at_once : 0;
    }
    double all = 0;
    std::size_t decided = 0;
    for (std::size_t bar = 0; bar < count; ++bar) {
        if (is_decided(bar)) {
            const std::size_t last = labels.last[bar];
            labels.weights[bar] = (looking[last + 1] - looking[bar + 1]) / static_cast<double>(last - bar);
            all += labels.weights[bar];
            ++decided;
        }
    }
    for (double& weight : labels.weights) {
        weight *= decided == 0 ? 0 : static_cast<double>(decided) / all;
    }
}

Result<void> check_share(std::string_view field, double value, bool may_be_zero) {
    if (value < 1 && (may_be_zero ? value >= 0 : value > 0)) {
        return {};
    }
    return fail(Errc::invalid_argument,
                fmt::format("{} is {}; a fraction {} below 1 is needed (0.02 is 2 %)", field, value,
                            may_be_zero ? "from 0 to" : "above 0 and"),
                {{"field", field}});
}

}  // namespace

bool has_risen(double from, double to, double threshold) noexcept {
    const double move = to - from;
    const double least = threshold * std::abs(from);
    // Each price, the threshold, the difference and the product are off by half a unit in the last place at most.
    constexpr double half = std::numeric_limits<double>::epsilon() / 2;
    return move - least > 6 * half * (std::abs(from) + std::abs(to));
}

Result<void> check_rule(const LabelRule& rule) {
    if (auto checked = check_share("threshold", rule.threshold, true); !checked) {
        return checked;
    }
    if (auto checked = check_share("stop_threshold", rule.stop_threshold.value_or(0), true); !checked) {
        return checked;
    }
    if (auto checked = check_share("zigzag_threshold", rule.zigzag_threshold, false); !checked) {
        return checked;
    }
    if (rule.lookahead < 1) {
        return fail(Errc::invalid_argument, "label_lookahead is 0; at least 1 bar is needed",
                    {{"field", "label_lookahead"}});
    }
    return {};
}

Result<Labels> make_labels(const Bars& bars, const BarGrid& grid, const LabelRule& rule, std::span<const Hole> holes) {
    if (auto checked = check_rule(rule); !checked) {
        return checked.error();
    }
    const std::size_t count = bars.size();
    Labels labels{std::vector<std::int64_t>(count, Labels::undecided), std::vector<UtcTime>(count, UtcTime::max()),
                  std::vector<std::size_t>(count), std::vector<double>(count),
                  std::vector<DropReason>(count, DropReason::undecided)};
    for (const Stretch stretch : stretches_between(holes, count)) {
        switch (rule.source) {
            case LabelSource::forward_return: ForwardReturns(bars, rule, stretch, labels).run(); break;
            case LabelSource::zigzag: ZigzagLegs(bars, rule, stretch, labels).run(); break;
            case LabelSource::triple_barrier: TripleBarriers(bars, rule, stretch, labels).run(); break;
        }
    }
    for (std::size_t bar = 0; bar < count; ++bar) {
        if (labels.reasons[bar] == DropReason::none) {
            labels.ends[bar] = grid.end_of(bars.start_of(labels.last[bar]));
        } else {
            labels.last[bar] = bar;
        }
    }
    weigh(labels);
    return labels;
}

}  // namespace ktrdr
