#pragma once

#include <any>
#include <functional>
#include <memory>

#include <ktrdr/base/result.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// The work of an operation: begins at once, reports into `operation.progress()`, watches `operation.token()`, and
/// calls `done` exactly once, from any thread.
using OperationDone = std::function<void(Result<std::any>)>;
using OperationWork = std::function<void(std::shared_ptr<Operation> operation, OperationDone done)>;

}  // namespace ktrdr
