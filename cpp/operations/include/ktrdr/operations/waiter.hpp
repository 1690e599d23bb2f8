#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include <ktrdr/base/live.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// Somebody for whom an operation runs: it counts from here on, until it leaves or is destroyed. Who leaves as the last
/// one may cancel the operation; until then it goes on for the others.
///
/// Thread safety: every member from any thread.
/// Lifetime: keeps the operation.
class OperationWaiter final : private Counted<OperationWaiter> {
public:
    explicit OperationWaiter(std::shared_ptr<Operation> operation) : operation_(std::move(operation)) { join(); }
    OperationWaiter(const OperationWaiter&) = delete;
    OperationWaiter& operator=(const OperationWaiter&) = delete;
    ~OperationWaiter() { (void)leave(); }

    /// Count again after `leave`; twice is once.
    void join() {
        const std::scoped_lock lock(mutex_);
        if (!std::exchange(counts_, true)) {
            operation_->add_waiter();
        }
    }
    /// Count no more; true for the last one that did.
    bool leave() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(counts_, false) && operation_->remove_waiter();
    }

private:
    const std::shared_ptr<Operation> operation_;
    std::mutex mutex_;
    bool counts_{false};
};

}  // namespace ktrdr
