#pragma once

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/torch_trainer/local_trainer.hpp>

namespace ktrdr {

/// Remembers what it is told; `at_batch` and `at_epoch` let a test step in.
class RecordingEvents final : public TrainerEvents {
public:
    struct Batch {
        std::int64_t epoch;
        std::int64_t batch;
        std::int64_t batches;
        double loss;
    };
    void on_batch(std::int64_t epoch, std::int64_t batch, std::int64_t batches, double loss) override {
        batches_told.push_back({epoch, batch, batches, loss});
        if (at_batch) {
            at_batch(batches_told.back());
        }
    }
    void on_epoch(const EpochReport& report) override {
        epochs_told.push_back(report);
        if (at_epoch) {
            at_epoch(report);
        }
    }
    void on_evaluation() override {
        ++evaluations_told;
        if (at_evaluation) {
            at_evaluation();
        }
    }

    void on_checkpoint(const TrainerCheckpoint& checkpoint) override { checkpoints.push_back(checkpoint); }

    std::function<void(const Batch&)> at_batch{};
    std::function<void(const EpochReport&)> at_epoch{};
    std::function<void()> at_evaluation{};
    std::vector<Batch> batches_told{};
    std::vector<EpochReport> epochs_told{};
    int evaluations_told{0};
    std::vector<TrainerCheckpoint> checkpoints{};
};

/// Three clouds around corners of a cube: easy for a network, when it learns at all.
inline LabeledMatrix clouds(std::size_t rows, std::uint64_t seed, float spread = 0.3F) {
    std::mt19937_64 random{seed};
    std::normal_distribution<float> noise{0, spread};
    LabeledMatrix matrix{.rows = rows, .columns = 4};
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t label = row % 3;
        matrix.labels.push_back(static_cast<std::int64_t>(label));
        for (std::size_t column = 0; column < matrix.columns; ++column) {
            matrix.values.push_back((column == label ? 1.0F : 0.0F) + noise(random));
        }
    }
    return matrix;
}

/// Rows that are this input's alone, to be changed.
inline TrainingRows& rows_of(TrainerInput& input) {
    auto own = std::make_shared<TrainingRows>(input.rows == nullptr ? TrainingRows{} : *input.rows);
    TrainingRows& rows = *own;
    input.rows = std::move(own);
    return rows;
}

inline TrainerInput small_input() {
    TrainerInput input;
    input.model = {.inputs = 4, .hidden_layers = {16, 8}, .classes = 3, .activation = "relu", .dropout = 0.1};
    input.options.learning_rate = 0.01;
    input.options.epochs = 5;
    input.options.seed = 7;
    input.rows = std::make_shared<const TrainingRows>(TrainingRows{clouds(600, 1), clouds(90, 2), clouds(90, 3)});
    return input;
}

inline Result<TrainedModel> train(const TrainerInput& input, StepChoice step = StepChoice::by_device) {
    RecordingEvents events;
    return LocalTrainer{step}.train(input, events, {});
}

struct ManualToken {
    ManualExecutor executor{};
    ManualClock clock{};
    ManualTimerQueue timers{clock};
    CancellationToken token{CancellationToken::create(executor, timers, clock)};
};

}  // namespace ktrdr
