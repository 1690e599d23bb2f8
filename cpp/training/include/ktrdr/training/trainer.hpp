#pragma once

#include <array>
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
};

/// What a trainer knows by name.
inline constexpr std::array<std::string_view, 5> activation_names{"relu", "tanh", "sigmoid", "leaky_relu", "gelu"};
inline constexpr std::array<std::string_view, 3> optimizer_names{"adam", "adamw", "sgd"};
inline constexpr std::array<std::string_view, 2> monitor_names{"val_loss", "val_accuracy"};

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
    int patience{10};
    double min_delta{0};
    /// One of `monitor_names`.
    std::string monitor{"val_loss"};
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
    std::uint64_t seed{0};
    /// One weight a class, or empty.
    std::vector<double> class_weights{};
};

/// The rows of a training, each part later than the one before.
struct TrainingRows {
    LabeledMatrix train{};
    LabeledMatrix validation{};
    LabeledMatrix test{};
};

struct TrainerInput {
    ModelSpec model{};
    TrainerOptions options{};
    /// Any number of trainings look at the same rows. Not null.
    std::shared_ptr<const TrainingRows> rows{};
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
    /// The epochs are over; the test part is evaluated now.
    virtual void on_evaluation() = 0;
};

struct TrainedModel {
    std::vector<NamedTensor> parameters{};
    std::vector<EpochReport> history{};
    /// The epoch (from 1) whose weights these are.
    std::int64_t best_epoch{0};
    bool early_stopped{false};
    double train_seconds{0};
    double test_loss{0};
    /// `confusion[true class][predicted class]` on the test part.
    std::vector<std::vector<std::int64_t>> confusion{};
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
