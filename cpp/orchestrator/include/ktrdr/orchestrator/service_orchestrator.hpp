#pragma once

#include <any>
#include <functional>
#include <memory>
#include <string>

#include <ktrdr/base/env.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/registry.hpp>

namespace ktrdr {

/// Where an operation's work is done.
struct ServiceRoute {
    bool use_host_service{false};
    /// Set exactly when the host service is used.
    std::string url{};
};

/// The work of an operation: begins at once, reports into `operation.progress()`, watches `operation.token()`, and
/// calls `done` exactly once, from any thread.
using OperationDone = std::function<void(Result<std::any>)>;
using OperationWork = std::function<void(std::shared_ptr<Operation> operation, OperationDone done)>;

/// How an operation is run.
struct ExecuteOptions {
    /// Unset: no limit. Must be positive.
    std::optional<std::chrono::nanoseconds> timeout{};
    /// The operation stops when this token is cancelled; the token is not touched by the operation.
    CancellationToken cancellation_token{};
    std::shared_ptr<const ProgressRenderer> renderer{};
    std::vector<ProgressStep> steps{};
    /// Context of every progress state.
    boost::json::object context{};
};

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

    /// Create an operation and run `work` on the io thread. Same id and request again: the operation that is there.
    [[nodiscard]] Result<std::shared_ptr<Operation>> execute_with_progress(OperationSpec spec, OperationWork work,
                                                                           ExecuteOptions options = {});
    /// The same with `token` as the operation's parent.
    [[nodiscard]] Result<std::shared_ptr<Operation>> execute_with_cancellation(OperationSpec spec, OperationWork work,
                                                                               CancellationToken token,
                                                                               ExecuteOptions options = {});
    /// Argument before environment before default; a value that cannot be read is `configuration`.
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
