#pragma once

#include <memory>
#include <string>

#include <ktrdr/base/env.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/orchestrator/operation_work.hpp>
#include <ktrdr/orchestrator/retry.hpp>
#include <ktrdr/orchestrator/run_operation.hpp>
#include <ktrdr/orchestrator/service_route.hpp>

namespace ktrdr {

/// Base of the managers: gives every operation of a domain its record, progress, cancellation and outcome, and decides
/// between this machine and a host service.
///
/// Thread safety: every member from any thread. Nothing about an operation is kept in the orchestrator.
class KTRDR_EXPORT ServiceOrchestrator {
public:
    ServiceOrchestrator(OperationRegistry& registry, Executor& io, Env env);
    virtual ~ServiceOrchestrator() = default;

    [[nodiscard]] virtual std::string service_name() const = 0;
    [[nodiscard]] virtual std::string default_host_url() const = 0;
    /// IB for `USE_IB_HOST_SERVICE` and `IB_HOST_SERVICE_URL`.
    [[nodiscard]] virtual std::string env_var_prefix() const = 0;

    /// See `run_operation`.
    [[nodiscard]] Result<std::shared_ptr<Operation>> execute_with_progress(OperationSpec spec, OperationWork work,
                                                                           ExecuteOptions options = {});
    /// The same with `token` as the operation's parent.
    [[nodiscard]] Result<std::shared_ptr<Operation>> execute_with_cancellation(OperationSpec spec, OperationWork work,
                                                                               CancellationToken token,
                                                                               ExecuteOptions options = {});
    /// The same for callers that keep the id only.
    [[nodiscard]] Result<std::string> start_managed_operation(std::string name, std::string type, OperationWork work,
                                                              ExecuteOptions options = {});
    /// See `ktrdr::retry_with_backoff`.
    [[nodiscard]] OperationWork retry_with_backoff(OperationWork work, const RetryOptions& options = {}) const;
    /// The work, with `context` in every error that it ends with; facts of the error itself stay.
    [[nodiscard]] static OperationWork with_error_handling(OperationWork work, boost::json::object context);
    /// What `route` would say of the environment alone.
    [[nodiscard]] Result<void> validate_configuration() const;
    /// See `resolve_route`.
    [[nodiscard]] Result<ServiceRoute> route(std::optional<bool> use_host_service,
                                             const std::optional<std::string>& host_service_url) const;

protected:
    [[nodiscard]] OperationRegistry& registry() const noexcept { return registry_; }
    [[nodiscard]] Executor& io() const noexcept { return io_; }
    [[nodiscard]] const Env& env() const noexcept { return env_; }

private:
    OperationRegistry& registry_;
    Executor& io_;
    const Env env_;
};

}  // namespace ktrdr
