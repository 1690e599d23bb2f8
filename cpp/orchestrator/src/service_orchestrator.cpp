#include <ktrdr/orchestrator/service_orchestrator.hpp>

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <utility>

namespace ktrdr {
namespace {

/// The one outcome of a piece of work, whatever it does with its `done`: also when it throws it away.
class Outcome final {
public:
    explicit Outcome(std::shared_ptr<Operation> operation) : operation_(std::move(operation)) {}
    Outcome(const Outcome&) = delete;
    Outcome& operator=(const Outcome&) = delete;
    ~Outcome() {
        settle(failed(
            fail(Errc::internal, fmt::format("the work of operation {} ended without saying how", operation_->id()))));
    }

    void settle(Result<std::any> result) {
        if (!settled_.exchange(true)) {
            operation_->finish(std::move(result));
        }
    }

private:
    const std::shared_ptr<Operation> operation_;
    std::atomic<bool> settled_{false};
};

void run(const std::shared_ptr<Operation>& operation, const OperationWork& work) {
    const auto outcome = std::make_shared<Outcome>(operation);
    if (const auto started = operation->start(); !started) {
        outcome->settle(failed(started.error()));
        return;
    }
    try {
        work(operation, [outcome](Result<std::any> result) { outcome->settle(std::move(result)); });
    } catch (const ErrorException& error) {
        outcome->settle(failed(error.error()));
    } catch (const std::exception& error) {
        outcome->settle(failed(
            fail(Errc::internal, fmt::format("the work of operation {} threw: {}", operation->id(), error.what()))));
    }
}

Result<void> check_options(const OperationWork& work, const ExecuteOptions& options) {
    if (!work) {
        return fail(Errc::invalid_argument, "an operation needs work to do; `work` is empty", {{"field", "work"}});
    }
    try {
        ProgressTree("check", system_clock()).set_steps(options.steps);
    } catch (const ErrorException& error) {
        return error.error();
    }
    return {};
}

}  // namespace

ServiceOrchestrator::ServiceOrchestrator(OperationRegistry& registry, Executor& io, Env env)
    : registry_(registry), io_(io), env_(std::move(env)) {}

Result<std::shared_ptr<Operation>> ServiceOrchestrator::execute_with_progress(OperationSpec spec, OperationWork work,
                                                                              ExecuteOptions options) {
    if (const auto checked = check_options(work, options); !checked) {
        return checked.error();
    }
    auto created = registry_.create(std::move(spec), options.cancellation_token, options.timeout);
    if (!created) {
        return created.error();
    }
    auto operation = created->operation;
    if (created->created) {
        operation->progress().set_steps(std::move(options.steps));
        operation->progress().set_renderer(std::move(options.renderer));
        operation->progress().set_context(std::move(options.context));
        operation->when_admitted(
            [&io = io_, operation, work = std::move(work)] { io.post([operation, work] { run(operation, work); }); });
    }
    return operation;
}

Result<std::shared_ptr<Operation>> ServiceOrchestrator::execute_with_cancellation(OperationSpec spec,
                                                                                  OperationWork work,
                                                                                  CancellationToken token,
                                                                                  ExecuteOptions options) {
    options.cancellation_token = std::move(token);
    return execute_with_progress(std::move(spec), std::move(work), std::move(options));
}

Result<ServiceRoute> ServiceOrchestrator::route(std::optional<bool> use_host_service,
                                                const std::optional<std::string>& host_service_url) const {
    return resolve_route({service_name(), default_host_url(), env_var_prefix()}, env_, use_host_service,
                         host_service_url);
}

Result<std::string> ServiceOrchestrator::start_managed_operation(std::string name, std::string type, OperationWork work,
                                                                 ExecuteOptions options) {
    auto started =
        execute_with_progress({.type = std::move(type), .name = std::move(name)}, std::move(work), std::move(options));
    return started ? Result<std::string>((*started)->id()) : Result<std::string>(started.error());
}

Result<void> ServiceOrchestrator::validate_configuration() const {
    const auto resolved = route(std::nullopt, std::nullopt);
    return resolved ? Result<void>() : Result<void>(resolved.error());
}

OperationWork ServiceOrchestrator::retry_with_backoff(OperationWork work, const RetryOptions& options) const {
    return ktrdr::retry_with_backoff(std::move(work), options, registry_.timers(), registry_.clock());
}

OperationWork ServiceOrchestrator::with_error_handling(OperationWork work, boost::json::object context) {
    return [work = std::move(work), context = std::move(context)](std::shared_ptr<Operation> operation,
                                                                  OperationDone done) {
        work(std::move(operation), [context, done = std::move(done)](Result<std::any> outcome) {
            if (outcome) {
                done(std::move(outcome));
                return;
            }
            Error error = outcome.error();
            for (const auto& [key, value] : context) {
                error.context.emplace(key, value);
            }
            done(failed(std::move(error)));
        });
    };
}

}  // namespace ktrdr
