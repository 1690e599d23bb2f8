#include <ktrdr/training/training_manager.hpp>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/files.hpp>
#include <ktrdr/base/log.hpp>
#include <ktrdr/training/host_session_manager.hpp>
#include <ktrdr/training/local_training_runner.hpp>
#include <ktrdr/training/training_progress.hpp>

namespace ktrdr {
namespace {

/// A training between the io thread, where a cancel of one that waits arrives, and the thread that runs it. Whoever
/// takes it first ends the operation.
struct Ticket {
    std::shared_ptr<Operation> operation{};
    OperationDone done{};
    LocalTrainingRunner runner;
    std::atomic<bool> taken{false};
    CancelRegistration cancel{};
};

// A std::any would take an Error as its value, so the outcome says which of the two it is.
Result<std::any> ended(Error error) {
    return {boost::system::in_place_error, std::move(error)};
}

Result<std::any> run_guarded(Ticket& ticket) {
    try {
        auto result = ticket.runner.run(*ticket.operation);
        if (!result) {
            return ended(result.error());
        }
        return {boost::system::in_place_value, std::any(std::move(*result))};
    } catch (const std::bad_alloc&) {
        return ended(fail(Errc::training, "the training ran out of memory; train on fewer bars, features or units"));
    } catch (...) {
        return ended(caught("the training stopped on an unexpected error"));
    }
}

void run_ticket(const std::shared_ptr<Ticket>& ticket) {
    if (ticket->taken.exchange(true)) {
        return;
    }
    ticket->cancel.reset();
    Result<std::any> outcome = run_guarded(*ticket);
    if (!outcome) {
        log(LogLevel::debug, "training", "training ended without a model: " + outcome.error().message,
            ticket->operation->id());
    }
    ticket->done(std::move(outcome));
}

/// Runs on the io thread.
void begin(Executor& threads, std::shared_ptr<Ticket> ticket) {
    ticket->cancel =
        ticket->operation->token().on_cancel([waiting = std::weak_ptr(ticket)](const CancelReason& reason) {
            const auto held = waiting.lock();
            if (held && !held->taken.exchange(true)) {
                held->done(ended(cancelled_error(reason, "waiting for a training thread")));
            }
        });
    threads.post([ticket = std::move(ticket)] { run_ticket(ticket); });
}

boost::json::value optional_text(const std::optional<std::string>& text) {
    return text ? boost::json::value(*text) : boost::json::value(nullptr);
}

/// What makes two requests the same: all that the training depends on.
boost::json::object parameters_of(const TrainingRequest& request, const TrainingOperationContext& context) {
    boost::json::object parameters = context.progress_context();
    parameters["strategy_name"] = context.strategy.name;
    parameters["strategy_path"] = context.strategy_path;
    parameters["strategy"] = request.strategy;
    parameters["start_date"] = optional_text(request.start_date);
    parameters["end_date"] = optional_text(request.end_date);
    parameters["validation_split"] = context.split.validation;
    parameters["random_walk_baseline"] = request.random_walk_baseline;
    parameters["permutation_importance"] = request.permutation_importance;
    return parameters;
}

Result<CheckpointUse> checkpoint_use(const TrainingRequest& request) {
    const auto refuse = [](std::string_view field, std::string_view rule) {
        return fail(Errc::invalid_argument, fmt::format("{} {}", field, rule), {{"field", field}});
    };
    // Some three hundred years of nanoseconds are in the type; a longer time is never.
    constexpr double longest = 1e9;
    if (!(request.checkpoint_seconds >= 0)) {
        return refuse("checkpoint_seconds", "must be at least 0; 0 writes none for that reason");
    }
    if (request.checkpoint_epochs < 0) {
        return refuse("checkpoint_epochs", "must be at least 0; 0 writes none for that reason");
    }
    if (request.resume && !request.resume_from.empty()) {
        return refuse("resume_from", "cannot be said when an interrupted training goes on: it has its own checkpoint");
    }
    const std::chrono::duration<double> seconds(std::min(request.checkpoint_seconds, longest));
    CheckpointUse use;
    use.plan.epochs = request.checkpoint_epochs;
    use.plan.interval = std::chrono::duration_cast<std::chrono::nanoseconds>(seconds);
    use.plan.on_cancel = request.save_checkpoint;
    use.from = request.resume ? request.operation_id : request.resume_from;
    use.must_be_there = !request.resume;
    return use;
}

}  // namespace

Result<std::shared_ptr<TrainingManager>> TrainingManager::create(TrainingServices services, TrainingManagerParts parts,
                                                                 Env env) {
    if (parts.models_dir.empty()) {
        return fail(Errc::invalid_argument, "models_dir is empty; pass one or set KTRDR_MODELS_DIR",
                    {{"field", "models_dir"}});
    }
    auto settled = settled_path("models_dir", parts.models_dir);
    if (!settled) {
        return settled.error();
    }
    parts.models_dir = std::move(settled).value();
    const auto access = file_access(env);
    if (!access) {
        return access.error();
    }
    parts.access = *access;
    ModelDirectory(parts.models_dir, services.clock, parts.access).remove_leftovers();
    return std::shared_ptr<TrainingManager>(new TrainingManager(services, std::move(parts), std::move(env)));
}

TrainingManager::TrainingManager(TrainingServices services, TrainingManagerParts parts, Env env)
    : ServiceOrchestrator(services.registry, services.io_executor, std::move(env)),
      services_(services),
      parts_(std::move(parts)),
      adapter_(parts_.service ? std::make_shared<TrainingAdapter>(parts_.service) : nullptr) {}

HostService TrainingManager::host_service() {
    HostService service;
    service.names = {"Training", "http://localhost:5002", "TRAINING"};
    service.identity = {.name = "training", .type = "training", .start_hint = TrainingAdapter::start_hint};
    return service;
}

CheckpointFiles TrainingManager::checkpoints() const {
    return {parts_.models_dir, services_.clock, parts_.access};
}

bool TrainingManager::has_checkpoint(const std::string& operation_id) const {
    return checkpoints().contains(operation_id);
}

void TrainingManager::remove_checkpoint(const std::string& operation_id) const {
    checkpoints().remove(operation_id);
}

void TrainingManager::close() {
    std::shared_ptr<TrainingAdapter> last;
    const std::scoped_lock lock(mutex_);
    last = std::move(adapter_);
}

Result<OperationWork> TrainingManager::work_of(TrainingRequest request, TrainingOperationContext context,
                                               std::shared_ptr<TrainerSlot> slot, ModelDirectory models,
                                               CheckpointUse use) {
    if (!parts_.service) {
        return OperationWork([&threads = services_.training_threads, &clock = services_.clock,
                              context = std::move(context), bars = parts_.bars, slot = std::move(slot),
                              models = std::move(models), files = checkpoints(),
                              use = std::move(use)](std::shared_ptr<Operation> operation, OperationDone done) {
            LocalTrainingRunner runner(context, bars, slot, models, clock, files, use);
            begin(threads,
                  std::shared_ptr<Ticket>(new Ticket{std::move(operation), std::move(done), std::move(runner)}));
        });
    }
    const std::scoped_lock lock(mutex_);
    if (!adapter_) {
        return fail(Errc::client_closed, "the training manager is closed: make another one",
                    {{"url", parts_.service->get_base_url()}});
    }
    HostPace pace;
    pace.patience = parts_.service->config().timeout;
    return OperationWork([&io = parts_.means->io,
                          means = HostSessionMeans{adapter_, parts_.means->threads.compute, std::move(models), pace},
                          request = std::move(request),
                          context = std::move(context)](std::shared_ptr<Operation> operation, OperationDone done) {
        auto session = std::make_shared<HostSessionManager>(request, context, means, std::move(operation));
        spawn_work(io, HostSessionManager::run(std::move(session)), std::move(done), "a training on a host service");
    });
}

Result<std::shared_ptr<Operation>> TrainingManager::train(TrainingRequest request, std::shared_ptr<TrainerSlot> slot,
                                                          CancellationToken token) {
    auto context = build_training_context(request);
    if (!context) {
        return context.error();
    }
    const ModelDirectory models(parts_.models_dir, services_.clock, parts_.access);
    if (auto place = models.check_place(); !place) {
        return place.error();
    }
    ExecuteOptions options;
    options.renderer = std::make_shared<TrainingProgressRenderer>();
    options.steps = training_steps();
    options.context = context->progress_context();
    auto use = checkpoint_use(request);
    if (!use) {
        return use.error();
    }
    OperationSpec spec{"training", request.operation_id, request.parent_id, parameters_of(request, *context)};
    spec.resumable = !parts_.service;
    spec.resume = request.resume;
    spec.name = fmt::format("{} on {}", context->strategy.name, fmt::join(context->symbols, ", "));
    spec.store = parts_.operations;
    auto work = work_of(std::move(request), std::move(*context), std::move(slot), models, std::move(*use));
    if (!work) {
        return work.error();
    }
    return execute_with_cancellation(std::move(spec), std::move(*work), std::move(token), std::move(options));
}

}  // namespace ktrdr
