#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {

/// Which model is judged, and on what.
struct EvaluationRequest {
    /// The model's folder.
    std::filesystem::path model{};
    /// Unset: those that it was trained on.
    std::optional<std::vector<std::string>> symbols{};
    /// The first and the last bar that is judged, each ISO 8601; a date stands for its session. Unset: from where the
    /// model's own test began, to the newest bar.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
    /// What is unset is, of each symbol and timeframe, what the model was trained on, where that is one and stored.
    SeriesChoice series{};
};

/// Judge a saved model on stored bars, blocking: what it says of each row whose label is decided, as the result of a
/// training says it of its test (`test_figures`), and `model_path`, `rows`, `seen_rows`, `from`, `to`, `symbols`,
/// `timeframes`, `warnings`.
///
/// Bars before the first that is judged are history. On the symbols and dates of its training a model gets the figures
/// of its report. Rows that it has been trained on are counted, and told of.
/// Errors: those of `BarProvider::choose`, of `Predictor::load`, of `build_training_context`, of `prepare_judged_data`
/// and of `Predictor::check_basis`; `invalid_argument` for dates between which nothing is judged. Cancellation: before
/// each stage of the preparation, and every few hundred rows.
[[nodiscard]] KTRDR_EXPORT Result<boost::json::object> evaluate_model(const EvaluationRequest& request,
                                                                      BarProvider& bars, const CancellationToken& token,
                                                                      const PreparationListener& listener);

}  // namespace ktrdr
