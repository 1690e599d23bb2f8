#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "schedule.hpp"

namespace ktrdr {

/// What the batches of the running epoch came to, as far as read.
struct EpochSums {
    std::int64_t rows{0};
    std::int64_t hits{0};
    double loss_sum{0};

    [[nodiscard]] double mean_loss() const { return loss_sum / static_cast<double>(rows); }
};

/// Everything that a training session carries from batch to batch, but for tensors.
struct SessionState {
    /// The epoch that runs (from 1), and how many of its batches are done.
    std::int64_t epoch{1};
    std::int64_t batch{0};
    /// Batches of all epochs.
    std::int64_t steps{0};
    EpochSums sums{};
    ScheduleState schedule{};
    std::vector<EpochReport> history{};
    /// The epoch whose weights are kept, by its score alone.
    std::int64_t best_epoch{0};
    double best_score{0};
    /// The last epoch that was better by `min_delta`, from which the patience counts.
    std::int64_t patience_epoch{0};
    double patience_score{0};
    bool early_stopped{false};
    double seconds{0};
    /// Bytes of the generator at the start of the epoch, and of the block in which the cursor stands.
    std::string epoch_generator{};
    std::string block_generator{};
    /// Which step it was, and how many batches a block of it has: another one gives other bits.
    std::string step{};
    std::int64_t block_batches{0};
};

/// The score of an epoch, more is better: by the monitor of `early_stopping`, else by the validation loss.
[[nodiscard]] double score_of(const EpochReport& report, const TrainerOptions& options);
/// Take a finished epoch in: history, best epoch, patience, learning rate. True when it is the best so far.
bool take_epoch(SessionState& state, EpochReport report, const TrainerOptions& options);

/// Exact: numbers with a fraction are kept as their bits.
[[nodiscard]] boost::json::object to_json(const SessionState& state);
/// `invalid_argument` for what `to_json` did not write.
[[nodiscard]] Result<SessionState> session_state_of(const boost::json::object& json);

}  // namespace ktrdr
