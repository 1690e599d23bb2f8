#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/orchestrator/operation_work.hpp>

namespace ktrdr {

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

/// Create an operation and run `work` on the io thread once it may begin. Same id and request again: the operation that
/// is there.
///
/// The operation ends with the one outcome of its work, also when that throws or throws its `done` away.
/// Errors: `invalid_argument` for options that cannot be, and those of `OperationRegistry::create`; nothing was begun.
[[nodiscard]] KTRDR_EXPORT Result<std::shared_ptr<Operation>> run_operation(OperationRegistry& registry, Executor& io,
                                                                            OperationSpec spec, OperationWork work,
                                                                            ExecuteOptions options = {});

}  // namespace ktrdr
