#include <ktrdr/data/data_job_manager.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include <ktrdr/base/ids.hpp>

namespace ktrdr {
namespace {

Error no_such_job(const std::string& id) {
    return fail(Errc::not_found, fmt::format("no load has the id {:?}", id.substr(0, 128)),
                {{"id", id.substr(0, 128)}});
}

Error of_another(const std::string& id, std::string_view whose) {
    return fail(Errc::conflict, fmt::format("the id {} belongs to {}: choose another operation_id", id, whose),
                {{"id", id}});
}

OperationRecord record_of(const DataJob& job) {
    return {.id = job.spec.id,
            .type = job.spec.type,
            .parent_id = job.spec.parent_id,
            .parameters = job.spec.parameters,
            .status = OperationStatus::pending};
}

}  // namespace

Result<DataJob> DataJobManager::named(DataJob job) const {
    job.spec.type = operation_type;
    if (job.spec.id.empty()) {
        job.spec.id = make_operation_id(operation_type, clock_);
    } else if (const auto checked = check_id("operation_id", job.spec.id); !checked) {
        return checked.error();
    }
    const std::scoped_lock lock(mutex_);
    const auto waiting = waiting_.find(job.spec.id);
    if (waiting != waiting_.end() && waiting->second.spec.parameters != job.spec.parameters) {
        return of_another(job.spec.id, "another load that waits");
    }
    return job;
}

Result<std::string> DataJobManager::create_job(DataJob job) {
    auto one = named(std::move(job));
    if (!one) {
        return one.error();
    }
    std::string id = one->spec.id;
    const bool begun = registry_.find(id) != nullptr;
    // An operation of an earlier process has its id, too.
    if (const auto record = registry_.record(id)) {
        if (record->type != operation_type || record->parameters != one->spec.parameters) {
            return of_another(id, "another operation");
        }
        if (begun) {
            return id;
        }
    }
    const std::scoped_lock lock(mutex_);
    waiting_.try_emplace(id, std::move(*one));
    return id;
}

Result<std::shared_ptr<Operation>> DataJobManager::start_job(const std::string& id) {
    // Held until it is an operation: who asks for it meanwhile waits, and is not told that there is none.
    const std::scoped_lock lock(mutex_);
    auto job = waiting_.extract(id);
    if (!job) {
        auto operation = find(id);
        return operation ? Result<std::shared_ptr<Operation>>(std::move(operation)) : no_such_job(id);
    }
    const DataJob& one = job.mapped();
    auto started = run_operation(registry_, io_, one.spec, one.work, one.options);
    if (!started) {
        waiting_.insert(std::move(job));
    }
    return started;
}

Result<std::shared_ptr<Operation>> DataJobManager::run_job(DataJob job) {
    auto one = named(std::move(job));
    if (!one) {
        return one.error();
    }
    const std::scoped_lock lock(mutex_);
    waiting_.erase(one->spec.id);
    return run_operation(registry_, io_, std::move(one->spec), std::move(one->work), std::move(one->options));
}

Result<OperationRecord> DataJobManager::get_job_status(const std::string& id) const {
    std::optional<OperationRecord> waiting;
    {
        const std::scoped_lock lock(mutex_);
        if (const auto job = waiting_.find(id); job != waiting_.end()) {
            waiting = record_of(job->second);
        }
    }
    // What has become of it in an earlier process counts, also where it is to be started once more.
    auto record = registry_.record(id);
    if (record && record->type == operation_type) {
        return record;
    }
    return waiting ? Result<OperationRecord>(std::move(*waiting)) : Result<OperationRecord>(no_such_job(id));
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
        std::erase_if(jobs, [&page](const OperationRecord& waiting) {
            return std::ranges::any_of(page->records,
                                       [&waiting](const OperationRecord& record) { return record.id == waiting.id; });
        });
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

void DataJobManager::forget_waiting() {
    std::map<std::string, DataJob> forgotten;
    const std::scoped_lock lock(mutex_);
    forgotten.swap(waiting_);
}

std::shared_ptr<Operation> DataJobManager::find(const std::string& id) const {
    auto operation = registry_.find(id);
    return operation && operation->record().type == operation_type ? operation : nullptr;
}

}  // namespace ktrdr
