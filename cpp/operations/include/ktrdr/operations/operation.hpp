#pragma once

#include <any>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/operations/record.hpp>
#include <ktrdr/progress/tree.hpp>

namespace ktrdr {

/// Hears of one operation. Called on the io thread, on the thread that ends the operation or on the one that adds a
/// listener, one call at a time and never under a lock. One that throws is reported once and hears only the end then.
class KTRDR_EXPORT OperationListener {
public:
    virtual ~OperationListener() = default;
    virtual void on_progress(const ProgressState& state) = 0;
    /// False for one that waits for the end only: it does not make the sampler run.
    [[nodiscard]] virtual bool wants_progress() const { return true; }
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

/// The outcome of work that failed. `std::any` would swallow an `Error` whole, so a failure needs its own word.
[[nodiscard]] inline Result<std::any> failed(Error error) {
    return {boost::system::in_place_error, std::move(error)};
}

/// One long piece of work: its token, progress, record and outcome.
///
/// Cancellation: the token decides. However it was cancelled (by `request_cancel`, its parent, its deadline), the
/// operation shows `cancelling` from then on and ends cancelled or timed_out.
/// Thread safety: every member from any thread.
/// Lifetime: shared; the work and every handle keep it alive.
class KTRDR_EXPORT Operation final {
public:
    /// `spec.id` must be set.
    Operation(OperationSpec spec, CancellationToken token, const Clock& clock);
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    ~Operation() = default;

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

    /// A listener hears the newest state at once and every later edge; the sampler brings what lies between. One that
    /// is added to a finished operation hears its last state and its end.
    void add_listener(std::shared_ptr<OperationListener> listener);
    /// Nothing new is delivered from then on; a call under way on another thread may still end later.
    void remove_listener(const OperationListener* listener);
    /// True while a listener wants progress.
    [[nodiscard]] bool has_listeners() const;
    /// Deliver what is new to the listeners; the io thread's sampler calls it.
    void sample();

private:
    struct Slot {
        std::shared_ptr<OperationListener> listener{};
        bool broken{false};
    };
    /// What is still to be told, and to whom. No state: the end.
    struct Delivery {
        std::optional<ProgressState> state{};
        std::vector<std::shared_ptr<OperationListener>> listeners{};
    };

    // All of these but `deliver`, `tell` and `drop` are called under mutex_.
    [[nodiscard]] OperationStatus seen_status() const;
    void move_to(OperationStatus next);
    void notice_cancel();
    void settle(Result<std::any> outcome);
    void queue_progress();
    void queue_for_all(std::optional<ProgressState> state);
    [[nodiscard]] bool wants(const OperationListener& listener, bool progress) const;
    /// Empties the queue unless another thread is at it, which then takes what was added.
    void deliver();
    void tell(const Delivery& delivery);
    void drop(const OperationListener& listener, std::string_view why);

    const std::string id_;
    const CancellationToken token_;
    const Clock& clock_;
    ProgressTree progress_;
    mutable std::mutex mutex_;
    std::condition_variable stopped_;
    OperationRecord record_;
    std::optional<Result<std::any>> outcome_{};
    std::vector<Slot> listeners_{};
    std::deque<Delivery> queue_{};
    bool delivering_{false};
    std::uint64_t delivered_version_{0};
    /// Last, so that its callback ends before anything it uses does.
    CancelRegistration cancel_registration_{};
};

}  // namespace ktrdr
