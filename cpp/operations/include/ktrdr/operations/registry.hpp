#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/cancellation/system.hpp>
#include <ktrdr/operations/memory_store.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// A kind of operation that can be made again from its parameters.
struct OperationKind {
    std::string type{};
    /// An interrupted one can go on under its id.
    bool resumable{false};
    /// Start one. `spec` has type and parameters, and for a resumption its id.
    std::function<Result<std::shared_ptr<Operation>>(OperationSpec spec)> start{};
};

/// Every operation of the process that is alive, and the stores that know the others.
///
/// Thread safety: every member from any thread.
/// Lifetime: must outlive its operations' ends (the runtime is never destroyed).
class KTRDR_EXPORT OperationRegistry final {
public:
    /// `store` keeps operations that name none; without one the newest finished ones stay in memory.
    OperationRegistry(Executor& io, TimerQueue& timers, const Clock& clock,
                      std::shared_ptr<OperationStore> store = nullptr);
    OperationRegistry(const OperationRegistry&) = delete;
    OperationRegistry& operator=(const OperationRegistry&) = delete;
    ~OperationRegistry();

    /// A new pending operation, cancelled with its parent operation, and with `parent` too. The same id with the same
    /// type and parameters answers the operation that is there (`created` false); with others it is `conflict`. A bad
    /// id, type or timeout is `invalid_argument`, a parent that does not run `not_found`. With `spec.resume` the
    /// interrupted operation goes on, or `conflict` says why not.
    struct Created {
        std::shared_ptr<Operation> operation{};
        bool created{true};
    };
    [[nodiscard]] Result<Created> create(OperationSpec spec, const CancellationToken& parent = {},
                                         std::optional<std::chrono::nanoseconds> timeout = std::nullopt);

    /// One that is alive, or ended and still held by somebody. Null for others: see `record`.
    [[nodiscard]] std::shared_ptr<Operation> find(const std::string& id) const;
    /// Those that are alive, newest first.
    [[nodiscard]] std::vector<std::shared_ptr<Operation>> live() const;

    /// What is known of an operation, alive or stored. `not_found`.
    [[nodiscard]] Result<OperationRecord> record(const std::string& id) const;
    [[nodiscard]] Result<OperationPage> list(const OperationQuery& query) const;
    [[nodiscard]] Result<std::vector<OperationEvent>> events(const std::string& id, const EventQuery& query) const;
    /// Those of this run, whoever has its id by now.
    [[nodiscard]] static Result<std::vector<OperationEvent>> events(Operation& operation, const EventQuery& query);

    /// Cancel one of this process, or ask the process that runs it. False when that was asked for before; `not_found`;
    /// `conflict` for one that is over.
    [[nodiscard]] Result<bool> cancel(const std::string& id, const CancelReason& reason);
    [[nodiscard]] TimerQueue& timers() const noexcept { return timers_; }
    [[nodiscard]] const Clock& clock() const noexcept { return clock_; }
    /// One of this process, else one of a store that has ended, as it was. Null for one that runs elsewhere.
    [[nodiscard]] Result<std::shared_ptr<Operation>> handle(const std::string& id) const;
    /// The tokens of those that are alive; `cancel_all` of it asks all of them to stop.
    [[nodiscard]] CancellationSystem& tokens() noexcept { return tokens_; }

    /// Make this kind known; the last one of a type counts.
    void register_kind(OperationKind kind);
    /// The record of an ended operation that can be made again. `conflict` says why not.
    [[nodiscard]] Result<OperationRecord> check_retry(const std::string& id) const;
    /// The record of an interrupted operation that can go on. `conflict` says why not.
    [[nodiscard]] Result<OperationRecord> check_resume(const std::string& id) const;
    /// The same request once more, as a new operation. `conflict` too for a kind that is not registered.
    [[nodiscard]] Result<std::shared_ptr<Operation>> retry(const std::string& id);
    /// The interrupted operation goes on.
    [[nodiscard]] Result<std::shared_ptr<Operation>> resume(const std::string& id);

    /// Know this store's operations too, as long as somebody else keeps the store; twice is once.
    void attach(const std::shared_ptr<OperationStore>& store);
    /// Where operations that name no store are kept from now on.
    void set_default_store(std::shared_ptr<OperationStore> store);
    [[nodiscard]] std::shared_ptr<OperationStore> default_store() const;
    /// For operations that leave nothing on disk, whatever the default store: memory for the newest that finished.
    [[nodiscard]] const std::shared_ptr<OperationStore>& memory() const noexcept { return memory_; }

    /// Sample every live operation that somebody listens to; true when there is one (so the sampler goes on).
    bool sample();
    /// Hand progress to durable stores, write what they have kept, and take up cancels that other processes asked for.
    /// Reads and writes the stores: call it on their thread. True while an operation of a durable store is alive or
    /// something is kept (so it is to be called again).
    bool tend();
    /// Let operations go on that have waited for the disk long enough. On another thread than `tend`, as often.
    void answer_late();
    /// The last try of what is kept, waiting so long for a lock. On the stores' thread.
    void write_kept(std::chrono::milliseconds patience);

    /// Look for processes that have died, in every store that others may use: what they were running is interrupted
    /// then. On the stores' thread. False when there is no such store (so it is not to be called again).
    bool watch_owners();

private:
    class Home;
    using Stores = std::vector<std::shared_ptr<OperationStore>>;

    /// Where an operation is known: here, else the store that has it and what that says.
    struct Known {
        std::shared_ptr<Operation> operation{};
        std::shared_ptr<OperationStore> store{};
        OperationRecord record{};
    };

    [[nodiscard]] static Result<Created> same_request(const OperationRecord& record, std::shared_ptr<Operation> there,
                                                      const OperationSpec& spec);
    [[nodiscard]] Result<CancellationToken> make_token(const OperationSpec& spec, const CancellationToken& parent,
                                                       std::optional<std::chrono::nanoseconds> timeout) const;
    /// `not_found`.
    [[nodiscard]] Result<Known> locate(const std::string& id) const;
    /// As `record`; `storage` for one that is damaged, from which nothing can be made again.
    [[nodiscard]] Result<OperationRecord> sound_record(const std::string& id) const;
    /// What a store knows of the id that the caller chose.
    [[nodiscard]] Result<std::optional<OperationRecord>> stored(const OperationSpec& spec) const;
    [[nodiscard]] Result<std::shared_ptr<Operation>> start_again(OperationSpec spec);
    [[nodiscard]] Stores stores() const;
    void ended(const std::string& id);

    Executor& io_;
    TimerQueue& timers_;
    const Clock& clock_;
    const std::shared_ptr<Home> home_;
    CancellationSystem tokens_{};
    mutable std::mutex mutex_;
    /// By their own ids.
    std::unordered_map<std::string_view, std::shared_ptr<Operation>> live_{};
    /// Ended, and perhaps held by somebody.
    std::unordered_map<std::string, std::weak_ptr<Operation>> ended_{};
    std::size_t sweep_at_{64};
    const std::shared_ptr<OperationStore> memory_;
    std::shared_ptr<OperationStore> default_store_;
    std::vector<std::weak_ptr<OperationStore>> stores_{};
    /// Those that keep something that could not be written.
    Stores late_stores_{};
    std::map<std::string, OperationKind> kinds_{};
};

}  // namespace ktrdr
