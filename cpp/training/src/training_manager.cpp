#include <ktrdr/training/training_manager.hpp>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <utility>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/files.hpp>
#include <ktrdr/base/log.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/base/memory.hpp>
#include <ktrdr/training/host_answers.hpp>
#include <ktrdr/training/host_session_manager.hpp>
#include <ktrdr/training/local_training_runner.hpp>
#include <ktrdr/training/training_memory.hpp>
#include <ktrdr/training/training_progress.hpp>

namespace ktrdr {
namespace {

/// Of an operation's parameters: the URL of the host that trains, and nothing for this machine.
constexpr std::string_view host_parameter = "training_host";

/// A training between the io thread, where a cancel of one that waits arrives, and the thread that runs it. Whoever
/// takes it first ends the operation.
struct Ticket {
    std::shared_ptr<Operation> operation{};
    OperationDone done{};
    LocalTrainingRunner runner;
    std::shared_ptr<SharedTrainingData> data{};
    std::shared_ptr<TrainingQueue> queue{};
    /// Its number in the queue.
    TrainingQueue::Number number{0};
    std::atomic<bool> taken{false};
    CancelRegistration cancel{};
};

// A std::any would take an Error as its value, so the outcome says which of the two it is.
Result<std::any> ended(Error error) {
    return {boost::system::in_place_error, std::move(error)};
}

Result<std::any> run_guarded(Ticket& ticket) {
    try {
        auto result = ticket.runner.run(*ticket.operation, *ticket.data);
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

/// Where the training has ended, or ends before it began, whoever says so: its place is free.
void leave_queue(Executor& io, const std::shared_ptr<Ticket>& ticket) {
    io.post([queue = ticket->queue, number = ticket->number] { queue->leave(number); });
}

/// End a training that does not begin; one that has begun, or has ended, stays as it is.
void end_before(Executor& io, const std::shared_ptr<Ticket>& ticket, Error error) {
    if (!ticket->taken.exchange(true)) {
        leave_queue(io, ticket);
        ticket->done(ended(std::move(error)));
    }
}

void run_ticket(Executor& io, const std::shared_ptr<Ticket>& ticket) {
    if (ticket->taken.exchange(true)) {
        return;
    }
    ticket->cancel.reset();
    Result<std::any> outcome = run_guarded(*ticket);
    if (!outcome) {
        log(LogLevel::debug, "training", "training ended without a model: " + outcome.error().message,
            ticket->operation->id());
    }
    leave_queue(io, ticket);
    ticket->done(std::move(outcome));
}

/// Runs on the io thread, when it is the training's turn.
void take_thread(Executor& io, Executor& threads, const std::shared_ptr<Ticket>& ticket) {
    try {
        ticket->operation->progress().set_context(
            {{"queue_place", nullptr}, {"queue_length", nullptr}, {"queue_reason", nullptr}});
        threads.post([&io, ticket] { run_ticket(io, ticket); });
    } catch (...) {
        end_before(io, ticket, caught("the training was given no thread"));
    }
}

/// What a training takes, as far as that can be told, and of which rows.
struct Estimate {
    TrainingMemory memory{};
    std::string rows{};
};

Estimate estimate_of(const TrainingOperationContext& context, BarProvider& bars) {
    try {
        if (auto stamp = data_stamp_of(context, bars)) {
            return {estimate_memory(context, stamp->bars), std::move(stamp->key)};
        }
    } catch (...) {
        log_caught("training", "estimating the memory of a training");
    }
    return {};
}

Error too_large(const TrainingOperationContext& context, const TrainingMemory& memory, std::uint64_t limit) {
    return fail(
        Errc::out_of_resources,
        fmt::format("training {} on {} takes about {}, and all trainings together may take {} (memory_limit): "
                    "train on fewer symbols, a shorter range (start_date, end_date) or fewer features "
                    "(lookback_periods){}, or give TrainingManager a larger memory_limit",
                    context.strategy.name, fmt::join(context.symbols, ", "), to_string(memory), memory_text(limit),
                    context.random_walk_baseline ? ", or with random_walk_baseline=False" : ""),
        {{"estimate_bytes", memory.total()}, {"limit_bytes", limit}, {"field", "memory_limit"}});
}

/// A training up to its turn.
struct Begin {
    TrainingServices services;
    std::int64_t priority;
    std::shared_ptr<const TrainingOperationContext> context;
    std::shared_ptr<BarProvider> bars;
    std::shared_ptr<Ticket> ticket;
};

/// Runs on the io thread.
void enter_queue(const Begin& begun, const Estimate& estimate) {
    const auto& [services, priority, context, bars, ticket] = begun;
    if (ticket->taken.load()) {
        return;
    }
    const TrainingMemory& memory = estimate.memory;
    const std::uint64_t limit = ticket->queue->limits().memory_bytes;
    if (limit > 0 && memory.total() > limit) {
        end_before(services.io_executor, ticket, too_large(*context, memory, limit));
        return;
    }
    TrainingQueue::Entry entry{ticket->operation->id(), priority};
    entry.begin = [&io = services.io_executor, &threads = services.training_threads, held = ticket] {
        take_thread(io, threads, held);
    };
    entry.moved = [held = ticket](const QueuePlace& place, std::size_t length) {
        held->operation->progress().set_context(
            {{"queue_place", place.place}, {"queue_length", length}, {"queue_reason", place.reason}});
    };
    entry.memory = {memory.learning, memory.shared(),
                    estimate.rows + (context->random_walk_baseline ? "\nand a random walk" : "")};
    ticket->queue->enter(ticket->number, std::move(entry));
}

/// Runs on the io thread.
void begin(Begin begun) {
    Executor& io = begun.services.io_executor;
    begun.ticket->cancel = begun.ticket->operation->token().on_cancel(
        [&io, waiting = std::weak_ptr(begun.ticket)](const CancelReason& reason) {
            if (const auto held = waiting.lock()) {
                end_before(io, held, cancelled_error(reason, "waiting for its turn to train"));
            }
        });
    Executor* const compute = begun.services.compute;
    if (compute == nullptr) {
        enter_queue(begun, estimate_of(*begun.context, *begun.bars));
        return;
    }
    const auto estimate = [begun, &io] {
        if (begun.ticket->taken.load()) {
            return;
        }
        try {
            io.post([begun, found = estimate_of(*begun.context, *begun.bars)] { enter_queue(begun, found); });
        } catch (...) {
            // Those that came later wait until this one has entered the queue, or is gone.
            end_before(io, begun.ticket, caught("estimating the memory of a training"));
        }
    };
    try {
        compute->post(estimate);
    } catch (...) {
        end_before(io, begun.ticket, caught("the training was given no thread"));
    }
}

boost::json::value optional_text(const std::optional<std::string>& text) {
    return text ? boost::json::value(*text) : boost::json::value(nullptr);
}

/// What makes two requests the same, and what one that goes on has to know again. Later additions stand there where
/// they are not as by default: a record of before asks for the same.
boost::json::object parameters_of(const TrainingRequest& request, const TrainingOperationContext& context) {
    boost::json::object parameters = context.progress_context();
    parameters["strategy_name"] = context.strategy.name;
    parameters["strategy_path"] = context.strategy_path;
    parameters["strategy"] = request.strategy;
    parameters["start_date"] = optional_text(request.start_date);
    parameters["end_date"] = optional_text(request.end_date);
    parameters["test_from"] = optional_text(request.test_from);
    parameters["validation_split"] = context.split.validation;
    parameters["random_walk_baseline"] = request.random_walk_baseline;
    parameters["permutation_importance"] = request.permutation_importance;
    const TrainingRequest usual;
    if (request.series.what_to_show) {
        parameters["what_to_show"] = *request.series.what_to_show;
    }
    if (request.series.session) {
        parameters["session"] = *request.series.session;
    }
    if (request.save_checkpoint != usual.save_checkpoint) {
        parameters["save_checkpoint"] = request.save_checkpoint;
    }
    if (request.checkpoint_epochs != usual.checkpoint_epochs) {
        parameters["checkpoint_epochs"] = request.checkpoint_epochs;
    }
    if (request.checkpoint_seconds != usual.checkpoint_seconds) {
        parameters["checkpoint_seconds"] = request.checkpoint_seconds;
    }
    return parameters;
}

Result<void> check_limits(const TrainingManagerParts& parts) {
    const auto refuse_limit = [](std::string_view field, std::int64_t given, std::string_view rule) {
        return fail(Errc::invalid_argument, fmt::format("{} is {}; {}", field, given, rule), {{"field", field}});
    };
    const auto& [sessions, memory] = parts.limits;
    if (parts.service && (sessions || memory)) {
        return refuse_limit(
            sessions ? "sessions" : "memory_limit", sessions ? *sessions : *memory,
            fmt::format("but {} trains and has limits of its own: leave it out", parts.service->get_base_url()));
    }
    if (sessions && (*sessions < 1 || *sessions > static_cast<std::int64_t>(most_trainings_at_once))) {
        return refuse_limit("sessions", *sessions, fmt::format("it must be 1 to {}", most_trainings_at_once));
    }
    if (memory && *memory < 1) {
        return refuse_limit("memory_limit", *memory, "it must be at least 1 byte");
    }
    return {};
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
    if (auto checked = check_limits(parts); !checked) {
        return checked.error();
    }
    ModelDirectory(parts.models_dir, services.clock, parts.access).remove_leftovers();
    CheckpointFiles(parts.models_dir, services.clock, parts.access).remove_leftovers();
    return std::shared_ptr<TrainingManager>(new TrainingManager(services, std::move(parts), std::move(env)));
}

TrainingManager::TrainingManager(TrainingServices services, TrainingManagerParts parts, Env env)
    : ServiceOrchestrator(services.registry, services.io_executor, std::move(env)),
      services_(services),
      parts_(std::move(parts)),
      queue_(services.queue ? services.queue : std::make_shared<TrainingQueue>(QueueLimits{trainings_at_once})),
      adapter_(parts_.service ? std::make_shared<TrainingAdapter>(parts_.service) : nullptr) {
    const auto& [sessions, memory] = parts_.limits;
    if (sessions || memory) {
        QueueLimits limits = queue_->limits();
        limits.sessions = sessions ? static_cast<std::size_t>(*sessions) : limits.sessions;
        limits.memory_bytes = memory ? static_cast<std::uint64_t>(*memory) : limits.memory_bytes;
        queue_->set_limits(limits);
        services_.io_executor.post([queue = queue_] { queue->look_again(); });
    }
}

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

std::vector<QueuePlace> TrainingManager::queue() const {
    return queue_->places();
}

QueueLimits TrainingManager::limits() const {
    return queue_->limits();
}

std::shared_ptr<void> TrainingManager::keep_last_rows() const {
    return data_->keep_last();
}

void TrainingManager::close() {
    std::shared_ptr<TrainingAdapter> last;
    const std::scoped_lock lock(mutex_);
    last = std::move(adapter_);
}

Result<void> TrainingManager::check_began_here(const std::string& operation_id) const {
    const auto known = services_.registry.record(operation_id);
    if (!known) {
        return known.error();
    }
    const std::string there(text_or_empty(known->parameters, host_parameter));
    const std::string here = parts_.service ? parts_.service->get_base_url() : std::string{};
    if (there == here) {
        return {};
    }
    const auto named = [](const std::string& url) {
        return url.empty() ? std::string("this machine") : "the training host at " + url;
    };
    return fail(Errc::invalid_argument,
                fmt::format("training {} was begun on {}, and this manager trains on {}: it would be begun a second "
                            "time. Resume it with a manager {}",
                            operation_id, named(there), named(here),
                            there.empty() ? std::string("without a training host")
                                          : fmt::format("that has training_url={:?}", there)),
                {{"field", "resume"}, {"operation_id", operation_id}, {"training_host", there}});
}

Result<std::int64_t> TrainingManager::told_epochs(const std::string& operation_id) const {
    EventQuery query;
    query.kind = OperationEventKind::metric;
    std::int64_t last = 0;
    for (;;) {
        const auto events = services_.registry.events(operation_id, query);
        if (!events) {
            return events.error();
        }
        if (events->empty()) {
            return last;
        }
        query.after = events->back().seq;
        for (const OperationEvent& event : *events) {
            last = std::max(last, epoch_of(event.data).value_or(0));
        }
    }
}

Result<OperationWork> TrainingManager::work_of(TrainingRequest request, TrainingOperationContext context,
                                               std::shared_ptr<BarProvider> bars, std::shared_ptr<TrainerSlot> slot,
                                               ModelDirectory models, CheckpointUse use) {
    if (!parts_.service) {
        return OperationWork([services = services_, priority = request.priority, queue = queue_, data = data_,
                              context = std::make_shared<const TrainingOperationContext>(std::move(context)),
                              bars = std::move(bars), slot = std::move(slot), models = std::move(models),
                              files = checkpoints(),
                              use = std::move(use)](std::shared_ptr<Operation> operation, OperationDone done) {
            LocalTrainingRunner runner(*context, bars, slot, models, services.clock, files, use);
            begin({services, priority, context, bars,
                   std::shared_ptr<Ticket>(new Ticket{std::move(operation), std::move(done), std::move(runner), data,
                                                      queue, queue->take_number()})});
        });
    }
    std::int64_t told = 0;
    if (request.resume) {
        const auto found = told_epochs(request.operation_id);
        if (!found) {
            return found.error();
        }
        told = *found;
    }
    const std::scoped_lock lock(mutex_);
    if (!adapter_) {
        return fail(Errc::client_closed, "the training manager is closed: make another one",
                    {{"url", parts_.service->get_base_url()}});
    }
    HostPace pace;
    pace.patience = parts_.service->config().timeout;
    return OperationWork([&io = parts_.means->io,
                          means =
                              HostSessionMeans{adapter_, parts_.means->threads.compute, std::move(models), pace, told},
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
    if (parts_.service && request.priority != 0) {
        return fail(Errc::invalid_argument,
                    fmt::format("priority is {}, but {} trains and has a queue of its own: leave it at 0",
                                request.priority, parts_.service->get_base_url()),
                    {{"field", "priority"}});
    }
    auto bars = chosen(parts_.bars, context->series);
    if (!bars) {
        return bars.error();
    }
    const ModelDirectory models(parts_.models_dir, services_.clock, parts_.access);
    if (auto place = models.check_place(context->strategy.name); !place) {
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
    if (request.resume) {
        if (auto same = check_began_here(request.operation_id); !same) {
            return same.error();
        }
    }
    OperationSpec spec{"training", request.operation_id, request.parent_id, parameters_of(request, *context)};
    if (parts_.service) {
        spec.parameters[host_parameter] = parts_.service->get_base_url();
    }
    spec.resumable = true;
    spec.resume = request.resume;
    spec.name = fmt::format("{} on {}", context->strategy.name, fmt::join(context->symbols, ", "));
    spec.store = parts_.operations;
    auto work =
        work_of(std::move(request), std::move(*context), std::move(*bars), std::move(slot), models, std::move(*use));
    if (!work) {
        return work.error();
    }
    return execute_with_cancellation(std::move(spec), std::move(*work), std::move(token), std::move(options));
}

}  // namespace ktrdr
