#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// Every operation of the process, live ones and the last finished ones.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT OperationRegistry final {
public:
    /// `keep_finished`: how many terminal operations stay listed.
    OperationRegistry(Executor& io, TimerQueue& timers, const Clock& clock, std::size_t keep_finished = 1000);

    /// A new pending operation, its token a child of `parent`. The same id with the same type and parameters answers
    /// the operation that is there
    /// (`created` false); with others it is `conflict`. A bad id, type or timeout is `invalid_argument`.
    struct Created {
        std::shared_ptr<Operation> operation{};
        bool created{true};
    };
    [[nodiscard]] Result<Created> create(OperationSpec spec, const CancellationToken& parent = {},
                                         std::optional<std::chrono::nanoseconds> timeout = std::nullopt);
    [[nodiscard]] std::shared_ptr<Operation> find(const std::string& id) const;
    /// Newest first.
    [[nodiscard]] std::vector<std::shared_ptr<Operation>> list() const;
    /// Cancel all that are alive; the number asked. Later operations are not affected.
    std::size_t cancel_all(CancelReason reason);
    /// Sample every live operation that somebody listens to; true when there is one (so the sampler goes on).
    bool sample();

private:
    [[nodiscard]] static Result<Created> same_request(const std::shared_ptr<Operation>& operation,
                                                      const OperationSpec& spec);
    /// Under mutex_: take out the oldest finished ones above the limit.
    [[nodiscard]] std::vector<std::shared_ptr<Operation>> forget_oldest();

    Executor& io_;
    TimerQueue& timers_;
    const Clock& clock_;
    const std::size_t keep_finished_;
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Operation>> operations_{};
    std::deque<std::string> order_{};
};

}  // namespace ktrdr
