#pragma once

#include <boost/json/object.hpp>

#include <ktrdr/base/export.hpp>
#include <ktrdr/training/evaluation.hpp>
#include <ktrdr/training/training_context.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {

/// Rows to test on, and what a model says of them.
struct TestedRows {
    const TrainingOperationContext& context;
    /// Of the rows to train on the labels alone are looked at.
    const TrainingData& data;
    const Evaluation& test;
    /// `random_walk_baseline` of the model's training.
    const boost::json::object& random_walk;
};

/// test_metrics, baselines, confidence, calibration and per_symbol of a result (training.md, "Result schema"). Missing
/// figures are null. `check`: as the functions of evaluation.hpp ask it.
[[nodiscard]] KTRDR_EXPORT Result<boost::json::object> test_figures(const TestedRows& tested, const WorkCheck& check);

}  // namespace ktrdr
