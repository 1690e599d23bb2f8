#pragma once

#include <any>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/operations/record.hpp>
#include <ktrdr/progress/tree.hpp>

namespace ktrdr {

/// Hears of one operation. Called on the io thread or on the thread that ends the operation, never under a lock.
class KTRDR_EXPORT OperationListener {
public:
    virtual ~OperationListener() = default;
    virtual void on_progress(const ProgressState& state) = 0;
    /// Exactly once, after the last `on_progress`; the result can be read from then on.
    virtual void on_finished() = 0;
};

/// What an operation is made from.
struct OperationSpec {
    std::string type{};
    /// The caller's own id (its idempotency key), or empty for a new one.
    std::string id{};
    std::string parent_id{};
    boost::json::object parameters{};
};

/// One long piece of work: its token, progress, record and outcome.
///
/// Thread safety: every member from any thread.
/// Lifetime: shared; the work and every handle keep it alive.
class KTRDR_EXPORT Operation final {
public:
    Operation(OperationSpec spec, CancellationToken token, const Clock& clock);

    [[nodiscard]] const std::string& id() const noexcept { return id_; }
    [[nodiscard]] const CancellationToken& token() const noexcept { return token_; }
    [[nodiscard]] ProgressTree& progress() noexcept { return progress_; }
    [[nodiscard]] OperationStatus status() const;
    /// A copy of all that is known, with a fresh progress snapshot.
    [[nodiscard]] OperationRecord record();

    /// pending -> running. `conflict` when it is not pending.
    Result<void> start();
    /// Cancel the token and show `cancelling`. False when it is terminal or was cancelled before.
    bool request_cancel(CancelReason reason);
    /// The work has ended. Whatever it says, an operation whose token was cancelled ends cancelled or timed_out, except
    /// that a value that came all the same before the work saw the cancel is dropped. The first call wins.
    void finish(Result<std::any> outcome);
    void add_warning(std::string warning);

    /// Wait for the end; true when it is terminal.
    [[nodiscard]] bool wait_for(std::chrono::nanoseconds timeout);
    /// The value, or why there is none. `conflict` while it still runs.
    [[nodiscard]] Result<std::any> result() const;

    /// A listener hears the newest state at once and every later edge; the sampler brings what lies between.
    void add_listener(std::shared_ptr<OperationListener> listener);
    void remove_listener(const OperationListener* listener);
    [[nodiscard]] bool has_listeners() const;
    /// Deliver what is new to the listeners; the io thread's sampler calls it.
    void sample();

private:
    bool move_to(OperationStatus next);  // under mutex_
    [[nodiscard]] std::vector<std::shared_ptr<OperationListener>> listeners() const;

    const std::string id_;
    const CancellationToken token_;
    const Clock& clock_;
    ProgressTree progress_;
    mutable std::mutex mutex_;
    std::condition_variable stopped_;
    OperationRecord record_;
    std::optional<Result<std::any>> outcome_{};
    std::vector<std::shared_ptr<OperationListener>> listeners_{};
    std::mutex delivery_;  // keeps deliveries in order; never held together with mutex_ by a listener
    std::uint64_t delivered_version_{0};
};

}  // namespace ktrdr
