#include <ktrdr/training/training_progress.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "figure.hpp"

namespace ktrdr {
namespace {

constexpr double not_yet = std::numeric_limits<double>::quiet_NaN();

/// The first of the names that is a number.
double number_in(const boost::json::object& metrics, std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
        if (const auto* const found = metrics.if_contains(name); found != nullptr && found->is_number()) {
            return found->to_number<double>();
        }
    }
    return not_yet;
}

/// The step by its name; where a host names none, the one that its figures are of.
TrainingStep step_of(const RemoteSnapshot& remote) {
    const auto steps = training_steps();
    const auto named = std::ranges::find(steps, remote.phase, &ProgressStep::name);
    if (named != steps.end()) {
        return static_cast<TrainingStep>(named - steps.begin());
    }
    return remote.epoch > 0 || remote.batch > 0 || remote.percent > 0 ? TrainingStep::training
                                                                      : TrainingStep::initializing;
}

}  // namespace

boost::json::object to_metric(const EpochReport& report) {
    return {{"epoch", report.epoch},
            {"train_loss", figure(report.train_loss)},
            {"train_accuracy", figure(report.train_accuracy)},
            {"val_loss", figure(report.val_loss)},
            {"val_accuracy", figure(report.val_accuracy)},
            {"learning_rate", figure(report.learning_rate)}};
}

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

void TrainingProgressBridge::enter_preparation(boost::json::object context) {
    tree_.set_context(std::move(context));
    if (!preparing_) {
        preparing_ = true;
        enter(TrainingStep::data_preparation);
    }
}

void TrainingProgressBridge::on_initializing() {
    enter(TrainingStep::initializing);
}

void TrainingProgressBridge::on_preparation(const std::string& symbol, std::size_t index, std::size_t symbols,
                                            std::string_view stage, std::size_t stage_index, std::size_t stages) {
    enter_preparation({{"symbol", symbol}, {"stage", stage}});
    tree_.inner().store(
        {.current = static_cast<std::int64_t>(stage_index), .total = static_cast<std::int64_t>(stages)});
    tree_.outer().store({.current = static_cast<std::int64_t>(index), .total = static_cast<std::int64_t>(symbols)});
}

void TrainingProgressBridge::on_others_preparation() {
    enter_preparation({{"symbol", nullptr}, {"stage", "waits for a training that prepares the same rows"}});
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
    if (hears_epochs_) {
        hears_epochs_(report);
    }
}

void TrainingProgressBridge::on_evaluation() {
    enter(TrainingStep::evaluation);
}

void TrainingProgressBridge::on_random_walk(std::int64_t epochs) {
    tree_.set_context({{"stage", "a random walk"}});
    tree_.outer().store({.current = epochs, .total = extent_.epochs});
}

void TrainingProgressBridge::on_saving() {
    tree_.set_context({{"stage", nullptr}});
    enter(TrainingStep::saving);
}

void TrainingProgressBridge::on_saved() {
    tree_.outer().store({.current = 1, .total = 1});
}

void TrainingProgressBridge::on_remote_snapshot(const RemoteSnapshot& remote, std::int64_t epochs) {
    const TrainingStep step = step_of(remote);
    if (!remote_step_ || step > *remote_step_) {
        remote_step_ = step;
        tree_.set_context({{"symbol", nullptr}, {"stage", nullptr}});
        enter(step);
    }
    if (step != *remote_step_) {
        return;
    }
    if (step == TrainingStep::data_preparation) {
        tree_.set_context({{"symbol", remote.item}});
    } else if (step == TrainingStep::training) {
        show_remote_epoch(remote, epochs);
    }
}

void TrainingProgressBridge::show_remote_epoch(const RemoteSnapshot& remote, std::int64_t epochs) {
    const std::int64_t total = std::max(remote.total_epochs > 0 ? remote.total_epochs : epochs, remote.epoch);
    const bool whole = remote.total_batches == 0 || remote.batch >= remote.total_batches;
    tree_.inner().store(
        {.current = whole ? 0 : remote.batch,
         .total = remote.total_batches,
         .epoch = remote.epoch,
         .total_epochs = total,
         .batch = remote.batch,
         .total_batches = remote.total_batches,
         .metrics = {number_in(remote.metrics, {"train_loss", "loss"}), number_in(remote.metrics, {"val_loss"}),
                     number_in(remote.metrics, {"val_accuracy"})}});
    if (remote.epoch == 0 && remote.total_epochs == 0) {
        // Some hosts count in percent alone.
        tree_.outer().store({.current = static_cast<std::int64_t>(remote.percent), .total = 100});
        return;
    }
    tree_.outer().store(
        {whole ? remote.epoch : std::max<std::int64_t>(remote.epoch, 1) - 1, total, remote.items, remote.total_items});
}

}  // namespace ktrdr
