#pragma once

#include <memory>
#include <utility>

#include <ktrdr/operations/operation.hpp>

namespace ktrdr::bindings {

/// What Python holds of an operation. It counts as somebody who may look at the outcome, so that a failure which
/// nobody looked at is logged when the last of them goes.
class Handle final {
public:
    explicit Handle(std::shared_ptr<Operation> operation) : operation_(std::move(operation)) { operation_->retain(); }
    Handle(const Handle& other) : Handle(other.operation_) {}
    Handle& operator=(const Handle&) = delete;
    ~Handle() { operation_->release(); }

    Operation* operator->() const noexcept { return operation_.get(); }
    [[nodiscard]] const std::shared_ptr<Operation>& operation() const noexcept { return operation_; }

private:
    std::shared_ptr<Operation> operation_;
};

}  // namespace ktrdr::bindings
