#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/market/timeframe.hpp>
#include <ktrdr/models/model_directory.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/strategy.hpp>

namespace ktrdr {

/// What a caller asks for. What is unset comes from the strategy.
struct TrainingRequest {
    /// The strategy's JSON, every key checked.
    boost::json::object strategy{};
    std::string strategy_path{};
    std::optional<std::vector<std::string>> symbols{};
    std::optional<std::vector<std::string>> timeframes{};
    /// ISO 8601. A date without a time stands for its session, as in a load, and is included.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
    /// As `start_date`: bars from here on test, whatever their share; those before train and validate.
    std::optional<std::string> test_from{};
    /// Of every symbol and timeframe.
    SeriesChoice series{};
    /// The share that validates; taken from the training share.
    std::optional<double> validation_split{};
    /// Train a second time on a random walk, for a baseline.
    bool random_walk_baseline{true};
    /// Measure how much each feature is worth.
    bool permutation_importance{false};
    std::string operation_id{};
    /// Among those that wait for their turn, the higher one begins first.
    std::int64_t priority{0};
    /// The operation that the training belongs to, and is cancelled with; or empty.
    std::string parent_id{};
    /// Take up the interrupted operation `operation_id` again, from its checkpoint where it left one.
    bool resume{false};
    /// Go on from the checkpoint of this operation, which ended before it was complete; empty: from the beginning.
    std::string resume_from{};
    /// Whether a cancel leaves a checkpoint.
    bool save_checkpoint{true};
    /// A checkpoint after every so many epochs; 0: none for that reason.
    std::int64_t checkpoint_epochs{0};
    /// A checkpoint so long after the last one; 0: none for that reason. Seconds, not negative.
    double checkpoint_seconds{30};
};

/// A training with every question answered; it does not change while the training runs.
struct KTRDR_EXPORT TrainingOperationContext {
    Strategy strategy{};
    std::string strategy_path{};
    std::vector<std::string> symbols{};
    std::vector<Timeframe> timeframes{};
    /// Index of the timeframe whose bars are rows.
    std::size_t base{0};
    /// As the request says them, each a date or a time.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
    std::optional<std::string> test_from{};
    /// As the request has it.
    SeriesChoice series{};
    /// Where `test_from` says what tests, the shares of train and validation are to each other what they are here.
    SplitShares split{};
    bool random_walk_baseline{true};
    bool permutation_importance{false};

    [[nodiscard]] const Timeframe& base_timeframe() const { return timeframes[base]; }
    /// What they stand for in the sessions of a series. `invalid_argument` where that is nothing.
    [[nodiscard]] Result<TimeRange> range_in(const BarGrid& grid) const;
    /// When the test begins in the sessions of a series; nothing where shares say so.
    [[nodiscard]] Result<std::optional<UtcTime>> test_from_in(const BarGrid& grid) const;
    /// Under which its model is kept.
    [[nodiscard]] ModelName model_name() const;
    /// model_type, symbols, timeframes: what every progress state shows.
    [[nodiscard]] boost::json::object progress_context() const;
};

/// `strategy` or `invalid_argument` naming the field.
[[nodiscard]] KTRDR_EXPORT Result<TrainingOperationContext> build_training_context(const TrainingRequest& request);

}  // namespace ktrdr
