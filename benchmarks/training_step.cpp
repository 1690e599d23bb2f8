// One real training of LocalTrainer on made-up rows; prints the time of one training step in microseconds.
// usage: training_step <rows> <epochs> <dropout> <batch size> <general | mlp> <hidden width>...
//        training_step progress    the time that a batch takes for its progress and the look at the token
// The time is that between two batch events of one epoch, so it holds everything a step costs: gathering rows, masks,
// forward, backward, optimizer, reading losses, telling progress. Validation and start are outside. The median epoch
// counts.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/operations/operation.hpp>
#include <ktrdr/torch_trainer/local_trainer.hpp>
#include <ktrdr/training/training_progress.hpp>

namespace {

using Time = std::chrono::steady_clock::time_point;

class StepTimes final : public ktrdr::TrainerEvents {
public:
    void on_batch(std::int64_t, std::int64_t batch, std::int64_t batches, double) override {
        const Time now = std::chrono::steady_clock::now();
        if (batch == 1) {
            first_ = now;
        } else if (batch == batches) {
            const std::chrono::duration<double, std::micro> took = now - first_;
            microseconds_.push_back(took.count() / static_cast<double>(batches - 1));
        }
    }
    void on_epoch(const ktrdr::EpochReport&) override {}
    void on_evaluation() override {}

    double median() {
        const auto middle = microseconds_.begin() + static_cast<std::ptrdiff_t>(microseconds_.size() / 2);
        std::ranges::nth_element(microseconds_, middle);
        return *middle;
    }

private:
    Time first_{};
    std::vector<double> microseconds_{};
};

ktrdr::LabeledMatrix made_up_rows(std::size_t rows) {
    std::mt19937_64 random{1};
    std::uniform_real_distribution<float> value{0, 1};
    ktrdr::LabeledMatrix matrix{.rows = rows, .columns = 24};
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t column = 0; column < matrix.columns; ++column) {
            matrix.values.push_back(value(random));
        }
        matrix.labels.push_back(static_cast<std::int64_t>(matrix.values[row * matrix.columns] * 2.999F));
    }
    return matrix;
}

/// In microseconds, the best of some rounds. As if every batch were told of; a training tells of every tenth.
double progress_cost() {
    ktrdr::ManualClock clock;
    ktrdr::ManualExecutor io;
    ktrdr::ManualTimerQueue timers{clock};
    const auto operation = ktrdr::Operation::make(ktrdr::OperationSpec{.type = "bench", .id = "op_bench"},
                                                  ktrdr::CancellationToken::create(io, timers, clock), clock);
    operation->progress().set_steps(ktrdr::training_steps());
    ktrdr::TrainingProgressBridge bridge{operation->progress()};
    constexpr std::int64_t batches = 1'000'000;
    bridge.on_training({.epochs = 1, .rows = 32 * batches, .batch_size = 32});
    double best = std::numeric_limits<double>::max();
    for (int round = 0; round < 7; ++round) {
        const Time began = std::chrono::steady_clock::now();
        for (std::int64_t batch = 1; batch <= batches && !operation->token().is_cancelled(); ++batch) {
            bridge.on_batch(1, batch, batches, 0.5);
        }
        const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - began;
        best = std::min(best, took.count() / static_cast<double>(batches));
    }
    return best;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string(argv[1]) == "progress") {
        std::cout << progress_cost() << '\n';
        return 0;
    }
    if (argc < 7) {
        std::cerr << "usage: training_step <rows> <epochs> <dropout> <batch size> <general | mlp> <hidden width>...\n";
        return 2;
    }
    ktrdr::TrainerInput input;
    input.model = {.inputs = 24, .hidden_layers = {}, .classes = 3, .dropout = std::atof(argv[3])};
    std::transform(argv + 6, argv + argc, std::back_inserter(input.model.hidden_layers), std::atoll);
    input.options.epochs = std::atoll(argv[2]);
    input.options.batch_size = std::atoll(argv[4]);
    input.rows = std::make_shared<const ktrdr::TrainingRows>(
        ktrdr::TrainingRows{made_up_rows(static_cast<std::size_t>(std::atoll(argv[1]))), made_up_rows(32), {}});
    StepTimes times;
    const auto step = std::string(argv[5]) == "mlp" ? ktrdr::StepChoice::mlp : ktrdr::StepChoice::general;
    const auto model = ktrdr::LocalTrainer{step}.train(input, times, {});
    if (!model) {
        std::cerr << model.error().message << '\n';
        return 1;
    }
    std::cout << times.median() << '\n';
    return 0;
}
