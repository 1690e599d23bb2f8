#include <ktrdr/features/feature_matrix.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ktrdr {
namespace {

constexpr std::size_t no_bar = std::numeric_limits<std::size_t>::max();

/// Half the size of doubles, and what a model takes.
using FeatureValues = std::vector<float>;

/// One feature over the bars of its own series.
struct FeatureColumn {
    std::size_t series{0};
    std::size_t lag{0};
    /// Bars of a stretch before its first value.
    std::size_t warm_up{0};
    std::shared_ptr<const FeatureValues> values{};
};

/// The bars of a series as the bars of the base series see them.
struct SeenBars {
    /// For each base bar the newest bar that is closed when it is.
    std::vector<std::size_t> newest{};
    /// For each base bar whether that one should have been followed by another before.
    std::vector<bool> stale{};
    /// For each bar of its own the first of its stretch.
    std::vector<std::size_t> begin{};
};

SeenBars seen_bars(const FeatureSeries& base, const FeatureSeries& other, bool is_base) {
    SeenBars seen;
    const std::size_t count = base.bars->size();
    seen.newest.resize(count, no_bar);
    seen.stale.resize(count);
    seen.begin.resize(other.bars->size());
    for (const Stretch stretch : stretches_between(other.holes, other.bars->size())) {
        std::fill(seen.begin.begin() + static_cast<std::ptrdiff_t>(stretch.first),
                  seen.begin.begin() + static_cast<std::ptrdiff_t>(stretch.last), stretch.first);
    }
    if (is_base) {
        for (std::size_t bar = 0; bar < count; ++bar) {
            seen.newest[bar] = bar;
        }
        return seen;
    }
    std::size_t next = 0;
    auto hole = other.holes.begin();
    for (std::size_t bar = 0; bar < count; ++bar) {
        const UtcTime known = base.grid.end_of(base.bars->start_of(bar));
        while (next < other.bars->size() && other.grid.is_closed(other.bars->start_of(next), known)) {
            ++next;
        }
        while (hole != other.holes.end() && hole->bar < next) {
            ++hole;
        }
        seen.newest[bar] = next == 0 ? no_bar : next - 1;
        seen.stale[bar] = hole != other.holes.end() && hole->bar == next && hole->since <= known;
    }
    return seen;
}

std::shared_ptr<const FeatureValues> memberships(const FuzzySet& set, const std::vector<double>& values) {
    auto result = std::make_shared<FeatureValues>(values.size());
    std::ranges::transform(values, result->begin(),
                           [&set](double value) { return static_cast<float>(set.membership(value)); });
    return result;
}

/// As `Indicator::compute`, but with a new state for each stretch.
IndicatorColumns compute_between(const Indicator& indicator, const FeatureSeries& series) {
    IndicatorColumns columns(indicator.spec().outputs.size(), std::vector<double>(series.bars->size()));
    for (const Stretch stretch : stretches_between(series.holes, series.bars->size())) {
        const std::size_t length = stretch.last - stretch.first;
        std::vector<std::span<const double>> taken;
        for (const BarColumn column : indicator.inputs()) {
            taken.push_back(std::span(column_of(*series.bars, column)).subspan(stretch.first, length));
        }
        std::vector<std::span<double>> given;
        for (std::vector<double>& column : columns) {
            given.push_back(std::span(column).subspan(stretch.first, length));
        }
        indicator.state()->run(taken, given);
    }
    return columns;
}

/// `price_context_names`, in their order.
std::array<std::shared_ptr<const FeatureValues>, price_context_names.size()> price_context(
    const FeatureSeries& series, const std::vector<std::size_t>& begin) {
    const Bars& bars = *series.bars;
    std::array<FeatureValues, price_context_names.size()> columns;
    for (std::size_t bar = 0; bar < bars.size(); ++bar) {
        const double before = bar == begin[bar] ? no_value : bars.close[bar - 1];
        const auto values = price_context_of({bars.open[bar], bars.high[bar], bars.low[bar], bars.close[bar], before});
        for (std::size_t i = 0; i < values.size(); ++i) {
            columns[i].push_back(static_cast<float>(values[i]));
        }
    }
    std::array<std::shared_ptr<const FeatureValues>, price_context_names.size()> shared;
    std::ranges::transform(columns, shared.begin(), [](FeatureValues& values) {
        return std::make_shared<const FeatureValues>(std::move(values));
    });
    return shared;
}

Result<void> ask(const BuildCheck& check, std::string_view step) {
    return check ? check(step) : Result<void>{};
}

/// Makes the columns of each series, then the rows out of them.
class MatrixBuilder final {
public:
    MatrixBuilder(const FeaturePlan& plan, std::span<const FeatureSeries> series, std::size_t base,
                  const BuildCheck& check)
        : plan_(plan), series_(series), base_(base), check_(check) {}

    Result<FeatureMatrix> build() {
        std::vector<Timeframe> timeframes;
        for (std::size_t i = 0; i < series_.size(); ++i) {
            timeframes.push_back(series_[i].grid.timeframe());
            seen_.push_back(seen_bars(series_[base_], series_[i], i == base_));
            if (auto added = add_columns(i); !added) {
                return added.error();
            }
        }
        if (auto go = ask(check_, "features"); !go) {
            return go.error();
        }
        matrix_.names = feature_names(plan_, timeframes);
        add_rows();
        return std::move(matrix_);
    }

private:
    Result<void> add_columns(std::size_t index) {
        const std::string_view timeframe = series_[index].grid.timeframe().name();
        const auto is_read = [timeframe](const FuzzyInput& input) { return is_read_on(input, timeframe); };
        for (const FeatureSource& source : plan_.sources) {
            if (auto go = ask(check_, "indicators"); !go) {
                return go;
            }
            if (std::ranges::none_of(source.inputs, is_read)) {
                continue;
            }
            const IndicatorColumns outputs = compute_between(source.indicator, series_[index]);
            for (const FuzzyInput& input : source.inputs) {
                if (auto go = ask(check_, "fuzzy"); !go) {
                    return go;
                }
                if (!is_read(input)) {
                    continue;
                }
                for (const NamedFuzzySet& named : input.sets) {
                    add_lags(index, source.indicator.warm_up().least, memberships(named.set, outputs[input.output]));
                }
            }
        }
        if (plan_.price_context) {
            for (const auto& values : price_context(series_[index], seen_[index].begin)) {
                add_lags(index, 1, values);
            }
        }
        return {};
    }

    void add_lags(std::size_t index, std::size_t warm_up, const std::shared_ptr<const FeatureValues>& values) {
        for (std::size_t lag = 0; lag <= plan_.lags; ++lag) {
            columns_.push_back({index, lag, warm_up, values});
        }
    }

    void add_rows() {
        const std::size_t bars = series_[base_].bars->size();
        const std::size_t width = columns_.size();
        const std::size_t most = bars - std::min(bars, warm_up_bars(plan_));
        matrix_.values.reserve(most * width);
        matrix_.bar.reserve(most);
        FeatureValues row(width);
        for (std::size_t bar = 0; bar < bars; ++bar) {
            bool whole = std::ranges::all_of(seen_, [&](const SeenBars& seen) { return reaches_back(seen, bar); });
            for (std::size_t i = 0; i < width && whole; ++i) {
                const FeatureColumn& column = columns_[i];
                row[i] = (*column.values)[seen_[column.series].newest[bar] - column.lag];
                whole = std::isfinite(row[i]);
            }
            if (whole) {
                matrix_.values.insert(matrix_.values.end(), row.begin(), row.end());
                matrix_.bar.push_back(bar);
            } else {
                matrix_.dropped.add(reason_of(bar));
            }
        }
    }

    /// Whether the oldest lag is in one stretch with the newest bar.
    [[nodiscard]] bool reaches_back(const SeenBars& seen, std::size_t bar) const {
        const std::size_t newest = seen.newest[bar];
        return newest != no_bar && !seen.stale[bar] && newest - seen.begin[newest] >= plan_.lags;
    }

    [[nodiscard]] DropReason reason_of(std::size_t bar) const {
        DropReason first = DropReason::nan;
        for (const FeatureColumn& column : columns_) {
            const DropReason reason = reason_of(column, bar);
            first = reason == DropReason::none ? first : std::min(first, reason);
        }
        return first;
    }

    [[nodiscard]] DropReason reason_of(const FeatureColumn& column, std::size_t bar) const {
        const SeenBars& seen = seen_[column.series];
        const std::size_t newest = seen.newest[bar];
        if (newest == no_bar) {
            return DropReason::warm_up;
        }
        if (seen.stale[bar]) {
            return DropReason::hole;
        }
        const std::size_t begin = seen.begin[newest];
        if (newest - begin < column.lag + column.warm_up) {
            return begin == 0 ? DropReason::warm_up : DropReason::hole;
        }
        return std::isfinite((*column.values)[newest - column.lag]) ? DropReason::none : DropReason::nan;
    }

    const FeaturePlan& plan_;
    const std::span<const FeatureSeries> series_;
    const std::size_t base_;
    const BuildCheck& check_;
    std::vector<SeenBars> seen_{};
    std::vector<FeatureColumn> columns_{};
    FeatureMatrix matrix_{};
};

/// The most that any part of the plan needs of its own, and the lags behind it.
std::size_t most_bars(const FeaturePlan& plan, std::size_t WarmUp::* kind) {
    std::size_t most = plan.price_context ? 1 : 0;
    for (const FeatureSource& source : plan.sources) {
        most = std::max(most, source.indicator.warm_up().*kind);
    }
    return most + plan.lags;
}

}  // namespace

bool is_read_on(const FuzzyInput& input, std::string_view timeframe) {
    return input.timeframes.empty() || std::ranges::find(input.timeframes, timeframe) != input.timeframes.end();
}

std::vector<std::string> feature_names(const FeaturePlan& plan, std::span<const Timeframe> timeframes) {
    std::vector<std::string> names;
    const auto add = [&](std::string name) {
        names.push_back(name);
        for (std::size_t lag = 1; lag <= plan.lags; ++lag) {
            names.push_back(fmt::format("{}_lag_{}", name, lag));
        }
    };
    for (const Timeframe& timeframe : timeframes) {
        for (const FeatureSource& source : plan.sources) {
            for (const FuzzyInput& input : source.inputs) {
                if (!is_read_on(input, timeframe.name())) {
                    continue;
                }
                std::string key = input.key;
                std::ranges::replace(key, '.', '_');
                for (const NamedFuzzySet& set : input.sets) {
                    add(fmt::format("{}_{}_{}", timeframe.name(), key, set.name));
                }
            }
        }
        if (plan.price_context) {
            for (const std::string_view name : price_context_names) {
                add(fmt::format("{}_{}", timeframe.name(), name));
            }
        }
    }
    return names;
}

std::size_t warm_up_bars(const FeaturePlan& plan) {
    return most_bars(plan, &WarmUp::least);
}

std::optional<std::size_t> history_bars(const FeaturePlan& plan) {
    return never_forgets(plan) == nullptr ? std::optional(most_bars(plan, &WarmUp::exact)) : std::nullopt;
}

const FeatureSource* never_forgets(const FeaturePlan& plan) {
    const auto found = std::ranges::find_if(
        plan.sources, [](const FeatureSource& source) { return source.indicator.warm_up().exact >= WarmUp::never; });
    return found == plan.sources.end() ? nullptr : &*found;
}

Result<FeatureMatrix> build_features(const FeaturePlan& plan, std::span<const FeatureSeries> series, std::size_t base,
                                     const BuildCheck& check) {
    return MatrixBuilder(plan, series, base, check).build();
}

}  // namespace ktrdr
