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
    const std::string use_variable = fmt::format("USE_{}_HOST_SERVICE", env_var_prefix());
    const std::string url_variable = fmt::format("{}_HOST_SERVICE_URL", env_var_prefix());
    if (host_service_url && (host_service_url->empty() || use_host_service == false)) {
        return fail(
            Errc::invalid_argument,
            host_service_url->empty()
                ? fmt::format("the URL of the {} host service is empty: give one, or leave it out", service_name())
                : fmt::format("a URL of the {} host service ({}) and \"do not use it\" were given together: "
                              "leave one of them out",
                              service_name(), *host_service_url),
            {{"service", service_name()}, {"url", *host_service_url}});
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
    std::string url = host_service_url ? *host_service_url : env_.get(url_variable).value_or(default_host_url());
    if (url.empty()) {
        return fail(
            Errc::configuration,
            fmt::format("the {} host service is to be used, but no URL is set: pass one as an argument or set {}",
                        service_name(), url_variable),
            {{"service", service_name()}, {"variable", url_variable}});
    }
    return ServiceRoute{true, std::move(url)};
}

}  // namespace ktrdr
