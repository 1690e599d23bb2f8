#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/progress/renderer.hpp>
#include <ktrdr/progress/tree.hpp>
#include <ktrdr/training/trainer.hpp>

namespace ktrdr {

/// The steps of a training; `training_steps` lists them in this order.
enum class TrainingStep : std::size_t { initializing, data_preparation, training, evaluation, saving };

/// initializing and data_preparation end at 10 %, the epochs at 95 %.
[[nodiscard]] KTRDR_EXPORT std::vector<ProgressStep> training_steps();

/// How far a training on a host is, as the host says; 0 and empty for what it does not say.
struct RemoteSnapshot {
    std::int64_t epoch{0};
    std::int64_t total_epochs{0};
    std::int64_t batch{0};
    std::int64_t total_batches{0};
    double percent{0};
    std::int64_t items{0};
    std::int64_t total_items{0};
    /// The symbol and what is done with it.
    std::string item{};
    /// A name of `training_steps`.
    std::string phase{};
    /// The last value of each.
    boost::json::object metrics{};

    friend bool operator==(const RemoteSnapshot&, const RemoteSnapshot&) = default;
};

/// The figures of an epoch as a metric of an operation.
[[nodiscard]] KTRDR_EXPORT boost::json::object to_metric(const EpochReport& report);

/// Turns what a trainer tells into progress: epochs are the outer units, batches the inner ones, samples the items.
///
/// Thread safety: as a `ProgressTree`'s worker.
class KTRDR_EXPORT TrainingProgressBridge final : public TrainerEvents {
public:
    /// The size of the work: how many epochs at most, rows of the training part, rows of a batch.
    struct Extent {
        std::int64_t epochs{0};
        std::int64_t rows{0};
        std::int64_t batch_size{1};
    };

    /// `hears_epochs` is told of every epoch, on the training thread; it may be empty.
    explicit TrainingProgressBridge(ProgressTree& tree, std::function<void(const EpochReport&)> hears_epochs = {})
        : tree_(tree), hears_epochs_(std::move(hears_epochs)) {}

    void on_initializing();
    /// `stage` of `stages` of symbol `index` begins.
    void on_preparation(const std::string& symbol, std::size_t index, std::size_t symbols, std::string_view stage,
                        std::size_t stage_index, std::size_t stages);
    /// Another training prepares the same rows, and this one waits for them.
    void on_others_preparation();
    void on_training(Extent extent);
    void on_batch(std::int64_t epoch, std::int64_t batch, std::int64_t batches, double loss) override;
    void on_epoch(const EpochReport& report) override;
    void on_evaluation() override;
    /// Within the evaluation: so many epochs on a random walk are over.
    void on_random_walk(std::int64_t epochs);
    void on_saving();
    void on_saved();
    /// A training on a host has come so far; the steps are never gone back. Hosts that do not say how many epochs there
    /// are have `epochs` of them.
    void on_remote_snapshot(const RemoteSnapshot& remote, std::int64_t epochs);

private:
    void enter(TrainingStep step);
    void enter_preparation(boost::json::object context);
    void show_remote_epoch(const RemoteSnapshot& remote, std::int64_t epochs);

    ProgressTree& tree_;
    std::function<void(const EpochReport&)> hears_epochs_;
    std::optional<TrainingStep> remote_step_{};
    bool preparing_{false};
    Extent extent_{};
    std::int64_t batches_{0};
    EpochReport last_{};
};

/// `Training MLP model on AAPL, MSFT [1d] [epoch 15/50] (batch 342/500)`
class KTRDR_EXPORT TrainingProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override;
    /// Epoch and batch in the context too, for readers of `current_epoch`, `total_epochs`, `current_batch` and
    /// `total_batches`; where only the context has them they become fields.
    [[nodiscard]] ProgressState enhance_state(ProgressState state) const override;
};

}  // namespace ktrdr
