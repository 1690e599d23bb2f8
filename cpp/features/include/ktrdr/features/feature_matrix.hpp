#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/features/dropped_rows.hpp>
#include <ktrdr/features/fuzzy.hpp>
#include <ktrdr/features/holes.hpp>
#include <ktrdr/features/indicator.hpp>
#include <ktrdr/features/price_context.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {

struct NamedFuzzySet {
    std::string name{};
    FuzzySet set;
};

/// One output of an indicator and the sets its values are put into.
struct FuzzyInput {
    /// The key of `fuzzy_sets`: a feature id, or `id.output`. A dot becomes `_` in feature names.
    std::string key{};
    /// Index of the output in the indicator's spec.
    std::size_t output{0};
    std::vector<NamedFuzzySet> sets{};
    /// The timeframes whose bars it is taken of; empty: all.
    std::vector<std::string> timeframes{};
};

[[nodiscard]] KTRDR_EXPORT bool is_read_on(const FuzzyInput& input, std::string_view timeframe);

struct FeatureSource {
    std::string feature_id{};
    Indicator indicator;
    std::vector<FuzzyInput> inputs{};
};

/// Which features a model sees: every set of every input, now and `lags` bars back.
struct FeaturePlan {
    std::vector<FeatureSource> sources{};
    std::size_t lags{0};
    /// Behind those of the indicators, of each timeframe: `price_context_names`.
    bool price_context{false};
};

struct FeatureSeries {
    /// Its timeframe, and when each of its bars is known.
    BarGrid grid;
    BarsPtr bars{};
    /// What no window spans: indicators begin anew behind each. See `find_holes`.
    std::vector<Hole> holes{};
};

/// Memberships by name, one row for each bar of the base series that has them all.
struct FeatureMatrix : Counted<FeatureMatrix> {
    std::vector<std::string> names{};
    /// Row-major, `bar.size() * names.size()` long.
    std::vector<float> values{};
    /// Each row's bar in the base series, rising.
    std::vector<std::size_t> bar{};
    /// Bars of the base series without a row: warm-up, hole or nan.
    DroppedRows dropped{};
};

/// Asked between the steps of a build, with the step's name; an error stops the build and is its result.
using BuildCheck = std::function<Result<void>(std::string_view step)>;

/// `{timeframe}_{feature}_{set}[_lag_k]`, in the order timeframe, indicator, set, lag.
[[nodiscard]] KTRDR_EXPORT std::vector<std::string> feature_names(const FeaturePlan& plan,
                                                                  std::span<const Timeframe> timeframes);

/// How many bars of its own timeframe a series needs before its first row.
[[nodiscard]] KTRDR_EXPORT std::size_t warm_up_bars(const FeaturePlan& plan);
/// How many it needs before the first row that no longer depends on where the series begins. A model is to be asked
/// with no fewer: between the two its features are not those that it was trained on. At least `warm_up_bars`; nothing
/// where there is no such number (`never_forgets`).
[[nodiscard]] KTRDR_EXPORT std::optional<std::size_t> history_bars(const FeaturePlan& plan);
/// The first indicator whose values depend on where the series begins, however far back that is; null: none.
[[nodiscard]] KTRDR_EXPORT const FeatureSource* never_forgets(const FeaturePlan& plan);

/// The features of `series[base]`'s bars.
///
/// A value of another timeframe is used only once its bar is closed when the base bar is (the newest such one), and no
/// longer than until the next one should have closed, if that is missing. Rows that lack a value are dropped, never
/// filled, and counted by reason.
/// Cancellation: `check` is asked before each indicator and each input; it may be empty.
[[nodiscard]] KTRDR_EXPORT Result<FeatureMatrix> build_features(const FeaturePlan& plan,
                                                                std::span<const FeatureSeries> series, std::size_t base,
                                                                const BuildCheck& check = {});

}  // namespace ktrdr
