#pragma once

#include <memory>
#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/http/retry.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// Puts attempts that failed into an operation's event log: a line in words, and the attempt's own fields beside it.
///
/// Lifetime: holds the operation only weakly.
class KTRDR_EXPORT OperationObserver final : public RequestObserver {
public:
    /// `what` begins the line: "ib: GET /health".
    OperationObserver(std::weak_ptr<Operation> operation, std::string what)
        : operation_(std::move(operation)), what_(std::move(what)) {}
    void on_attempt_failed(const Attempt& attempt) override;

private:
    std::weak_ptr<Operation> operation_;
    std::string what_;
};

}  // namespace ktrdr
