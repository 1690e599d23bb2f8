#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/models/named_tensor.hpp>

namespace ktrdr {

/// Rows of features with a label each. `values` is row-major, `rows * columns` long; labels are 0-based classes.
struct LabeledMatrix {
    std::size_t rows{0};
    std::size_t columns{0};
    std::vector<float> values{};
    std::vector<std::int64_t> labels{};
    /// How much each row counts in the loss, above 0; empty: all the same.
    std::vector<float> weights{};
};

/// What a trainer knows by name.
inline constexpr std::array<std::string_view, 5> activation_names{"relu", "tanh", "sigmoid", "leaky_relu", "gelu"};
inline constexpr std::array<std::string_view, 3> optimizer_names{"adam", "adamw", "sgd"};
inline constexpr std::array<std::string_view, 2> monitor_names{"val_loss", "val_accuracy"};
inline constexpr std::array<std::string_view, 4> schedule_names{"none", "step", "exponential", "plateau"};
inline constexpr std::array<std::string_view, 4> device_names{"auto", "cpu", "cuda", "mps"};

struct ModelSpec {
    std::size_t inputs{0};
    std::vector<std::int64_t> hidden_layers{50, 25};
    std::size_t classes{3};
    /// One of `activation_names`.
    std::string activation{"relu"};
    /// 0 <= dropout < 1.
    double dropout{0.2};
};

struct EarlyStopping {
    /// Epochs without a better one before the training stops.
    int patience{10};
    /// By how much an epoch must be better for the patience to begin anew. Which weights are kept does not depend on
    /// it.
    double min_delta{0};
    /// One of `monitor_names`.
    std::string monitor{"val_loss"};
};

/// How the learning rate falls from epoch to epoch.
struct LearningRateSchedule {
    /// One of `schedule_names`: `step` multiplies by `gamma` every `step_size` epochs, `exponential` after each, and
    /// `plateau` after `patience` epochs and one more in which the monitored figure was not better than before.
    std::string type{"none"};
    /// Epochs. At least 1.
    std::int64_t step_size{10};
    /// 0 < gamma < 1.
    double gamma{0.1};
    /// Epochs. At least 0.
    std::int64_t patience{10};
};

struct TrainerOptions {
    double learning_rate{0.001};
    std::int64_t batch_size{32};
    std::int64_t epochs{100};
    /// One of `optimizer_names`.
    std::string optimizer{"adam"};
    double weight_decay{1e-4};
    /// Largest norm of the gradient; unset: none.
    std::optional<double> gradient_clip{};
    std::optional<EarlyStopping> early_stopping{};
    LearningRateSchedule schedule{};
    std::uint64_t seed{0};
    /// One weight a class, or empty.
    std::vector<double> class_weights{};
    /// Weigh each class by how rare it is among the rows to train on: `balanced_class_weights`. In place of
    /// `class_weights`.
    bool balance_classes{false};
    /// One of `device_names`; `auto` is the CPU, where networks of this kind are trained soonest.
    std::string device{"auto"};
};

/// `rows / (classes that occur * rows of the class)`, as scikit-learn's "balanced"; 1 for a class without a row.
[[nodiscard]] KTRDR_EXPORT std::vector<double> balanced_class_weights(const std::vector<std::int64_t>& labels,
                                                                      std::size_t classes);

/// The rows of a training, each part later than the one before.
struct TrainingRows {
    LabeledMatrix train{};
    LabeledMatrix validation{};
    LabeledMatrix test{};
};

/// All that a training needs to go on: what it gives from there on is bit for bit what it would have given.
struct TrainerCheckpoint {
    /// Current and best weights, and what the optimizer remembers.
    std::vector<NamedTensor> tensors{};
    /// Where the training stands: cursor, generators, learning rate, history. Numbers with a fraction as their bits.
    boost::json::object state{};

    friend bool operator==(const TrainerCheckpoint&, const TrainerCheckpoint&) = default;
};

/// When a trainer hands out checkpoints. Each rule by itself.
struct CheckpointPlan {
    /// After every so many epochs; 0: never for that reason.
    std::int64_t epochs{0};
    /// At the first batch so long after the last one; zero: never for that reason.
    std::chrono::nanoseconds interval{0};
    /// Where it is cancelled.
    bool on_cancel{false};
};

struct TrainerInput {
    ModelSpec model{};
    TrainerOptions options{};
    /// Any number of trainings look at the same rows. Not null.
    std::shared_ptr<const TrainingRows> rows{};
    CheckpointPlan checkpoints{};
    /// Where to go on; null: from the beginning. It must be of the same model, options and rows.
    std::shared_ptr<const TrainerCheckpoint> resume{};
};

/// After an epoch. Accuracies 0..1; epochs count from 1.
struct EpochReport {
    std::int64_t epoch{0};
    double train_loss{0};
    double train_accuracy{0};
    double val_loss{0};
    double val_accuracy{0};
    double learning_rate{0};
    bool best{false};

    friend bool operator==(const EpochReport&, const EpochReport&) = default;
};

/// What a trainer tells while it works, on the training thread. Implementations must be quick and must not throw.
class KTRDR_EXPORT TrainerEvents {
public:
    virtual ~TrainerEvents() = default;
    /// `batch` of `batches` of `epoch` is done (epoch from 1); `loss` is the mean of the epoch so far as last read.
    virtual void on_batch(std::int64_t epoch, std::int64_t batch, std::int64_t batches, double loss) = 0;
    virtual void on_epoch(const EpochReport& report) = 0;
    /// The epochs are over; what comes is for whoever evaluates the model.
    virtual void on_evaluation() = 0;
    /// As `TrainerInput::checkpoints` asks.
    virtual void on_checkpoint(const TrainerCheckpoint&) {}
};

struct TrainedModel {
    std::vector<NamedTensor> parameters{};
    std::vector<EpochReport> history{};
    /// The epoch (from 1) whose weights these are.
    std::int64_t best_epoch{0};
    bool early_stopped{false};
    double train_seconds{0};
    /// Where the epochs ended, if the plan has checkpoints on a cancel: what comes behind them may be cancelled, too.
    std::optional<TrainerCheckpoint> checkpoint{};
};

/// Trains one model. Implemented by `torch_trainer`; a fake serves the tests.
///
/// Cancellation: polls the token at each batch and stops there; the result is `cancelled` or `timed_out`.
/// Errors: a loss that is not finite is `training`, naming epoch and batch.
/// Thread safety: `train` may run on several threads at once, each call alone with its own generator: the same input
/// gives the same weights bit for bit whatever else runs.
class KTRDR_EXPORT Trainer {
public:
    virtual ~Trainer() = default;
    [[nodiscard]] virtual Result<TrainedModel> train(const TrainerInput& input, TrainerEvents& events,
                                                     const CancellationToken& token) = 0;
};

}  // namespace ktrdr
