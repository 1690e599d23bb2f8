#include <ktrdr/features/feature_matrix.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <ktrdr/features/moving_averages.hpp>

namespace ktrdr {
namespace {

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

/// One feature over the bars of its own series.
struct FeatureColumn {
    std::size_t series{0};
    std::size_t lag{0};
    std::shared_ptr<const Column> values{};

    [[nodiscard]] double at(std::size_t bar) const {
        return bar == none || bar < lag ? std::nan("") : (*values)[bar - lag];
    }
};

/// For each bar of `base` the newest bar of `other` that is closed when it is.
std::vector<std::size_t> closed_bars(const FeatureSeries& base, const FeatureSeries& other) {
    std::vector<std::size_t> found(base.bars->size(), none);
    std::size_t next = 0;
    for (std::size_t bar = 0; bar < found.size(); ++bar) {
        const UtcTime known = base.grid.end_of(base.bars->start_of(bar));
        while (next < other.bars->size() && other.grid.is_closed(other.bars->start_of(next), known)) {
            ++next;
        }
        found[bar] = next == 0 ? none : next - 1;
    }
    return found;
}

std::shared_ptr<const Column> memberships(const FuzzySet& set, const Column& values) {
    auto result = std::make_shared<Column>(values.size());
    std::ranges::transform(values, result->begin(), [&set](double value) { return set.membership(value); });
    return result;
}

Result<void> ask(const BuildCheck& check, std::string_view step) {
    return check ? check(step) : Result<void>{};
}

Result<void> add_columns(const FeaturePlan& plan, const FeatureSeries& series, std::size_t index,
                         const BuildCheck& check, std::vector<FeatureColumn>& columns) {
    for (const FeatureSource& source : plan.sources) {
        if (auto go = ask(check, "indicators"); !go) {
            return go;
        }
        const IndicatorColumns outputs = source.indicator.compute(*series.bars);
        for (const FuzzyInput& input : source.inputs) {
            if (auto go = ask(check, "fuzzy"); !go) {
                return go;
            }
            if (!is_read_on(input, series.grid.timeframe().name())) {
                continue;
            }
            for (const NamedFuzzySet& named : input.sets) {
                const auto values = memberships(named.set, outputs[input.output]);
                for (std::size_t lag = 0; lag <= plan.lags; ++lag) {
                    columns.push_back({index, lag, values});
                }
            }
        }
    }
    return {};
}

void add_rows(FeatureMatrix& matrix, const std::vector<FeatureColumn>& columns,
              const std::vector<std::vector<std::size_t>>& bar_of, std::size_t bars) {
    std::vector<float> row(columns.size());
    for (std::size_t bar = 0; bar < bars; ++bar) {
        bool whole = true;
        for (std::size_t i = 0; i < columns.size() && whole; ++i) {
            const double value = columns[i].at(bar_of[columns[i].series][bar]);
            whole = !std::isnan(value);
            row[i] = static_cast<float>(value);
        }
        if (whole) {
            matrix.values.insert(matrix.values.end(), row.begin(), row.end());
            matrix.bar.push_back(bar);
        } else {
            ++matrix.dropped;
        }
    }
}

}  // namespace

bool is_read_on(const FuzzyInput& input, std::string_view timeframe) {
    return input.timeframes.empty() || std::ranges::find(input.timeframes, timeframe) != input.timeframes.end();
}

std::vector<std::string> feature_names(const FeaturePlan& plan, std::span<const Timeframe> timeframes) {
    std::vector<std::string> names;
    for (const Timeframe& timeframe : timeframes) {
        for (const FeatureSource& source : plan.sources) {
            for (const FuzzyInput& input : source.inputs) {
                if (!is_read_on(input, timeframe.name())) {
                    continue;
                }
                std::string key = input.key;
                std::ranges::replace(key, '.', '_');
                for (const NamedFuzzySet& set : input.sets) {
                    names.push_back(fmt::format("{}_{}_{}", timeframe.name(), key, set.name));
                    const std::string now = names.back();
                    for (std::size_t lag = 1; lag <= plan.lags; ++lag) {
                        names.push_back(fmt::format("{}_lag_{}", now, lag));
                    }
                }
            }
        }
    }
    return names;
}

std::size_t warm_up_bars(const FeaturePlan& plan) {
    std::size_t longest = 0;
    for (const FeatureSource& source : plan.sources) {
        longest = std::max(longest, source.indicator.warm_up().least);
    }
    return longest + plan.lags;
}

Result<FeatureMatrix> build_features(const FeaturePlan& plan, std::span<const FeatureSeries> series, std::size_t base,
                                     const BuildCheck& check) {
    FeatureMatrix matrix;
    std::vector<FeatureColumn> columns;
    std::vector<std::vector<std::size_t>> bar_of;
    std::vector<Timeframe> timeframes;
    for (std::size_t i = 0; i < series.size(); ++i) {
        timeframes.push_back(series[i].grid.timeframe());
        if (auto added = add_columns(plan, series[i], i, check, columns); !added) {
            return added.error();
        }
        bar_of.push_back(closed_bars(series[base], series[i]));
    }
    if (auto go = ask(check, "features"); !go) {
        return go.error();
    }
    matrix.names = feature_names(plan, timeframes);
    add_rows(matrix, columns, bar_of, series[base].bars->size());
    return matrix;
}

}  // namespace ktrdr
