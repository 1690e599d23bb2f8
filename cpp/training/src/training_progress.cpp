#include <ktrdr/training/training_progress.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace ktrdr {
namespace {

constexpr double not_yet = std::numeric_limits<double>::quiet_NaN();

// The batch travels with the figures in one node, so that a reader never sees the batch of one moment beside the epoch
// of another.
constexpr std::array<const char*, ProgressCounts::metric_count> metric_names{
    "train_loss", "val_loss", "val_accuracy", "current_epoch", "current_batch", "total_batches"};
static_assert(metric_names.size() == ProgressCounts::metric_count);

ProgressCounts counts(std::int64_t current, std::int64_t total, std::int64_t items = 0, std::int64_t total_items = 0) {
    ProgressCounts made{current, total, items, total_items, {}};
    made.metrics.fill(not_yet);
    return made;
}

}  // namespace

std::vector<ProgressStep> training_steps() {
    return {{"initializing", 1, {}},
            {"data_preparation", 9, {}},
            {"training", 85, {metric_names.begin(), metric_names.end()}},
            {"evaluation", 2, {}},
            {"saving", 3, {}}};
}

void TrainingProgressBridge::enter(TrainingStep step) {
    tree_.enter(static_cast<std::size_t>(step));
}

void TrainingProgressBridge::on_initializing() {
    enter(TrainingStep::initializing);
}

void TrainingProgressBridge::on_preparation(const std::string& symbol, std::size_t index, std::size_t symbols,
                                            std::string_view stage, std::size_t stage_index, std::size_t stages) {
    tree_.set_context({{"symbol", symbol}, {"stage", stage}});
    if (!preparing_) {
        preparing_ = true;
        enter(TrainingStep::data_preparation);
    }
    tree_.inner().store(counts(static_cast<std::int64_t>(stage_index), static_cast<std::int64_t>(stages)));
    tree_.outer().store(counts(static_cast<std::int64_t>(index), static_cast<std::int64_t>(symbols)));
}

void TrainingProgressBridge::on_training(Extent extent) {
    extent_ = extent;
    last_.val_loss = not_yet;
    last_.val_accuracy = not_yet;
    tree_.set_context({{"symbol", nullptr}, {"stage", nullptr}});
    enter(TrainingStep::training);
    tree_.outer().store(counts(0, extent.epochs, 0, extent.epochs * extent.rows));
}

void TrainingProgressBridge::on_batch(std::int64_t epoch, std::int64_t batch, std::int64_t batches, double loss) {
    batches_ = batches;
    ProgressCounts inner = counts(batch, batches);
    inner.metrics = {loss,
                     last_.val_loss,
                     last_.val_accuracy,
                     static_cast<double>(epoch),
                     static_cast<double>(batch),
                     static_cast<double>(batches)};
    tree_.inner().store(inner);
    const std::int64_t samples = (epoch - 1) * extent_.rows + std::min(batch * extent_.batch_size, extent_.rows);
    tree_.outer().store(counts(epoch - 1, extent_.epochs, samples, extent_.epochs * extent_.rows));
}

void TrainingProgressBridge::on_epoch(const EpochReport& report) {
    last_ = report;
    // Inner first: the other way round a reader in between would count this epoch twice.
    ProgressCounts inner = counts(0, batches_);
    inner.metrics = {report.train_loss,
                     report.val_loss,
                     report.val_accuracy,
                     static_cast<double>(report.epoch),
                     static_cast<double>(batches_),
                     static_cast<double>(batches_)};
    tree_.inner().store(inner);
    tree_.outer().store(
        counts(report.epoch, extent_.epochs, report.epoch * extent_.rows, extent_.epochs * extent_.rows));
}

void TrainingProgressBridge::on_evaluation() {
    enter(TrainingStep::evaluation);
}

void TrainingProgressBridge::on_saving() {
    enter(TrainingStep::saving);
}

void TrainingProgressBridge::on_saved() {
    tree_.outer().store(counts(1, 1));
}

}  // namespace ktrdr
