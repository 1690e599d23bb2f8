#pragma once

#include <ktrdr/base/export.hpp>
#include <ktrdr/features/feature_matrix.hpp>
#include <ktrdr/features/indicator.hpp>

namespace ktrdr {

/// How many bars of its own timeframe a series needs before a row of features: `least` to have a value at all, `exact`
/// for values that no longer depend on where the series begins, lags included.
[[nodiscard]] KTRDR_EXPORT WarmUp history_of(const FeaturePlan& plan);

}  // namespace ktrdr
