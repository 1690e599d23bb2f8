#include <ktrdr/data/data_job_manager.hpp>

#include <fmt/format.h>

#include <ktrdr/base/ids.hpp>

namespace ktrdr {
namespace {

Error no_such_job(const std::string& id) {
    return fail(Errc::not_found, fmt::format("no load has the id {:?}", id.substr(0, 128)),
                {{"id", id.substr(0, 128)}});
}

OperationRecord record_of(const DataJob& job) {
    return {.id = job.spec.id,
            .type = job.spec.type,
            .parent_id = job.spec.parent_id,
            .parameters = job.spec.parameters,
            .status = OperationStatus::pending};
}

}  // namespace

Result<std::string> DataJobManager::create_job(DataJob job) {
    job.spec.type = operation_type;
    if (job.spec.id.empty()) {
        job.spec.id = make_operation_id(operation_type, clock_);
    } else if (const auto checked = check_id("operation_id", job.spec.id); !checked) {
        return checked.error();
    }
    const std::string id = job.spec.id;
    const std::scoped_lock lock(mutex_);
    const auto [place, added] = waiting_.try_emplace(id, std::move(job));
    // `try_emplace` leaves the job alone when it adds nothing.
    if (!added && place->second.spec.parameters != job.spec.parameters) {  // NOLINT(bugprone-use-after-move)
        return fail(Errc::conflict,
                    fmt::format("the id {} belongs to another load that waits: choose another operation_id", id),
                    {{"id", id}});
    }
    return id;
}

Result<std::shared_ptr<Operation>> DataJobManager::start_job(const std::string& id) {
    std::map<std::string, DataJob>::node_type job;
    {
        const std::scoped_lock lock(mutex_);
        job = waiting_.extract(id);
    }
    if (job) {
        DataJob& started = job.mapped();
        return run_operation(registry_, io_, std::move(started.spec), std::move(started.work),
                             std::move(started.options));
    }
    auto operation = find(id);
    if (!operation) {
        return no_such_job(id);
    }
    return operation;
}

Result<OperationRecord> DataJobManager::get_job_status(const std::string& id) const {
    {
        const std::scoped_lock lock(mutex_);
        if (const auto job = waiting_.find(id); job != waiting_.end()) {
            return record_of(job->second);
        }
    }
    auto record = registry_.record(id);
    return record && record->type == operation_type ? record : Result<OperationRecord>(no_such_job(id));
}

std::vector<OperationRecord> DataJobManager::list_jobs() const {
    std::vector<OperationRecord> jobs;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [id, job] : waiting_) {
            jobs.push_back(record_of(job));
        }
    }
    constexpr std::size_t most = 1000;
    if (auto page = registry_.list({.type = std::string(operation_type), .limit = most})) {
        std::move(page->records.begin(), page->records.end(), std::back_inserter(jobs));
    }
    return jobs;
}

Result<bool> DataJobManager::cancel_job(const std::string& id, CancelReason reason) {
    {
        const std::scoped_lock lock(mutex_);
        if (waiting_.erase(id) > 0) {
            return true;
        }
    }
    const auto operation = find(id);
    return operation ? Result<bool>(operation->request_cancel(std::move(reason))) : Result<bool>(no_such_job(id));
}

std::shared_ptr<Operation> DataJobManager::find(const std::string& id) const {
    auto operation = registry_.find(id);
    return operation && operation->record().type == operation_type ? operation : nullptr;
}

}  // namespace ktrdr
