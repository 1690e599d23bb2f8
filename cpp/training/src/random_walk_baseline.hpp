#pragma once

#include <boost/json/object.hpp>
#include <memory>

#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/shared_training_data.hpp>
#include <ktrdr/training/trainer.hpp>
#include <ktrdr/training/training_progress.hpp>
#include <ktrdr/training/training_context.hpp>

namespace ktrdr {

/// What the whole pipeline scores on bars that nobody can learn from: `{test_accuracy, class_prior, rows, seconds,
/// reason}`. What is above its prior there is a leak, or luck.
///
/// A training that cannot be done there has null figures and the reason.
/// The walk's rows are those of `shared`, where another training has the same.
/// `bridge` hears how far it is. Errors: that of the token alone.
[[nodiscard]] Result<boost::json::object> random_walk_baseline(const TrainingOperationContext& context,
                                                               const std::shared_ptr<BarProvider>& bars,
                                                               SharedTrainingData& shared, Trainer& trainer,
                                                               const CancellationToken& token,
                                                               TrainingProgressBridge& bridge);

/// The same for one that was left out, by the argument of that name.
[[nodiscard]] boost::json::object no_random_walk_baseline();

}  // namespace ktrdr
