#pragma once

#include <any>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/operations/event_log.hpp>
#include <ktrdr/operations/record.hpp>
#include <ktrdr/operations/store.hpp>
#include <ktrdr/progress/tree.hpp>

namespace ktrdr {

/// Hears of one operation. Called on the io thread, on the store's, on the thread that ends the operation or on the one
/// that adds a listener, one call at a time and never under a lock. One that throws is reported once and hears only the
/// end then.
class KTRDR_EXPORT OperationListener {
public:
    virtual ~OperationListener() = default;
    virtual void on_progress(const ProgressState& state) = 0;
    /// False for one that does not want `on_progress`.
    [[nodiscard]] virtual bool wants_progress() const { return true; }
    /// The event log has grown: read it with `Operation::events`.
    virtual void on_events() {}
    /// True for one that wants `on_events`. The sampler runs while somebody wants progress or events.
    [[nodiscard]] virtual bool wants_events() const { return false; }
    /// Exactly once, after the last of the others; the result can be read from then on.
    virtual void on_finished() = 0;
};

/// What an operation is made from.
struct OperationSpec {
    std::string type{};
    /// The caller's own id (its idempotency key), or empty for a new one.
    std::string id{};
    std::string parent_id{};
    boost::json::object parameters{};
    /// What a person calls it; may be empty.
    std::string name{};
    /// Whether a run that was interrupted can go on.
    bool resumable{false};
    /// Take up the interrupted operation `id` again. Its type and parameters must be the same.
    bool resume{false};
    /// Where it is kept; null for the registry's own store.
    std::shared_ptr<OperationStore> store{};
};

/// The outcome of work that failed. `std::any` would swallow an `Error` whole, so a failure needs its own word.
[[nodiscard]] inline Result<std::any> failed(Error error) {
    return {boost::system::in_place_error, std::move(error)};
}

/// Who is told when an operation ends, before anybody can see it. The operation is locked then: do not call it.
class KTRDR_EXPORT OperationHome {
public:
    virtual ~OperationHome() = default;
    virtual void ended(const std::string& id) = 0;
};

/// One long piece of work: its token, progress, record, event log and outcome.
///
/// With a durable store every edge of the state is written before anybody hears of it: status, record, events,
/// listeners and waiters all follow the store. Where a write fails the edge is announced all the same, the record says
/// `durable = false`, and a warning says why.
/// Cancellation: the token decides. However it was cancelled (by `request_cancel`, its parent, its deadline), the
/// operation shows `cancelling` from then on and ends cancelled or timed_out.
/// Thread safety: every member from any thread.
/// Lifetime: shared; the work and every handle keep it alive.
class KTRDR_EXPORT Operation final : public std::enable_shared_from_this<Operation>, private Counted<Operation> {
public:
    /// Make one with the arguments of a constructor. Its token is watched from then on, and not earlier: the token's
    /// callback runs on another thread, perhaps at once, and needs the whole operation.
    template <class... Arguments>
    [[nodiscard]] static std::shared_ptr<Operation> make(Arguments&&... arguments) {
        auto operation = std::make_shared<Operation>(std::forward<Arguments>(arguments)...);
        operation->watch_token();
        return operation;
    }

    /// A new one. `spec.id` must be set. Without a store it is kept nowhere.
    Operation(OperationSpec spec, CancellationToken token, const Clock& clock, std::weak_ptr<OperationHome> home = {});
    /// One that a store knows: claimed to go on (`resuming`), or finished.
    Operation(OperationRecord record, CancellationToken token, const Clock& clock,
              std::shared_ptr<OperationStore> store, std::weak_ptr<OperationHome> home = {});
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    ~Operation() = default;

    /// Id and time of creation never change and need no lock.
    [[nodiscard]] const std::string& id() const noexcept { return record_.id; }
    [[nodiscard]] const CancellationToken& token() const noexcept { return token_; }
    [[nodiscard]] UtcTime created() const noexcept { return record_.created; }
    [[nodiscard]] ProgressTree& progress() noexcept { return progress_; }
    [[nodiscard]] OperationStatus status() const;
    /// A copy of all that is known, with a fresh progress snapshot.
    [[nodiscard]] OperationRecord record();
    [[nodiscard]] const std::shared_ptr<OperationStore>& store() const noexcept { return store_; }
    /// True once a durable store has taken it.
    [[nodiscard]] bool is_stored() const;

    /// True once its work may begin.
    [[nodiscard]] bool is_admitted() const;
    /// Call `begin` once the store has taken the operation, at once where there is none. Never when the id turned out
    /// to be taken by another process: the operation has failed with `conflict` then. Once for an operation.
    void when_admitted(std::function<void()> begin);
    /// pending or resuming -> running. `conflict` in any other state.
    Result<void> start();
    /// Cancel the token and show `cancelling`. False when it is terminal or was cancelled before.
    bool request_cancel(CancelReason reason);
    /// The work has ended. Whatever it says, an operation whose token was cancelled ends cancelled or timed_out; a
    /// value that came all the same is dropped. The first call wins.
    void finish(Result<std::any> outcome);
    void add_warning(std::string warning);
    /// Numbers by name, for the event log.
    void add_metric(boost::json::object metric);
    /// A line for the event log, with facts beside it.
    void add_log(std::string message, boost::json::object facts = {});
    /// What the record shows as the result where the value itself is not JSON. Before `finish`.
    void set_summary(boost::json::value summary);

    /// Wait for the end; true when it is terminal.
    [[nodiscard]] bool wait_for(std::chrono::nanoseconds timeout);
    /// The value, or why there is none. `conflict` while it still runs, and for one from a store whose value was not
    /// JSON.
    [[nodiscard]] Result<std::any> result();
    /// Events after `query.after`. `invalid_argument` for a bad limit.
    [[nodiscard]] Result<std::vector<OperationEvent>> events(const EventQuery& query) const;
    /// The number of the oldest event that is kept here.
    [[nodiscard]] std::uint64_t first_seq() const;

    /// A listener hears the newest state at once and every later edge; the sampler brings what lies between. One that
    /// is added to a finished operation hears its last state and its end.
    void add_listener(std::shared_ptr<OperationListener> listener);
    /// Nothing new is delivered from then on; a call under way on another thread may still end later.
    void remove_listener(const OperationListener* listener);
    /// True while a listener wants progress or events.
    [[nodiscard]] bool has_listeners() const;
    /// Deliver what is new to the listeners; the io thread's sampler calls it.
    void sample();
    /// Hand progress and events that are new to the store, without waiting for them. False when nothing was new.
    bool save_progress();

    /// Count those for whom it runs: see `OperationWaiter`. `remove_waiter` is true for the last one.
    void add_waiter() noexcept { waiters_.fetch_add(1, std::memory_order_relaxed); }
    [[nodiscard]] bool remove_waiter() noexcept { return waiters_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

    /// Count those who could look at the outcome. When a failure has been read by nobody and the last of them lets go,
    /// one line is logged; an operation that never had one is not missed.
    void retain();
    void release();

private:
    struct Slot {
        std::shared_ptr<OperationListener> listener{};
        bool broken{false};
        /// The newest state when it came; it is not told of older ones.
        std::uint64_t heard{0};
    };
    /// What is still to be told, and to whom.
    struct Delivery {
        enum class Kind { progress, events, end };
        Kind kind{Kind::end};
        std::shared_ptr<const ProgressState> state{};
        std::vector<std::shared_ptr<OperationListener>> listeners{};
    };
    /// A change for the store, and the edge that may be told once it is written; progress announces none.
    struct Change {
        RecordChange change{};
        OperationStatus status{};
        std::uint64_t seq{0};
        bool announces{true};
    };
    struct Edge {
        OperationStatus status{};
        std::uint64_t seq{0};
        bool first{false};
        bool announces{true};
    };

    // Under mutex_.
    [[nodiscard]] OperationStatus seen_status() const;
    void move_to(OperationStatus next);
    void log_event(OperationEventKind kind, boost::json::object data);
    void log_progress(std::shared_ptr<const ProgressState> state);
    void publish_events();
    void notice_cancel();
    void settle(Result<std::any> outcome);
    void announce(OperationStatus status, std::uint64_t seq);
    [[nodiscard]] RecordChange make_change();
    void queue_change(bool announces);
    void note_lost_write(const Error& why);
    void queue_progress();
    void queue_for_all(Delivery::Kind kind, const std::shared_ptr<const ProgressState>& state = {});
    [[nodiscard]] OperationRecord announced_record();
    [[nodiscard]] bool wants(const OperationListener& listener, Delivery::Kind kind) const;

    // Not under mutex_.
    void watch_token();
    void add_event(OperationEventKind kind, boost::json::object data);
    /// Carry out what a change under the lock has queued: steps to the store, news to the listeners.
    void flush();
    void hand_over(const std::shared_ptr<Operation>& self);
    void written(const Edge& edge, const Result<void>& result);
    void refuse(const Error& why);
    /// Empties the queue unless another thread is at it, which then takes what was added.
    void deliver();
    void tell(const Delivery& delivery);
    void drop(const OperationListener& listener, std::string_view why);
    void report_unread_failure();

    const CancellationToken token_;
    const Clock& clock_;
    const std::shared_ptr<OperationStore> store_;
    const std::weak_ptr<OperationHome> home_;
    /// As decided; what others see is `announced_` and events up to `published_`.
    OperationRecord record_;
    ProgressTree progress_;
    mutable std::mutex mutex_;
    std::condition_variable stopped_;
    OperationStatus announced_;
    EventLog log_{};
    std::uint64_t published_{0};
    std::uint64_t stored_seq_{0};
    std::size_t unwritten_edges_{0};
    bool durable_;
    bool first_{true};
    bool admitted_;
    std::function<void()> begin_{};
    /// What the work came to; the error, if there is one, is in the record.
    std::optional<std::any> value_{};
    /// The last pictures, told with the end.
    std::vector<std::shared_ptr<const ProgressState>> last_states_{};
    std::vector<Slot> listeners_{};
    std::vector<Change> changes_{};
    std::vector<Delivery> queue_{};
    bool handing_{false};
    bool delivering_{false};
    std::uint64_t delivered_version_{0};
    std::uint64_t saved_version_{0};
    std::atomic<std::size_t> waiters_{0};
    std::size_t handles_{0};
    bool had_handle_{false};
    bool outcome_read_{false};
    /// Last, so that its callback ends before anything it uses does.
    CancelRegistration cancel_registration_{};
};

}  // namespace ktrdr
