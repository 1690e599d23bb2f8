#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstddef>
#include <optional>
#include <string>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/training/evaluation.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {

/// The test of one model, as it is judged, alone or together with those of other windows of time.
struct TestedWindow {
    TestOutcomes outcomes{};
    /// The first test row's bar starts at the one, the last bar at the other.
    UtcTime from{};
    UtcTime to{};
    /// Times ahead that a label looks at (`horizon_in_times`).
    std::size_t horizon{0};
};

/// `check`, here and below: as the functions of evaluation.hpp ask it.
[[nodiscard]] KTRDR_EXPORT Result<TestedWindow> tested_window(const TrainingOperationContext& context,
                                                              const TrainingData& data,
                                                              std::span<const std::int64_t> predicted,
                                                              const WorkCheck& check);

/// What the same training gains over its prior on a random walk: a share, and the high end of its interval.
struct WalkGain {
    double gain{0};
    double high{0};
};

/// Whether a test says that something was learned: figures, intervals and a sentence, as `confidence` of a result has
/// them. `always` is what always one answer was: "saying up". Without rows the figures are null.
[[nodiscard]] KTRDR_EXPORT Result<boost::json::object> judgement(const TestOutcomes& outcomes, std::size_t horizon,
                                                                 const std::string& always,
                                                                 std::optional<WalkGain> walk,
                                                                 const WorkCheck& check = {});

/// The gain over the prior, a share; NaN without rows.
[[nodiscard]] KTRDR_EXPORT double gain_over_prior(const TestOutcomes& outcomes);

/// As a result keeps it, and back: `protocol` for what is none.
[[nodiscard]] KTRDR_EXPORT boost::json::object to_json(const TestedWindow& window);
[[nodiscard]] KTRDR_EXPORT Result<TestedWindow> read_tested_window(const boost::json::value& value);

/// Judge windows of a walk forward together, as one test: `rows`, `test_accuracy`, `class_prior` and `confidence`.
///
/// Each item has `test`, and `random_walk` or null, in the form of `to_json`; the walk counts where every window has
/// one.
/// Errors: `invalid_argument` where two tests share time: their rows would count twice.
[[nodiscard]] KTRDR_EXPORT Result<boost::json::object> pooled_judgement(const boost::json::array& windows);

}  // namespace ktrdr
