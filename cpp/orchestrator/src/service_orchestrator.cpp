#include <ktrdr/orchestrator/service_orchestrator.hpp>

#include <utility>

namespace ktrdr {

ServiceOrchestrator::ServiceOrchestrator(OperationRegistry& registry, Executor& io, Env env)
    : registry_(registry), io_(io), env_(std::move(env)) {}

Result<std::shared_ptr<Operation>> ServiceOrchestrator::execute_with_progress(OperationSpec spec, OperationWork work,
                                                                              ExecuteOptions options) {
    return run_operation(registry_, io_, std::move(spec), std::move(work), std::move(options));
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
