#include <ktrdr/orchestrator/run_operation.hpp>

#include <fmt/format.h>

#include <atomic>
#include <utility>

#include <ktrdr/base/caught.hpp>

namespace ktrdr {
namespace {

/// The one outcome of a piece of work, whatever it does with its `done`: also when it throws it away.
class Outcome final {
public:
    explicit Outcome(std::shared_ptr<Operation> operation) : operation_(std::move(operation)) {}
    Outcome(const Outcome&) = delete;
    Outcome& operator=(const Outcome&) = delete;
    ~Outcome() {
        settle(failed(
            fail(Errc::internal, fmt::format("the work of operation {} ended without saying how", operation_->id()))));
    }

    void settle(Result<std::any> result) {
        if (!settled_.exchange(true)) {
            operation_->finish(std::move(result));
        }
    }

private:
    const std::shared_ptr<Operation> operation_;
    std::atomic<bool> settled_{false};
};

void run(const std::shared_ptr<Operation>& operation, const OperationWork& work) {
    const auto outcome = std::make_shared<Outcome>(operation);
    if (const auto started = operation->start(); !started) {
        outcome->settle(failed(started.error()));
        return;
    }
    try {
        work(operation, [outcome](Result<std::any> result) { outcome->settle(std::move(result)); });
    } catch (...) {
        outcome->settle(failed(caught(fmt::format("the work of operation {} threw", operation->id()))));
    }
}

Result<void> check_options(const OperationWork& work, const ExecuteOptions& options) {
    if (!work) {
        return fail(Errc::invalid_argument, "an operation needs work to do; `work` is empty", {{"field", "work"}});
    }
    try {
        ProgressTree("check", system_clock()).set_steps(options.steps);
    } catch (const ErrorException& error) {
        return error.error();
    }
    return {};
}

}  // namespace

Result<std::shared_ptr<Operation>> run_operation(OperationRegistry& registry, Executor& io, OperationSpec spec,
                                                 OperationWork work, ExecuteOptions options) {
    if (const auto checked = check_options(work, options); !checked) {
        return checked.error();
    }
    auto created = registry.create(std::move(spec), options.cancellation_token, options.timeout);
    if (!created) {
        return created.error();
    }
    auto operation = created->operation;
    if (created->created) {
        operation->progress().set_steps(std::move(options.steps));
        operation->progress().set_renderer(std::move(options.renderer));
        operation->progress().set_context(std::move(options.context));
        operation->when_admitted(
            [&io, operation, work = std::move(work)] { io.post([operation, work] { run(operation, work); }); });
    }
    return operation;
}

}  // namespace ktrdr
