#include <ktrdr/orchestrator/service_orchestrator.hpp>

#include <fmt/format.h>

namespace ktrdr {

ServiceOrchestrator::ServiceOrchestrator(OperationRegistry& registry, Executor& io, Env env)
    : registry_(registry), io_(io), env_(std::move(env)) {}

Result<std::shared_ptr<Operation>> ServiceOrchestrator::execute_with_progress(OperationSpec spec, OperationWork work,
                                                                              ExecuteOptions options) {
    if (options.timeout && options.timeout->count() <= 0) {
        return fail(Errc::invalid_argument, "timeout must be positive; leave it out for no limit",
                    {{"field", "timeout"}});
    }
    auto created = registry_.create(std::move(spec), options.cancellation_token, options.timeout);
    if (!created) {
        return created.error();
    }
    std::shared_ptr<Operation> operation = std::move(created->operation);
    if (!created->created) {
        return operation;
    }
    ProgressTree& progress = operation->progress();
    if (options.renderer) {
        progress.set_renderer(std::move(options.renderer));
    }
    if (!options.steps.empty()) {
        progress.set_steps(std::move(options.steps));
    }
    progress.set_context(std::move(options.context));
    io_.post([operation, work = std::move(work)] {
        const auto done = [operation](Result<std::any> outcome) { operation->finish(std::move(outcome)); };
        // Cancelled before it began: it never runs.
        if (const auto alive = operation->token().check(operation->id()); !alive) {
            done({boost::system::in_place_error, alive.error()});
        } else if (const auto started = operation->start(); started) {
            work(operation, done);
        }
    });
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
    const std::string use_variable = fmt::format("USE_{}_HOST_SERVICE", env_var_prefix());
    const std::string url_variable = fmt::format("{}_HOST_SERVICE_URL", env_var_prefix());
    if (host_service_url && use_host_service == false) {
        return fail(Errc::invalid_argument,
                    fmt::format("the {} is given the URL {} and told not to use a host service: leave one out",
                                service_name(), *host_service_url));
    }
    bool use = use_host_service.value_or(host_service_url.has_value());
    if (!use_host_service && !host_service_url) {
        const auto from_env = env_.get_bool(use_variable);
        if (!from_env) {
            return from_env.error();
        }
        use = from_env->value_or(false);
    }
    if (!use) {
        return ServiceRoute{};
    }
    std::string url = host_service_url.value_or(env_.get(url_variable).value_or(default_host_url()));
    if (url.empty()) {
        return fail(Errc::configuration,
                    fmt::format("the {} is to use a host service and no URL is known: pass one, or set {}",
                                service_name(), url_variable),
                    {{"variable", url_variable}});
    }
    return ServiceRoute{true, std::move(url)};
}

}  // namespace ktrdr
