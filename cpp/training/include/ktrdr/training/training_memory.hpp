#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/training/training_context.hpp>

namespace ktrdr {

/// How much memory of this machine a training takes at its peak, in bytes, told before it begins.
///
/// LibTorch itself is not in it: the process has that once. Nor is the memory of a GPU.
struct TrainingMemory {
    /// The rows, for as long as it runs: `rows * (4 * features + 8 for the label + 4 where labels are weighed)`.
    std::uint64_t rows{0};
    /// Beside them while they are made. Of each symbol made so far its matrix once more and 100 bytes a row of
    /// labels and times; of the one in work its bars (48 bytes each), a column of 4 bytes a bar for each fuzzy set and
    /// of 8 for each output of the widest indicator.
    std::uint64_t preparation{0};
    /// Beside the rows for the random walk: rows and preparation once more, and some 100 bytes a bar of the walk; 0
    /// without.
    std::uint64_t random_walk{0};
    /// Each training's own: weights, gradients, moments, best weights and a checkpoint (4 bytes a parameter each), the
    /// rows of a block of batches and what its layers make of them, a slice of rows in an evaluation, the order of an
    /// epoch (8 bytes a row to train on), what is predicted of the test rows, weights of rows, and a fixed part.
    std::uint64_t learning{0};

    /// What trainings of the same rows have together.
    [[nodiscard]] std::uint64_t shared() const noexcept {
        return rows + (preparation > random_walk ? preparation : random_walk);
    }
    [[nodiscard]] std::uint64_t total() const noexcept { return shared() + learning; }

    friend bool operator==(const TrainingMemory&, const TrainingMemory&) = default;
};

/// `bars`: by symbol and timeframe of the context, no fewer than there are. Every bar is taken to give a row.
[[nodiscard]] KTRDR_EXPORT TrainingMemory estimate_memory(const TrainingOperationContext& context,
                                                          std::span<const std::vector<std::size_t>> bars);

/// `1,240 MB (rows 400 MB, preparing them 500 MB, …)`, without parts of 0.
[[nodiscard]] KTRDR_EXPORT std::string to_string(const TrainingMemory& memory);

}  // namespace ktrdr
