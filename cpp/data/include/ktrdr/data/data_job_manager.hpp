#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/orchestrator/run_operation.hpp>

namespace ktrdr {

/// A load that could be started.
struct DataJob {
    OperationSpec spec{};
    OperationWork work{};
    ExecuteOptions options{};
};

/// The loads among the operations of the process: a view over their registry, and the jobs that are not started yet.
/// It starts them, too.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT DataJobManager final {
public:
    static constexpr const char* operation_type = "data_load";

    /// The references must outlive the manager; jobs run on `io`.
    DataJobManager(OperationRegistry& registry, Executor& io, const Clock& clock)
        : registry_(registry), io_(io), clock_(clock) {}

    /// Keep a job until it is started; its id. The same id with the same parameters is the same job, one that has been
    /// started too; with others, or of anything else than a load, `conflict`.
    [[nodiscard]] Result<std::string> create_job(DataJob job);
    /// The operation that now does the job (see `run_operation`), or did before. `not_found` for an id of no load. A
    /// job that cannot be started waits on.
    [[nodiscard]] Result<std::shared_ptr<Operation>> start_job(const std::string& id);
    /// Both at once, but that nothing waits where it cannot be started.
    [[nodiscard]] Result<std::shared_ptr<Operation>> run_job(DataJob job);
    [[nodiscard]] Result<OperationRecord> get_job_status(const std::string& id) const;
    /// Jobs not started first, then newest first.
    [[nodiscard]] std::vector<OperationRecord> list_jobs() const;
    /// True when the job was asked to stop by this call; one that was not started is forgotten.
    Result<bool> cancel_job(const std::string& id, CancelReason reason);
    /// Forget the jobs that were not started; they hold what they would use.
    void forget_waiting();

private:
    /// With an id; an error for one that cannot be, or is that of another that waits.
    [[nodiscard]] Result<DataJob> named(DataJob job) const;
    [[nodiscard]] std::shared_ptr<Operation> find(const std::string& id) const;

    OperationRegistry& registry_;
    Executor& io_;
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::map<std::string, DataJob> waiting_{};
};

}  // namespace ktrdr
