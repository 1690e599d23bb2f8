#pragma once

#include <optional>
#include <vector>

#include <ktrdr/features/split.hpp>

namespace ktrdr {

/// One train and test split of several, as row numbers, each rising.
struct Fold {
    std::vector<std::size_t> train{};
    std::vector<std::size_t> test{};
    /// Rows that would train, were their labels known in time.
    std::size_t purged{0};
};

/// Tests that follow each other in time, each trained on what lies before it.
struct WalkForwardRule {
    /// How many; at least 1.
    std::size_t splits{5};
    /// Rows of each test; unset: rows / (splits + 1). At least 1.
    std::optional<std::size_t> test_rows{};
    /// The newest rows before a test that train at most; unset: all of them. At least 1.
    std::optional<std::size_t> train_rows{};
};

/// Fold `index` of `rule.splits`, the oldest first. The tests are the newest rows; rows that begin at one time are
/// never parted, so that their counts hold but for those. A row trains if its end lies no later than the test's
/// beginning.
///
/// Errors: `invalid_argument` naming the field for fewer rows than that takes, and where none is left on a side.
[[nodiscard]] KTRDR_EXPORT Result<Fold> walk_forward_fold(RowTimes rows, const WalkForwardRule& rule,
                                                          std::size_t index);

/// Fold `index` of `folds`: a stretch of time tests and all the others train, but for what knows of it. Out are rows
/// from before whose end lies behind the test's beginning, and rows from behind that begin before the last of the
/// test's ends: with an embargo in the ends, that much later.
/// López de Prado, Advances in Financial Machine Learning (2018), chapter 7.
///
/// Errors: `invalid_argument` naming the field for fewer than 2 folds, or fewer rows than folds, and where none is left
/// on a side.
[[nodiscard]] KTRDR_EXPORT Result<Fold> purged_fold(RowTimes rows, std::size_t folds, std::size_t index);

}  // namespace ktrdr
