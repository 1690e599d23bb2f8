#include <ktrdr/features/feature_matrix.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include <ktrdr/base/memory.hpp>
#include <ktrdr/features/wide_vectors.hpp>

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
    const float* values{nullptr};
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

/// As `Indicator::compute`, but with a new state for each stretch; one output behind the other.
std::vector<double> compute_between(const Indicator& indicator, const FeatureSeries& series) {
    const std::size_t bars = series.bars->size();
    std::vector<double> columns;
    reserve_large(columns, indicator.spec().outputs.size() * bars);
    columns.resize(indicator.spec().outputs.size() * bars);
    for (const Stretch stretch : stretches_between(series.holes, series.bars->size())) {
        const std::size_t length = stretch.last - stretch.first;
        std::vector<std::span<const double>> taken;
        for (const InputColumn column : indicator.inputs()) {
            taken.push_back(std::span(column_of(*series.bars, column)).subspan(stretch.first, length));
        }
        std::vector<std::span<double>> given;
        for (std::size_t first = stretch.first; first < columns.size(); first += bars) {
            given.push_back(std::span(columns).subspan(first, length));
        }
        indicator.state()->run(taken, given);
    }
    return columns;
}

/// `price_context_names`, in their order.
void write_price_context(const FeatureSeries& series, const std::vector<std::size_t>& begin,
                         const std::array<std::span<float>, price_context_names.size()>& columns) {
    const Bars& bars = *series.bars;
    for (std::size_t bar = 0; bar < bars.size(); ++bar) {
        const double before = bar == begin[bar] ? no_value : bars.close[bar - 1];
        const auto values = price_context_of({bars.open[bar], bars.high[bar], bars.low[bar], bars.close[bar], before});
        for (std::size_t i = 0; i < values.size(); ++i) {
            columns[i][bar] = static_cast<float>(values[i]);
        }
    }
}

Result<void> ask(const BuildCheck& check, std::string_view step) {
    return check ? check(step) : Result<void>{};
}

/// Some rows on their way from columns into a matrix.
class RowBlock final {
public:
    static constexpr std::size_t most = 256;

    explicit RowBlock(std::size_t width) : sources_(width), gathered_(width * most), rows_(width * most) {}

    /// Whether each row has all of its values; to be set before `check`.
    std::array<std::int32_t, most> whole{};

    /// A column whose values lie one after the other.
    void look_at(std::size_t column, const float* values) { sources_[column] = values; }

    /// Room for a column whose values lie anywhere.
    [[nodiscard]] float* gather(std::size_t column) {
        float* const values = gathered_.data() + column * most;
        sources_[column] = values;
        return values;
    }

    /// A row that lacks a value is not whole.
    void check(std::size_t count) {
        in_wide_vectors([this, count] {
            for (const float* const values : sources_) {
                for (std::size_t row = 0; row < count; ++row) {
                    whole[row] &= std::abs(values[row]) <= std::numeric_limits<float>::max() ? 1 : 0;
                }
            }
        });
    }

    void append_rows(std::size_t count, FeatureValues& values) {
        const std::size_t width = sources_.size();
        std::size_t filled = 0;
        for (std::size_t row = 0; row < count; ++row) {
            float* const to = rows_.data() + filled * width;
            for (std::size_t column = 0; column < width; ++column) {
                to[column] = sources_[column][row];
            }
            filled += whole[row] != 0 ? 1 : 0;
        }
        values.insert(values.end(), rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(filled * width));
    }

private:
    std::vector<const float*> sources_;
    FeatureValues gathered_;
    FeatureValues rows_;
};

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
        matrix_.names = feature_names(plan_, timeframes);
        if (auto added = add_rows(); !added) {
            return added.error();
        }
        return std::move(matrix_);
    }

private:
    Result<void> add_columns(std::size_t index) {
        const FeatureSeries& series = series_[index];
        const std::string_view timeframe = series.grid.timeframe().name();
        const auto is_read = [timeframe](const FuzzyInput& input) { return is_read_on(input, timeframe); };
        const std::size_t bars = series.bars->size();
        FeatureValues& values = values_.emplace_back();
        const std::size_t sets = feature_names(plan_, {{series.grid.timeframe()}}).size() / (plan_.lags + 1);
        reserve_large(values, sets * bars);
        // Columns point into it.
        values.resize(sets * bars);
        std::span<float> rest(values);
        for (const FeatureSource& source : plan_.sources) {
            if (auto go = ask(check_, "indicators"); !go) {
                return go;
            }
            if (std::ranges::none_of(source.inputs, is_read)) {
                continue;
            }
            const std::vector<double> outputs = compute_between(source.indicator, series);
            for (const FuzzyInput& input : source.inputs) {
                if (auto go = ask(check_, "fuzzy"); !go) {
                    return go;
                }
                if (!is_read(input)) {
                    continue;
                }
                for (const NamedFuzzySet& named : input.sets) {
                    named.set.memberships(std::span(outputs).subspan(input.output * bars, bars), rest.first(bars));
                    add_lags(index, source.indicator.warm_up(input.output).least, rest.data());
                    rest = rest.subspan(bars);
                }
            }
        }
        if (plan_.price_context) {
            std::array<std::span<float>, price_context_names.size()> columns;
            for (std::span<float>& column : columns) {
                column = rest.first(bars);
                add_lags(index, 1, column.data());
                rest = rest.subspan(bars);
            }
            write_price_context(series, seen_[index].begin, columns);
        }
        return {};
    }

    void add_lags(std::size_t index, std::size_t warm_up, const float* values) {
        for (std::size_t lag = 0; lag <= plan_.lags; ++lag) {
            columns_.push_back({index, lag, warm_up, values});
        }
    }

    Result<void> add_rows() {
        const std::size_t bars = series_[base_].bars->size();
        const std::size_t most = bars - std::min(bars, warm_up_bars(plan_));
        reserve_large(matrix_.values, most * columns_.size());
        matrix_.bar.reserve(most);
        RowBlock block(columns_.size());
        for (std::size_t first = 0; first < bars; first += RowBlock::most) {
            if (first % (256 * RowBlock::most) == 0) {
                if (auto go = ask(check_, "features"); !go) {
                    return go;
                }
            }
            add_block(block, first, std::min(bars - first, RowBlock::most));
        }
        return {};
    }

    void add_block(RowBlock& block, std::size_t first, std::size_t count) {
        for (std::size_t row = 0; row < count; ++row) {
            const bool reaches =
                std::ranges::all_of(seen_, [&](const SeenBars& seen) { return reaches_back(seen, first + row); });
            block.whole[row] = reaches ? 1 : 0;
        }
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const FeatureColumn& column = columns_[i];
            if (column.series == base_ && first >= column.lag) {
                block.look_at(i, column.values + (first - column.lag));
                continue;
            }
            const std::vector<std::size_t>& newest = seen_[column.series].newest;
            float* const gathered = block.gather(i);
            for (std::size_t row = 0; row < count; ++row) {
                gathered[row] = block.whole[row] != 0 ? column.values[newest[first + row] - column.lag] : 0;
            }
        }
        block.check(count);
        for (std::size_t row = 0; row < count; ++row) {
            if (block.whole[row] != 0) {
                matrix_.bar.push_back(first + row);
            } else {
                matrix_.dropped.add(reason_of(first + row));
            }
        }
        block.append_rows(count, matrix_.values);
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
        return std::isfinite(column.values[newest - column.lag]) ? DropReason::none : DropReason::nan;
    }

    const FeaturePlan& plan_;
    const std::span<const FeatureSeries> series_;
    const std::size_t base_;
    const BuildCheck& check_;
    std::vector<SeenBars> seen_{};
    /// Of each series, one column behind the other.
    std::vector<FeatureValues> values_{};
    std::vector<FeatureColumn> columns_{};
    FeatureMatrix matrix_{};
};

/// The most that any part of the plan needs of its own, and the lags behind it.
std::size_t most_bars(const FeaturePlan& plan, std::size_t WarmUp::* kind) {
    std::size_t most = plan.price_context ? 1 : 0;
    for (const FeatureSource& source : plan.sources) {
        for (const FuzzyInput& input : source.inputs) {
            most = std::max(most, source.indicator.warm_up(input.output).*kind);
        }
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
    const auto found = std::ranges::find_if(plan.sources, [](const FeatureSource& source) {
        return std::ranges::any_of(source.inputs, [&source](const FuzzyInput& input) {
            return source.indicator.warm_up(input.output).exact >= WarmUp::never;
        });
    });
    return found == plan.sources.end() ? nullptr : &*found;
}

Result<FeatureMatrix> build_features(const FeaturePlan& plan, std::span<const FeatureSeries> series, std::size_t base,
                                     const BuildCheck& check) {
    return MatrixBuilder(plan, series, base, check).build();
}

}  // namespace ktrdr
