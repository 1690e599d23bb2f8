#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include <ktrdr/models/model_directory.hpp>
#include <ktrdr/training/evaluation.hpp>
#include <ktrdr/training/trainer.hpp>
#include <ktrdr/training/training_context.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {

/// Everything a finished training knows, before it is put into the schema.
struct TrainingOutcome {
    const TrainingOperationContext& context;
    const std::string& operation_id;
    const TrainedModel& model;
    const ModelSpec& spec;
    const TrainingData& data;
    /// What the model, as it is saved, says of the test rows.
    const Evaluation& test;
    /// Accuracy lost without each feature; empty where nobody asked.
    const std::vector<double>& importance;
    /// `random_walk_baseline`.
    const boost::json::object& random_walk;
};

/// training_metrics, validation_metrics, test_metrics, baselines, confidence, calibration, per_symbol,
/// feature_importance and history: the part that does not need the model's place. Missing figures are null.
[[nodiscard]] Result<boost::json::object> result_figures(const TrainingOutcome& outcome, const WorkCheck& check);

/// The whole result (training.md, "Result schema"). `peak_bytes`: see `peak_memory`.
[[nodiscard]] boost::json::object make_result(const TrainingOutcome& outcome, boost::json::object figures,
                                              const SavedModel& saved, std::size_t model_bytes,
                                              std::optional<std::uint64_t> peak_bytes);

/// What is written into the model's folder.
[[nodiscard]] ModelContent make_content(const TrainingOutcome& outcome, const boost::json::object& figures,
                                        UtcTime created);

}  // namespace ktrdr
