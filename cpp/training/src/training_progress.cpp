#include <ktrdr/training/training_progress.hpp>

#include <algorithm>
#include <limits>

namespace ktrdr {
namespace {

constexpr double not_yet = std::numeric_limits<double>::quiet_NaN();

}  // namespace

std::vector<ProgressStep> training_steps() {
    return {{"initializing", 1, {}},
            {"data_preparation", 9, {}},
            {"training", 85, {"train_loss", "val_loss", "val_accuracy"}},
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
    tree_.inner().store(
        {.current = static_cast<std::int64_t>(stage_index), .total = static_cast<std::int64_t>(stages)});
    tree_.outer().store({.current = static_cast<std::int64_t>(index), .total = static_cast<std::int64_t>(symbols)});
}

void TrainingProgressBridge::on_training(Extent extent) {
    extent_ = extent;
    last_.val_loss = not_yet;
    last_.val_accuracy = not_yet;
    tree_.set_context({{"symbol", nullptr}, {"stage", nullptr}});
    enter(TrainingStep::training);
    tree_.inner().store({.total_epochs = extent.epochs});
    tree_.outer().store({.total = extent.epochs, .total_items = extent.epochs * extent.rows});
}

void TrainingProgressBridge::on_batch(std::int64_t epoch, std::int64_t batch, std::int64_t batches, double loss) {
    batches_ = batches;
    tree_.inner().store({.current = batch,
                         .total = batches,
                         .epoch = epoch,
                         .total_epochs = extent_.epochs,
                         .batch = batch,
                         .total_batches = batches,
                         .metrics = {loss, last_.val_loss, last_.val_accuracy}});
    const std::int64_t samples = (epoch - 1) * extent_.rows + std::min(batch * extent_.batch_size, extent_.rows);
    tree_.outer().store({epoch - 1, extent_.epochs, samples, extent_.epochs * extent_.rows});
}

void TrainingProgressBridge::on_epoch(const EpochReport& report) {
    last_ = report;
    // Inner first: the other way round a reader in between would count this epoch twice.
    tree_.inner().store({.total = batches_,
                         .epoch = report.epoch,
                         .total_epochs = extent_.epochs,
                         .batch = batches_,
                         .total_batches = batches_,
                         .metrics = {report.train_loss, report.val_loss, report.val_accuracy}});
    tree_.outer().store({report.epoch, extent_.epochs, report.epoch * extent_.rows, extent_.epochs * extent_.rows});
}

void TrainingProgressBridge::on_evaluation() {
    enter(TrainingStep::evaluation);
}

void TrainingProgressBridge::on_saving() {
    enter(TrainingStep::saving);
}

void TrainingProgressBridge::on_saved() {
    tree_.outer().store({.current = 1, .total = 1});
}

}  // namespace ktrdr
