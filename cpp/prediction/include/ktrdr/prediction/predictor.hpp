#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/features/scaling.hpp>
#include <ktrdr/models/mlp.hpp>
#include <ktrdr/models/model_files.hpp>
#include <ktrdr/training/strategy.hpp>

namespace ktrdr {

class PredictionStream;

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
};

/// Rows of features of such bars.
struct BarFeatures {
    std::vector<std::size_t> bar{};
    /// Row-major, as many a row as there are features.
    std::vector<float> values{};
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

    /// What features go through before the network sees them; null for nothing.
    [[nodiscard]] const FeatureScaling* scaling() const noexcept { return scaling_ ? &*scaling_ : nullptr; }

    /// Of rows of features, row-major. `invalid_argument` where they are no whole rows of the model's features, or one
    /// is not finite.
    [[nodiscard]] Result<Predictions> predict(std::span<const float> rows) const;
    /// The rows of features of bars, scaled as the model's are, one series for each timeframe, in the order of
    /// `timeframes()`.
    ///
    /// Behind a hole in the bars (`find_holes`) history begins anew. Errors: `not_enough_data` where no bar has its
    /// history, saying how many bars there are and are needed.
    [[nodiscard]] Result<BarFeatures> features_of(std::span<const BarsPtr> series, History asked) const;
    /// Of the same bars.
    [[nodiscard]] Result<BarPredictions> predict_bars(std::span<const BarsPtr> series, History asked) const;
    /// For bars as they come.
    [[nodiscard]] Result<std::unique_ptr<PredictionStream>> stream(History asked) const;

private:
    Predictor(ModelFiles files, Strategy strategy, std::vector<NamedTensor> weights, Mlp network);
    [[nodiscard]] Result<void> read_features();
    [[nodiscard]] Result<void> read_scaling();
    [[nodiscard]] Result<void> check_network() const;

    ModelFiles files_;
    Strategy strategy_;
    std::vector<NamedTensor> weights_;
    Mlp network_;
    std::vector<std::string> feature_names_{};
    std::vector<std::string> classes_{};
    std::vector<Timeframe> timeframes_{};
    std::size_t base_{0};
    std::optional<FeatureScaling> scaling_{};
};

}  // namespace ktrdr
