#include <ktrdr/operations/registry.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include <ktrdr/base/ids.hpp>

namespace ktrdr {
namespace {

bool alive(const Operation& operation) {
    return !is_terminal(operation.status());
}

Result<void> check_spec(const OperationSpec& spec, std::optional<std::chrono::nanoseconds> timeout) {
    if (const auto type = check_id("type", spec.type); !type) {
        return type.error();
    }
    if (const auto id = spec.id.empty() ? Result<void>{} : check_id("operation_id", spec.id); !id) {
        return id.error();
    }
    if (timeout && *timeout <= std::chrono::nanoseconds::zero()) {
        return fail(Errc::invalid_argument,
                    fmt::format("timeout must be positive, not {} s; leave it out for none",
                                std::chrono::duration<double>(*timeout).count()),
                    {{"field", "timeout"}});
    }
    return {};
}

}  // namespace

OperationRegistry::OperationRegistry(Executor& io, TimerQueue& timers, const Clock& clock, std::size_t keep_finished)
    : io_(io), timers_(timers), clock_(clock), keep_finished_(keep_finished) {}

Result<OperationRegistry::Created> OperationRegistry::create(OperationSpec spec, const CancellationToken& parent,
                                                             std::optional<std::chrono::nanoseconds> timeout) {
    if (const auto checked = check_spec(spec, timeout); !checked) {
        return checked.error();
    }
    if (spec.id.empty()) {
        spec.id = make_operation_id(spec.type, clock_);
    }
    // Destroyed after the lock is given back: what an operation holds may call in here.
    std::vector<std::shared_ptr<Operation>> forgotten;
    const std::scoped_lock lock(mutex_);
    if (const auto found = operations_.find(spec.id); found != operations_.end()) {
        return same_request(found->second, spec);
    }
    const bool free = parent == CancellationToken{};
    const CancellationToken above = free ? CancellationToken::create(io_, timers_, clock_) : parent;
    CancellationToken token = free && !timeout ? above : above.child(timeout);
    auto operation = std::make_shared<Operation>(std::move(spec), std::move(token), clock_);
    operations_.emplace(operation->id(), operation);
    order_.push_back(operation->id());
    forgotten = forget_oldest();
    return Created{std::move(operation), true};
}

Result<OperationRegistry::Created> OperationRegistry::same_request(const std::shared_ptr<Operation>& operation,
                                                                   const OperationSpec& spec) {
    const OperationRecord record = operation->record();
    if (record.type == spec.type && record.parameters == spec.parameters) {
        return Created{operation, false};
    }
    return fail(Errc::conflict,
                fmt::format("operation id {} was used for another request (a {} of {}); give the new one its own id",
                            spec.id, record.type, boost::json::serialize(record.parameters)),
                {{"operation_id", spec.id}, {"type", record.type}});
}

std::vector<std::shared_ptr<Operation>> OperationRegistry::forget_oldest() {
    const auto finished = static_cast<std::size_t>(
        std::count_if(operations_.begin(), operations_.end(), [](const auto& entry) { return !alive(*entry.second); }));
    std::vector<std::shared_ptr<Operation>> forgotten;
    for (auto id = order_.begin(); id != order_.end() && finished - forgotten.size() > keep_finished_;) {
        const auto found = operations_.find(*id);
        if (alive(*found->second)) {
            ++id;
            continue;
        }
        forgotten.push_back(std::move(found->second));
        operations_.erase(found);
        id = order_.erase(id);
    }
    return forgotten;
}

std::shared_ptr<Operation> OperationRegistry::find(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    const auto found = operations_.find(id);
    return found == operations_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Operation>> OperationRegistry::list() const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::shared_ptr<Operation>> newest_first;
    newest_first.reserve(order_.size());
    for (auto id = order_.rbegin(); id != order_.rend(); ++id) {
        newest_first.push_back(operations_.at(*id));
    }
    return newest_first;
}

std::size_t OperationRegistry::cancel_all(CancelReason reason) {
    const auto all = list();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&reason](const auto& operation) { return operation->request_cancel(reason); }));
}

bool OperationRegistry::sample() {
    bool heard = false;
    for (const auto& operation : list()) {
        if (alive(*operation) && operation->has_listeners()) {
            operation->sample();
            heard = true;
        }
    }
    return heard;
}

}  // namespace ktrdr
