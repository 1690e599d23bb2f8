#include "training_session.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <mutex>
#include <thread>

#include "check_input.hpp"
#include "network.hpp"
#include "optimizer.hpp"

namespace ktrdr {
namespace {

/// Batches whose rows are gathered together and whose losses are read together.
constexpr std::int64_t block_batches = 50;
/// An event at least every so many batches.
constexpr std::int64_t batches_per_event = 10;
/// Multiplications between two looks at the token in an evaluation: some 50 ms of one core.
constexpr std::int64_t slice_work = 500'000'000;
constexpr std::int64_t slice_rows = 8192;

std::mutex& thread_count_mutex() {
    static auto* mutex = new std::mutex;
    return *mutex;
}

template <class Function>
void on_new_thread(Function function) {
    std::thread{function}.join();
}

/// The number of kernel threads that a new thread starts with.
int usual_threads() {
    int threads = 1;
    on_new_thread([&] { threads = at::get_num_threads(); });
    return threads;
}

/// While it lives, LibTorch's kernels called on this thread run on this thread alone. A small network gains nothing
/// from more, and a sum split among threads depends on their number.
///
/// Torch keeps the number a thread at a time, but for a process-wide number that threads start with; that one is put
/// back at once, so a user's own torch keeps its threads.
class OneThread final {
public:
    OneThread() {
        const std::lock_guard lock{thread_count_mutex()};
        const int usual = usual_threads();
        // The first question sets this thread up with the usual number; asked later, it would undo the next line.
        static_cast<void>(at::get_num_threads());
        at::set_num_threads(1);
        on_new_thread([usual] { at::set_num_threads(usual); });
    }
    ~OneThread() {
        const std::lock_guard lock{thread_count_mutex()};
        at::set_num_threads(usual_threads());
    }
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;
};

/// Rows and labels as tensors over the caller's memory, which outlives the training.
struct Part {
    explicit Part(const LabeledMatrix& matrix)
        : rows(static_cast<std::int64_t>(matrix.rows)),
          // LibTorch has no tensor of constant memory; nothing writes to these.
          values(at::from_blob(const_cast<float*>(matrix.values.data()),
                               {rows, static_cast<std::int64_t>(matrix.columns)}, at::kFloat)),
          labels(at::from_blob(const_cast<std::int64_t*>(matrix.labels.data()), {rows}, at::kLong)) {}

    std::int64_t rows;
    at::Tensor values;
    at::Tensor labels;
};

struct Evaluation {
    double loss{std::numeric_limits<double>::quiet_NaN()};
    double accuracy{0};
    std::vector<std::vector<std::int64_t>> confusion{};
};

std::string batch_text(std::int64_t epoch, std::int64_t batch, std::int64_t batches) {
    return "epoch " + std::to_string(epoch) + ", batch " + std::to_string(batch) + " of " + std::to_string(batches);
}

class Session final {
public:
    Session(const TrainerInput& input, TrainerEvents& events, const CancellationToken& token)
        : options_(input.options),
          events_(events),
          token_(token),
          classes_(static_cast<std::int64_t>(input.model.classes)),
          train_(input.rows->train),
          validation_(input.rows->validation),
          test_(input.rows->test),
          batches_((train_.rows + options_.batch_size - 1) / options_.batch_size),
          generator_(at::detail::createCPUGenerator(options_.seed)),
          network_(input.model, generator_),
          optimizer_(network_, options_) {
        if (!options_.class_weights.empty()) {
            class_weights_ = at::tensor(options_.class_weights, at::kFloat);
        }
    }

    Result<TrainedModel> run() {
        const auto started = std::chrono::steady_clock::now();
        TrainedModel model;
        for (std::int64_t epoch = 1; epoch <= options_.epochs && !model.early_stopped; ++epoch) {
            auto report = run_epoch(epoch);
            if (!report) {
                return report.error();
            }
            model.history.push_back(*report);
            model.best_epoch = report->best ? epoch : model.best_epoch;
            const auto& stopping = options_.early_stopping;
            model.early_stopped = stopping && epoch < options_.epochs && epoch - model.best_epoch >= stopping->patience;
            events_.on_epoch(*report);
        }
        network_.values().copy_(best_values_);
        events_.on_evaluation();
        auto tested = evaluate(test_, "test", model.best_epoch);
        if (!tested) {
            return tested.error();
        }
        model.test_loss = tested->loss;
        model.confusion = std::move(tested->confusion);
        model.parameters = network_.parameters();
        model.train_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
        return model;
    }

private:
    Result<EpochReport> run_epoch(std::int64_t epoch) {
        epoch_ = {};
        const at::Tensor order = at::randperm(train_.rows, generator_, at::kLong);
        for (std::int64_t batch = 0; batch < batches_; batch += block_batches) {
            if (auto done = run_block(epoch, batch, order); !done) {
                return done.error();
            }
        }
        auto validated = evaluate(validation_, "validation", epoch);
        if (!validated) {
            return validated.error();
        }
        EpochReport report{.epoch = epoch,
                           .train_loss = epoch_.mean_loss(),
                           .train_accuracy = static_cast<double>(epoch_.hits) / static_cast<double>(epoch_.rows),
                           .val_loss = validated->loss,
                           .val_accuracy = validated->accuracy,
                           .learning_rate = options_.learning_rate};
        report.best = keep_if_best(report);
        return report;
    }

    /// Up to `block_batches` batches from `first` on: gather their rows, learn from each, read what came out.
    Result<void> run_block(std::int64_t epoch, std::int64_t first, const at::Tensor& order) {
        const std::int64_t size = options_.batch_size;
        const std::int64_t last = std::min(first + block_batches, batches_);
        const std::int64_t rows = std::min(last * size, train_.rows) - first * size;
        const at::Tensor chosen = order.narrow(0, first * size, rows);
        const at::Tensor values = train_.values.index_select(0, chosen);
        const at::Tensor labels = train_.labels.index_select(0, chosen);
        const std::vector<at::Tensor> masks = network_.draw_masks(rows, generator_);
        std::vector<at::Tensor> batch_masks(masks.size());
        for (std::int64_t batch = first; batch < last; ++batch) {
            if (token_.is_cancelled()) {
                return token_.check("training, " + batch_text(epoch, batch + 1, batches_));
            }
            const std::int64_t from = (batch - first) * size;
            const std::int64_t count = std::min(size, rows - from);
            std::ranges::transform(masks, batch_masks.begin(),
                                   [&](const at::Tensor& mask) { return mask.narrow(0, from, count); });
            learn(values.narrow(0, from, count), labels.narrow(0, from, count), batch_masks);
            if (batch == 0 || batch + 1 == last) {
                if (auto read = read_losses(epoch, batch + 1); !read) {
                    return read;
                }
            }
            if (batch == 0 || batch + 1 == batches_ || (batch + 1) % batches_per_event == 0) {
                events_.on_batch(epoch, batch + 1, batches_, epoch_.mean_loss());
            }
        }
        return {};
    }

    void learn(const at::Tensor& values, const at::Tensor& labels, const std::vector<at::Tensor>& masks) {
        optimizer_.zero_gradients();
        {
            const c10::AutoGradMode grad{true};
            const at::Tensor logits = network_.forward(values, masks);
            const at::Tensor loss = at::cross_entropy_loss(logits, labels, class_weights_);
            loss.backward();
            unread_.push_back({loss.detach(), logits.detach(), labels});
        }
        optimizer_.step();
    }

    /// Bring losses and hits of the batches since the last time to the host; `batch` (from 1) was the last of them.
    Result<void> read_losses(std::int64_t epoch, std::int64_t batch) {
        std::vector<at::Tensor> losses;
        std::vector<at::Tensor> logits;
        std::vector<at::Tensor> labels;
        for (const Unread& unread : unread_) {
            losses.push_back(unread.loss);
            logits.push_back(unread.logits);
            labels.push_back(unread.labels);
        }
        const at::Tensor read = at::stack(losses);
        const auto* loss = read.const_data_ptr<float>();
        const std::int64_t first = batch - static_cast<std::int64_t>(unread_.size()) + 1;
        for (std::size_t i = 0; i < unread_.size(); ++i) {
            if (!std::isfinite(loss[i])) {
                return not_finite(loss[i], epoch, first + static_cast<std::int64_t>(i));
            }
            const std::int64_t rows = labels[i].numel();
            epoch_.rows += rows;
            epoch_.loss_sum += static_cast<double>(loss[i]) * static_cast<double>(rows);
        }
        epoch_.hits += at::cat(logits).argmax(1).eq(at::cat(labels)).sum().item<std::int64_t>();
        unread_.clear();
        return {};
    }

    Error not_finite(float loss, std::int64_t epoch, std::int64_t batch) const {
        return fail(Errc::training,
                    "The training loss became " + number_text(loss) + " at " + batch_text(epoch, batch, batches_) +
                        ". Lower the learning rate (" + number_text(options_.learning_rate) +
                        "), set gradient_clip, or look for values that are not finite in the features.",
                    {{"epoch", epoch}, {"batch", batch}, {"learning_rate", options_.learning_rate}});
    }

    Result<Evaluation> evaluate(const Part& part, const std::string& name, std::int64_t epoch) const {
        const auto classes = static_cast<std::size_t>(classes_);
        Evaluation evaluation;
        evaluation.confusion.assign(classes, std::vector<std::int64_t>(classes, 0));
        const std::int64_t slice = std::clamp(slice_work / network_.values().numel(), std::int64_t{1}, slice_rows);
        double loss = 0;
        double weight = 0;
        for (std::int64_t first = 0; first < part.rows; first += slice) {
            if (token_.is_cancelled()) {
                return token_.check("evaluating the " + name + " part after epoch " + std::to_string(epoch)).error();
            }
            const std::int64_t rows = std::min(slice, part.rows - first);
            const at::Tensor logits = network_.forward(part.values.narrow(0, first, rows));
            add_slice(at::log_softmax(logits, 1), part.labels.narrow(0, first, rows), evaluation, loss, weight);
        }
        if (part.rows == 0) {
            return evaluation;
        }
        evaluation.loss = loss / weight;
        evaluation.accuracy /= static_cast<double>(part.rows);
        if (!std::isfinite(evaluation.loss)) {
            return fail(Errc::training,
                        "The loss on the " + name + " part is " + number_text(evaluation.loss) + " after epoch " +
                            std::to_string(epoch) + ". Lower the learning rate (" +
                            number_text(options_.learning_rate) +
                            "), set gradient_clip, or look for values that are not finite in the features.",
                        {{"epoch", epoch}, {"part", name}, {"learning_rate", options_.learning_rate}});
        }
        return evaluation;
    }

    void add_slice(const at::Tensor& log_odds, const at::Tensor& labels, Evaluation& evaluation, double& loss,
                   double& weight) const {
        const auto classes = static_cast<std::size_t>(classes_);
        const auto* row = log_odds.const_data_ptr<float>();
        const auto* label = labels.const_data_ptr<std::int64_t>();
        for (const auto* const end = label + labels.numel(); label != end; ++label, row += classes_) {
            const auto truth = static_cast<std::size_t>(*label);
            const auto predicted = static_cast<std::size_t>(std::max_element(row, row + classes) - row);
            const double row_weight = options_.class_weights.empty() ? 1.0 : options_.class_weights[truth];
            loss -= row_weight * static_cast<double>(row[truth]);
            weight += row_weight;
            evaluation.accuracy += truth == predicted ? 1 : 0;
            ++evaluation.confusion[truth][predicted];
        }
    }

    /// Whether `report` is better than every epoch before; its weights are copied aside then.
    bool keep_if_best(const EpochReport& report) {
        const bool by_accuracy = options_.early_stopping && options_.early_stopping->monitor == "val_accuracy";
        const double score = by_accuracy ? report.val_accuracy : -report.val_loss;
        const double min_delta = options_.early_stopping ? options_.early_stopping->min_delta : 0.0;
        if (best_values_.defined() && !(score > best_score_ + min_delta)) {
            return false;
        }
        best_score_ = score;
        best_values_ = network_.values().clone();
        return true;
    }

    struct Unread {
        at::Tensor loss;
        at::Tensor logits;
        at::Tensor labels;
    };

    /// What the batches of the running epoch came to, as far as read.
    struct EpochSums {
        std::int64_t rows{0};
        std::int64_t hits{0};
        double loss_sum{0};

        [[nodiscard]] double mean_loss() const { return loss_sum / static_cast<double>(rows); }
    };

    const TrainerOptions& options_;
    TrainerEvents& events_;
    const CancellationToken& token_;
    std::int64_t classes_;
    Part train_;
    Part validation_;
    Part test_;
    std::int64_t batches_;
    at::Generator generator_;
    Network network_;
    Optimizer optimizer_;
    std::optional<at::Tensor> class_weights_{};
    std::vector<Unread> unread_{};
    EpochSums epoch_{};
    at::Tensor best_values_{};
    double best_score_{0};
};

Error torch_error(std::string_view what) {
    std::string message{"LibTorch could not go on with the training: "};
    message.append(what);
    return fail(Errc::training, std::move(message));
}

}  // namespace

Result<TrainedModel> run_training_session(const TrainerInput& input, TrainerEvents& events,
                                          const CancellationToken& token) {
    try {
        const OneThread one_thread;
        const c10::InferenceMode no_inference_mode{false};
        const c10::NoGradGuard no_grad;
        return Session{input, events, token}.run();
    } catch (const c10::Error& error) {
        return torch_error(error.what_without_backtrace());
    } catch (const std::exception& error) {
        return torch_error(error.what());
    }
}

}  // namespace ktrdr
