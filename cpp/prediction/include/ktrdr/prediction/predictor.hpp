#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/features/scaling.hpp>
#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/models/mlp.hpp>
#include <ktrdr/models/model_files.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/strategy.hpp>

namespace ktrdr {

class PredictionStream;

/// What a break in the basis of a series' prices means for what a model says of it.
inline constexpr std::string_view what_follows_a_break =
    "the model takes that for a move; load the whole range with refresh=True";

/// A class and the chances of all of them for each of some rows.
struct Predictions {
    /// 0-based, the class with the largest chance.
    std::vector<std::int64_t> classes{};
    /// Row-major, as many a row as there are classes, together 1.
    std::vector<float> chances{};
};

/// The same for bars: those of the base timeframe that have all of their history, by their row in the series given.
struct BarPredictions {
    std::vector<std::size_t> bar{};
    Predictions predicted{};
    /// What a person should know of the bars: sessions that are missing among them.
    std::vector<std::string> warnings{};
};

/// Rows of features of such bars.
struct BarFeatures {
    std::vector<std::size_t> bar{};
    /// Row-major, as many a row as there are features.
    std::vector<float> values{};
    /// As of `BarPredictions`.
    std::vector<std::string> warnings{};
};

/// From which bar on a prediction is given.
enum class History {
    /// Its features no longer depend on where the bars begin.
    exact,
    /// Its features have a value at all, as in the rows that a model was trained on.
    least,
};

/// A saved model, ready to predict.
///
/// Thread safety: a constant; any thread. Cost: `load` reads the folder once; after that no file is touched.
class KTRDR_EXPORT Predictor final : public std::enable_shared_from_this<Predictor>, private Counted<Predictor> {
public:
    /// Errors: those of `read_model_files` and `read_model_weights`; `invalid_argument` where the folder's files do not
    /// belong together: features of another model, weights of another network, a strategy that cannot be read.
    [[nodiscard]] static Result<std::shared_ptr<const Predictor>> load(const std::filesystem::path& folder);

    [[nodiscard]] const ModelFiles& files() const noexcept { return files_; }
    [[nodiscard]] const Strategy& strategy() const noexcept { return strategy_; }
    [[nodiscard]] const Mlp& network() const noexcept { return network_; }
    [[nodiscard]] const std::vector<NamedTensor>& weights() const noexcept { return weights_; }
    [[nodiscard]] const std::vector<std::string>& feature_names() const noexcept { return feature_names_; }
    [[nodiscard]] const std::vector<std::string>& classes() const noexcept { return classes_; }
    /// In the order of the features; each needs bars of its own.
    [[nodiscard]] const std::vector<Timeframe>& timeframes() const noexcept { return timeframes_; }
    /// Index of the timeframe whose bars are predicted for.
    [[nodiscard]] std::size_t base() const noexcept { return base_; }
    /// Bars before the first one predicted for, in each timeframe. `invalid_argument` for an exact history where an
    /// indicator never forgets where its series began; so from what takes a `History`.
    [[nodiscard]] Result<std::size_t> history(History asked) const;

    /// What the bars that it was trained on were; empty of a model that does not say.
    [[nodiscard]] const std::vector<SeriesBasis>& series() const noexcept { return series_; }
    /// The kinds of price that it was trained on: of that symbol, where it was among those, else of all.
    [[nodiscard]] std::vector<std::string> trained_on(std::string_view symbol, std::size_t timeframe) const;
    /// Which of a symbol's stored series to read: what is asked for and, where a word of that is not said, what the
    /// model was trained on: of that symbol, where it was among those, else of all. What was not one kind alone, or is
    /// not known, stays unsaid.
    [[nodiscard]] SeriesChoice choose_series(std::string_view symbol, std::string_view timeframe,
                                             SeriesChoice asked) const;
    /// `invalid_argument` for bars of a symbol that are of another kind of price than those of the training, where both
    /// are known: a price of the one is none of the other.
    [[nodiscard]] Result<void> check_basis(std::string_view symbol, std::string_view what_to_show,
                                           std::size_t timeframe) const;
    /// What says where a symbol's bars are missing: with the sessions that the training knew it to have. Of a symbol
    /// that was not trained on, without; where `symbol` is empty, with those that all of the training's had. When a bar
    /// counts is no question for it: a training's features go by their timeframes alone.
    [[nodiscard]] BarGrid grid_of(std::string_view symbol, std::size_t timeframe) const;

    /// What features go through before the network sees them; null for nothing.
    [[nodiscard]] const FeatureScaling* scaling() const noexcept { return scaling_ ? &*scaling_ : nullptr; }

    /// Of rows of features, row-major. `invalid_argument` where they are no whole rows of the model's features, or one
    /// is not finite.
    [[nodiscard]] Result<Predictions> predict(std::span<const float> rows) const;
    /// The rows of features of bars, scaled as the model's are, one series for each timeframe, in the order of
    /// `timeframes()`.
    ///
    /// Behind a hole in the bars (`find_holes`, in the sessions of `grid_of`) history begins anew, as in a training,
    /// and `warnings` name it. Errors: those of `check_basis`; `not_enough_data` where no bar has its history, saying
    /// how many bars there are and are needed.
    [[nodiscard]] Result<BarFeatures> features_of(std::span<const BarsView> series, History asked) const;
    /// The same before they are scaled: memberships are from 0 to 1 here.
    [[nodiscard]] Result<BarFeatures> unscaled_features_of(std::span<const BarsView> series, History asked) const;
    /// Those of `feature_names()` that are memberships of fuzzy sets, which price context is not; in their order.
    [[nodiscard]] std::vector<std::string> membership_names() const;
    /// Of the same bars.
    [[nodiscard]] Result<BarPredictions> predict_bars(std::span<const BarsView> series, History asked) const;
    /// For bars of a symbol as they come; it may be empty.
    [[nodiscard]] Result<std::unique_ptr<PredictionStream>> stream(History asked, std::string symbol = {}) const;

private:
    Predictor(ModelFiles files, Strategy strategy, std::vector<NamedTensor> weights, Mlp network);
    [[nodiscard]] Result<void> read_features();
    [[nodiscard]] Result<void> read_scaling();
    [[nodiscard]] Result<void> check_network() const;
    [[nodiscard]] Result<std::vector<FeatureSeries>> series_of(std::span<const BarsView> bars) const;

    ModelFiles files_;
    Strategy strategy_;
    std::vector<NamedTensor> weights_;
    Mlp network_;
    std::vector<std::string> feature_names_{};
    std::vector<std::string> classes_{};
    std::vector<Timeframe> timeframes_{};
    std::size_t base_{0};
    std::vector<SeriesBasis> series_{};
    std::optional<FeatureScaling> scaling_{};
};

}  // namespace ktrdr
