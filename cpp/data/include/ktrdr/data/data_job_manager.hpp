#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/orchestrator/service_orchestrator.hpp>

namespace ktrdr {

/// A load that could be started.
struct DataJob {
    OperationSpec spec{};
    OperationWork work{};
    CancellationToken cancellation_token{};
    ExecuteOptions options{};
};

/// The loads among the operations of the process: a view over their registry, and the jobs that are not started yet.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT DataJobManager final {
public:
    static constexpr const char* operation_type = "data_load";
    /// How a job becomes an operation: `ServiceOrchestrator::execute_with_cancellation`.
    using Launch = std::function<Result<std::shared_ptr<Operation>>(DataJob)>;

    /// The references must outlive the manager.
    DataJobManager(OperationRegistry& registry, const Clock& clock, Launch launch);

    /// Keep a job until it is started; its id. The same id with the same parameters is the same job, with others
    /// `conflict`.
    [[nodiscard]] Result<std::string> create_job(DataJob job);
    /// The operation that now does the job, or did before. `not_found` for an id of no load.
    [[nodiscard]] Result<std::shared_ptr<Operation>> start_job(const std::string& id);
    [[nodiscard]] Result<OperationRecord> get_job_status(const std::string& id) const;
    /// Jobs not started first, then newest first.
    [[nodiscard]] std::vector<OperationRecord> list_jobs() const;
    /// True when the job was asked to stop by this call; one that was not started is forgotten.
    Result<bool> cancel_job(const std::string& id, CancelReason reason);

private:
    [[nodiscard]] std::shared_ptr<Operation> find(const std::string& id) const;

    OperationRegistry& registry_;
    const Clock& clock_;
    const Launch launch_;
    mutable std::mutex mutex_;
    std::map<std::string, DataJob> waiting_{};
};

}  // namespace ktrdr
