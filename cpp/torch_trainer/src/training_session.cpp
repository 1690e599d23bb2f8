#include "training_session.hpp"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "check_input.hpp"
#include "optimizer.hpp"
#include "session_state.hpp"
#include "torch_setup.hpp"
#include "gradient_step.hpp"

namespace ktrdr {
namespace {

using Clock = std::chrono::steady_clock;

/// Batches whose rows are gathered together and whose losses are read together, at most.
constexpr std::int64_t most_block_batches = 50;
/// Numbers of inputs and masks of a block: more would leave the processor's caches.
constexpr std::int64_t block_numbers = 1 << 20;
/// An event at least every so many batches.
constexpr std::int64_t batches_per_event = 10;
/// Multiplications between two looks at the token in an evaluation: some 50 ms of one core.
constexpr std::int64_t slice_work = 500'000'000;
constexpr std::int64_t slice_rows = 8192;
constexpr std::int64_t none_begun = -1;

std::int64_t block_batches_of(const TrainerInput& input) {
    const auto& layers = input.model.hidden_layers;
    const std::int64_t row =
        std::accumulate(layers.begin(), layers.end(), static_cast<std::int64_t>(input.model.inputs));
    const double numbers = static_cast<double>(row) * static_cast<double>(input.options.batch_size);
    return static_cast<std::int64_t>(
        std::clamp(static_cast<double>(block_numbers) / numbers, 1.0, static_cast<double>(most_block_batches)));
}

std::vector<double> class_weights_of(const TrainerInput& input) {
    return input.options.balance_classes ? balanced_class_weights(input.rows->train.labels, input.model.classes)
                                         : input.options.class_weights;
}

/// One part's rows as they came, and as tensors.
struct Part {
    Part(const LabeledMatrix& matrix, const std::vector<double>& class_weights, at::Device device)
        : given(matrix), rows{.rows = static_cast<std::int64_t>(matrix.rows)} {
        // LibTorch has no tensor of constant memory; nothing writes to these.
        rows.values = at::from_blob(const_cast<float*>(matrix.values.data()),
                                    {rows.rows, static_cast<std::int64_t>(matrix.columns)}, at::kFloat);
        rows.labels = at::from_blob(const_cast<std::int64_t*>(matrix.labels.data()), {rows.rows}, at::kLong);
        if (!matrix.weights.empty() || !class_weights.empty()) {
            weights = matrix.weights.empty() ? std::vector<float>(matrix.rows, 1.0F) : matrix.weights;
            for (std::size_t row = 0; !class_weights.empty() && row < matrix.rows; ++row) {
                weights[row] *= static_cast<float>(class_weights[static_cast<std::size_t>(matrix.labels[row])]);
            }
            rows.weights = at::tensor(weights, at::kFloat);
        }
        if (!device.is_cpu()) {
            rows.values = rows.values.to(device);
            rows.labels = rows.labels.to(device);
            rows.weights = rows.weights.defined() ? rows.weights.to(device) : rows.weights;
        }
    }

    const LabeledMatrix& given;
    PartRows rows;
    /// Of each row, its class's and its own together; empty: all the same.
    std::vector<float> weights{};
};

struct Evaluation {
    double loss{std::numeric_limits<double>::quiet_NaN()};
    double accuracy{0};
};

std::string batch_text(std::int64_t epoch, std::int64_t batch, std::int64_t batches) {
    return "epoch " + std::to_string(epoch) + ", batch " + std::to_string(batch) + " of " + std::to_string(batches);
}

Error other_checkpoint(const std::string& what) {
    return fail(Errc::invalid_argument, "The training cannot go on from this checkpoint: " + what +
                                            ". Resume the training that wrote it, or train from the beginning.");
}

class Session final {
public:
    Session(const TrainerInput& input, StepChoice step, at::Device device, TrainerEvents& events,
            const CancellationToken& token)
        : options_(input.options),
          plan_(input.checkpoints),
          events_(events),
          token_(token),
          classes_(input.model.classes),
          class_weights_(class_weights_of(input)),
          train_(input.rows->train, class_weights_, device),
          validation_(input.rows->validation, class_weights_, device),
          batches_((train_.rows.rows + options_.batch_size - 1) / options_.batch_size),
          generator_(make_generator(options_.seed)),
          network_(input.model, generator_, device),
          optimizer_(network_, options_) {
        state_.schedule.rate = options_.learning_rate;
        state_.step = step == StepChoice::general ? "general" : "mlp";
        state_.block_batches = block_batches_of(input);
        const StepParts parts{network_, train_.rows, options_.batch_size, state_.block_batches, generator_};
        step_ = step == StepChoice::general ? make_general_step(parts) : make_mlp_step(parts, input.model.activation);
        best_values_ = network_.values().clone();
    }

    /// Go on where `checkpoint` was taken.
    Result<void> restore(const TrainerCheckpoint& checkpoint) {
        auto kept = session_state_of(checkpoint.state);
        if (!kept) {
            return kept.error();
        }
        if (kept->step != state_.step || kept->block_batches != state_.block_batches) {
            return other_checkpoint("it was taken with the step \"" + kept->step + "\" in blocks of " +
                                    std::to_string(kept->block_batches) + " batches, and this one is \"" + state_.step +
                                    "\" in blocks of " + std::to_string(state_.block_batches));
        }
        const std::vector<NamedTensor> expected = tensors();
        const auto alike = [](const NamedTensor& left, const NamedTensor& right) {
            return left.name == right.name && left.shape == right.shape && left.values.size() == right.values.size();
        };
        if (!std::ranges::equal(expected, checkpoint.tensors, alike)) {
            return other_checkpoint("its weights are those of another network or optimizer");
        }
        const std::span<const NamedTensor> all{checkpoint.tensors};
        const std::size_t parameters = 2 * network_.layers().size();
        network_.load(all.first(parameters), network_.values());
        network_.load(all.subspan(parameters, parameters), best_values_);
        optimizer_.remember(all.subspan(2 * parameters), kept->steps);
        state_ = std::move(*kept);
        optimizer_.set_learning_rate(state_.schedule.rate);
        resumed_ = true;
        return {};
    }

    Result<TrainedModel> run() {
        for (; state_.epoch <= options_.epochs && !state_.early_stopped; ++state_.epoch) {
            if (auto done = run_epoch(); !done) {
                return stopped(done.error());
            }
        }
        TrainedModel model;
        model.parameters = network_.parameters(best_values_);
        events_.on_evaluation();
        if (auto go = token_.check("handing the model over"); !go) {
            return stopped(go.error());
        }
        model.history = state_.history;
        model.best_epoch = state_.best_epoch;
        model.early_stopped = state_.early_stopped;
        model.train_seconds = seconds();
        if (plan_.on_cancel) {
            model.checkpoint = checkpoint_at(state_.epoch);
        }
        return model;
    }

private:
    Result<void> run_epoch() {
        const bool resumed = std::exchange(resumed_, false);
        if (resumed && state_.batch > 0) {
            set_state(generator_, state_.epoch_generator);
        } else {
            if (resumed) {
                set_state(generator_, state_.block_generator);
            }
            state_.epoch_generator = state_of(generator_);
            state_.sums = {};
        }
        const at::Tensor order = at::randperm(train_.rows.rows, generator_, at::kLong);
        if (resumed && state_.batch > 0) {
            set_state(generator_, state_.block_generator);
        }
        while (state_.batch < batches_) {
            if (auto done = run_block(order); !done) {
                return done;
            }
        }
        auto validated = validate();
        if (!validated) {
            return validated.error();
        }
        const EpochSums& sums = state_.sums;
        const EpochReport report{.epoch = state_.epoch,
                                 .train_loss = sums.mean_loss(),
                                 .train_accuracy = static_cast<double>(sums.hits) / static_cast<double>(sums.rows),
                                 .val_loss = validated->loss,
                                 .val_accuracy = validated->accuracy,
                                 .learning_rate = state_.schedule.rate};
        if (take_epoch(state_, report, options_)) {
            best_values_.copy_(network_.values());
        }
        optimizer_.set_learning_rate(state_.schedule.rate);
        state_.batch = 0;
        begun_block_ = none_begun;
        events_.on_epoch(state_.history.back());
        if (plan_.epochs > 0 && state_.epoch % plan_.epochs == 0) {
            hand_out_checkpoint(state_.epoch + 1);
        }
        return {};
    }

    /// The rest of the block in which the cursor stands: gather its rows, learn from each batch, read what came out.
    Result<void> run_block(const at::Tensor& order) {
        const std::int64_t size = options_.batch_size;
        const std::int64_t first = state_.batch / state_.block_batches * state_.block_batches;
        const std::int64_t last = std::min(first + state_.block_batches, batches_);
        const std::int64_t rows = std::min(last * size, train_.rows.rows) - first * size;
        state_.block_generator = state_of(generator_);
        step_->begin_block(order.narrow(0, first * size, rows));
        begun_block_ = first;
        while (state_.batch < last) {
            if (token_.is_cancelled()) {
                return token_.check("training, " + batch_text(state_.epoch, state_.batch + 1, batches_));
            }
            const std::int64_t from = (state_.batch - first) * size;
            step_->compute_gradients(from, std::min(size, rows - from));
            optimizer_.step();
            const std::int64_t batch = ++state_.batch;
            ++state_.steps;
            const bool due = checkpoint_is_due();
            if (due || batch == 1 || batch == last) {
                if (auto read = read_losses(); !read) {
                    return read;
                }
            }
            if (batch == 1 || batch == batches_ || batch % batches_per_event == 0) {
                events_.on_batch(state_.epoch, batch, batches_, state_.sums.mean_loss());
            }
            if (due) {
                hand_out_checkpoint(state_.epoch);
            }
        }
        return {};
    }

    /// Take in losses and hits of the batches since the last time.
    Result<void> read_losses() {
        const BatchSums read = step_->read();
        const std::int64_t first = state_.batch - static_cast<std::int64_t>(read.losses.size()) + 1;
        for (std::size_t i = 0; i < read.losses.size(); ++i) {
            if (!std::isfinite(read.losses[i])) {
                return not_finite(read.losses[i], first + static_cast<std::int64_t>(i));
            }
            state_.sums.rows += read.rows[i];
            state_.sums.loss_sum += static_cast<double>(read.losses[i]) * static_cast<double>(read.rows[i]);
        }
        state_.sums.hits += read.hits;
        return {};
    }

    [[nodiscard]] std::string advice() const {
        return ". Lower the learning rate (" + number_text(state_.schedule.rate) + ") or set gradient_clip.";
    }

    [[nodiscard]] Error not_finite(float loss, std::int64_t batch) const {
        return fail(Errc::training,
                    "The training loss became " + number_text(loss) + " at " +
                        batch_text(state_.epoch, batch, batches_) + advice(),
                    {{"epoch", state_.epoch}, {"batch", batch}, {"learning_rate", state_.schedule.rate}});
    }

    [[nodiscard]] Result<Evaluation> validate() const {
        const Part& part = validation_;
        Evaluation evaluation;
        const std::int64_t slice = std::clamp(slice_work / network_.values().numel(), std::int64_t{1}, slice_rows);
        double loss = 0;
        double weight = 0;
        for (std::int64_t first = 0; first < part.rows.rows; first += slice) {
            if (token_.is_cancelled()) {
                return token_.check("evaluating the validation part after epoch " + std::to_string(state_.epoch))
                    .error();
            }
            const std::int64_t rows = std::min(slice, part.rows.rows - first);
            const at::Tensor logits = network_.forward(part.rows.values.narrow(0, first, rows));
            add_slice(at::log_softmax(logits, 1).cpu(), part, static_cast<std::size_t>(first), evaluation, loss,
                      weight);
        }
        evaluation.loss = loss / weight;
        evaluation.accuracy /= static_cast<double>(part.rows.rows);
        if (!std::isfinite(evaluation.loss)) {
            return fail(Errc::training,
                        "The loss on the validation part is " + number_text(evaluation.loss) + " after epoch " +
                            std::to_string(state_.epoch) + advice(),
                        {{"epoch", state_.epoch}, {"part", "validation"}, {"learning_rate", state_.schedule.rate}});
        }
        return evaluation;
    }

    void add_slice(const at::Tensor& log_odds, const Part& part, std::size_t first, Evaluation& evaluation,
                   double& loss, double& weight) const {
        const auto* odds = log_odds.const_data_ptr<float>();
        const std::size_t end = first + static_cast<std::size_t>(log_odds.size(0));
        for (std::size_t row = first; row < end; ++row, odds += classes_) {
            const auto truth = static_cast<std::size_t>(part.given.labels[row]);
            const auto predicted = static_cast<std::size_t>(std::max_element(odds, odds + classes_) - odds);
            const double row_weight = part.weights.empty() ? 1.0 : static_cast<double>(part.weights[row]);
            loss -= row_weight * static_cast<double>(odds[truth]);
            weight += row_weight;
            evaluation.accuracy += truth == predicted ? 1 : 0;
        }
    }

    [[nodiscard]] double seconds() const {
        return state_.seconds + std::chrono::duration<double>(Clock::now() - started_).count();
    }

    [[nodiscard]] bool checkpoint_is_due() const {
        return plan_.interval.count() > 0 && Clock::now() - last_checkpoint_ >= plan_.interval;
    }

    [[nodiscard]] std::vector<NamedTensor> tensors() const {
        std::vector<NamedTensor> all = network_.parameters(network_.values());
        std::ranges::move(network_.parameters(best_values_, "best."), std::back_inserter(all));
        std::ranges::move(optimizer_.memory(), std::back_inserter(all));
        return all;
    }

    void hand_out_checkpoint(std::int64_t epoch) {
        events_.on_checkpoint(checkpoint_at(epoch));
        last_checkpoint_ = Clock::now();
    }

    /// As of now, `epoch` being the one that the cursor is in. All losses have been read.
    [[nodiscard]] TrainerCheckpoint checkpoint_at(std::int64_t epoch) const {
        SessionState state = state_;
        state.epoch = epoch;
        state.seconds = seconds();
        // Where the cursor's block has begun its masks are drawn: it begins anew from where they came from.
        const std::int64_t block = state.batch / state.block_batches * state.block_batches;
        if (block != begun_block_ || state.batch == batches_) {
            state.block_generator = state_of(generator_);
        } else if (state.batch == 0) {
            // Its order is drawn too: the whole epoch begins anew.
            state.block_generator = state.epoch_generator;
        }
        return {tensors(), to_json(state)};
    }

    /// What to answer once the epochs ended with `why`; a cancelled training leaves a checkpoint where it was asked to.
    Error stopped(Error why) {
        const bool cancelled = why.code == Errc::cancelled || why.code == Errc::timed_out;
        if (cancelled && plan_.on_cancel) {
            if (auto read = read_losses(); !read) {
                return read.error();
            }
            hand_out_checkpoint(state_.epoch);
        }
        return why;
    }

    const TrainerOptions& options_;
    const CheckpointPlan& plan_;
    TrainerEvents& events_;
    const CancellationToken& token_;
    std::size_t classes_;
    std::vector<double> class_weights_;
    Part train_;
    Part validation_;
    std::int64_t batches_;
    at::Generator generator_;
    Network network_;
    Optimizer optimizer_;
    std::unique_ptr<GradientStep> step_{};
    at::Tensor best_values_{};
    SessionState state_{};
    /// The first batch of the block of this epoch that has begun last.
    std::int64_t begun_block_{none_begun};
    /// The next epoch begins, or goes on, from a checkpoint.
    bool resumed_{false};
    Clock::time_point started_{Clock::now()};
    Clock::time_point last_checkpoint_{started_};
};

Result<StepChoice> choose_step(StepChoice asked, at::Device device) {
    if (asked == StepChoice::mlp && !device.is_cpu()) {
        return fail(Errc::invalid_argument,
                    "The step of multilayer perceptrons runs on the CPU only: set device to "
                    "\"cpu\", or take the general step.");
    }
    return asked == StepChoice::by_device ? (device.is_cpu() ? StepChoice::mlp : StepChoice::general) : asked;
}

Error torch_error(std::string_view what) {
    std::string message{"LibTorch could not go on with the training: "};
    message.append(what);
    return fail(Errc::training, std::move(message));
}

}  // namespace

Result<TrainedModel> run_training_session(const TrainerInput& input, StepChoice asked, TrainerEvents& events,
                                          const CancellationToken& token) {
    try {
        const auto device = find_device(input.options.device);
        if (!device) {
            return device.error();
        }
        const auto step = choose_step(asked, *device);
        if (!step) {
            return step.error();
        }
        const OneThread one_thread;
        const c10::InferenceMode no_inference_mode{false};
        const c10::NoGradGuard no_grad;
        Session session{input, *step, *device, events, token};
        if (input.resume != nullptr) {
            if (auto restored = session.restore(*input.resume); !restored) {
                return restored.error();
            }
        }
        return session.run();
    } catch (const c10::Error& error) {
        return torch_error(error.what_without_backtrace());
    } catch (const std::exception& error) {
        return torch_error(error.what());
    }
}

}  // namespace ktrdr
