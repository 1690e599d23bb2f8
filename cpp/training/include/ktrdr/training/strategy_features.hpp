#pragma once

#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/features/feature_matrix.hpp>
#include <ktrdr/training/strategy.hpp>

namespace ktrdr {

/// What a strategy makes of bars that are handed in: the rows of a training, before they are labelled, split or scaled.
///
/// `series` has one for each timeframe of the strategy, in its order; holes in them are found here.
/// Errors: `invalid_argument` for another number of series, a series of another timeframe, bars out of order.
/// Cancellation: the token is checked before each indicator and each input.
[[nodiscard]] KTRDR_EXPORT Result<FeatureMatrix> strategy_features(const Strategy& strategy,
                                                                   std::vector<FeatureSeries> series,
                                                                   const CancellationToken& token);

}  // namespace ktrdr
