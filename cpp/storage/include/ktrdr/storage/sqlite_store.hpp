#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/operations/store.hpp>
#include <ktrdr/storage/database.hpp>

namespace ktrdr {

class OwnerLock;
class WriteQueue;

/// Something in the file that cannot be what was written.
struct StoreDamage {
    /// Empty where it is none of one operation.
    std::string operation_id{};
    /// Of an event; 0 for the record itself.
    std::uint64_t seq{0};
    std::string what{};
};

/// What was read, and what of it is damaged: of that the first 1000.
struct StoreCheck {
    std::size_t operations{0};
    std::size_t events{0};
    std::vector<StoreDamage> damage{};
};

/// Operations and their events in the file of `Database`, which several processes may share.
///
/// Steps are written on the executor, all that wait in one transaction. A terminal state, once there, never changes. Of
/// progress only the newest picture is kept with each change. What cannot be written within `longest_wait`, because
/// another process holds the lock or the disk is full or slow, is kept in memory, bounded, and shown from there; the
/// caller is told that it is late, and it is written when that is possible (`write_kept`).
/// A process owns what it runs: it holds a byte of the file locked while it lives. `recover` marks what processes
/// without one were running as interrupted; `find` and `list` look too before they show such an operation as running.
class KTRDR_EXPORT SqliteStore final : public OperationStore,
                                       public std::enable_shared_from_this<SqliteStore>,
                                       private Counted<SqliteStore> {
public:
    /// An operation waits no longer for its state to be on the disk.
    static constexpr std::chrono::milliseconds longest_wait{1000};

    [[nodiscard]] static Schema schema() noexcept;
    /// `database` was opened with `schema()`. The executor must run one function at a time and outlive the store.
    [[nodiscard]] static std::shared_ptr<SqliteStore> create(std::shared_ptr<Database> database, Executor& executor,
                                                             const Clock& clock);
    ~SqliteStore() override;

    [[nodiscard]] const std::shared_ptr<Database>& database() const noexcept { return database_; }
    [[nodiscard]] bool durable() const noexcept override { return true; }
    [[nodiscard]] const std::string& owner() const noexcept override { return owner_; }
    void write(RecordChange change, Done done) override;
    void flush() override;
    [[nodiscard]] bool lacks(const std::string& id) override;
    [[nodiscard]] bool write_kept(std::chrono::milliseconds patience) override;
    void answer_late() override;
    [[nodiscard]] Result<std::optional<OperationRecord>> find(const std::string& id) override;
    [[nodiscard]] Result<OperationPage> list(const OperationQuery& query) override;
    [[nodiscard]] Result<std::vector<OperationEvent>> events(const std::string& id, const EventQuery& query) override;
    /// While another process keeps the file locked, or it is full, the request is kept in memory too, and written by
    /// `write_kept`.
    [[nodiscard]] Result<bool> request_cancel(const std::string& id, const CancelReason& reason) override;
    [[nodiscard]] Result<std::vector<CancelRequest>> take_cancel_requests() override;
    /// The one thing here that cannot be kept for later: of two processes that go on with an operation, one has it.
    [[nodiscard]] Result<OperationRecord> claim(const std::string& id) override;
    [[nodiscard]] Result<std::size_t> recover() override;
    /// In transactions of a few milliseconds, between which others write; then space is given back to the disk.
    [[nodiscard]] Result<std::size_t> forget(const Retention& retention, const std::string& type) override;
    /// Forget what the file's retention does not keep, on the executor, a little at a time. The store begins it by
    /// itself too, now and then.
    void keep_house();
    /// What `keep_house` keeps from now on, in every process: it is written into the file, which keeps what
    /// `Retention{}` says until then. Kept in memory as a request for a cancel is. `invalid_argument` as `check` says.
    Result<void> set_retention(const Retention& retention);

    /// Read the whole file: SQLite's own check, then every record, event and request. Errors are damage too, where
    /// something could be read before them. Cost: the size of the file.
    [[nodiscard]] Result<StoreCheck> verify();

private:
    SqliteStore(std::shared_ptr<Database> database, Executor& executor, const Clock& clock);
    struct Flight;
    class StepWriter;
    /// Write what waits; without `patience` as long as an operation waits.
    void drain(std::optional<std::chrono::milliseconds> patience);
    /// False when something could not be written. Under the lock, which it gives back meanwhile.
    [[nodiscard]] bool write_waiting(std::unique_lock<std::mutex>& lock,
                                     std::optional<std::chrono::milliseconds> patience);
    void write_flight(Flight& flight, std::chrono::milliseconds patience);
    /// Under the lock: what of the flight is written, and whom to tell of it.
    void land(Flight& flight);
    /// What is kept in memory, of this operation or of all; the file does not have it yet.
    [[nodiscard]] std::vector<RecordChange> kept(const std::string& id = {}) const;
    /// Inside a transaction: this process is known as an owner.
    [[nodiscard]] Result<void> enter_owner(SQLite::Database& connection);
    struct Requests;
    /// Write what is kept of them; true while something is.
    [[nodiscard]] bool write_requests(std::chrono::milliseconds patience);
    /// How long one that asks may wait: not again where others have waited.
    [[nodiscard]] std::chrono::milliseconds patience_of_request() const;
    [[nodiscard]] Result<bool> keep_cancel(const std::string& id, const CancelReason& reason, const Error& why);
    [[nodiscard]] Result<std::size_t> interrupt(const std::string& dead, std::chrono::milliseconds patience);
    /// As `recover`, for a look that does not wait long: what cannot be marked now is marked at the next one.
    [[nodiscard]] std::size_t recover_quickly();
    [[nodiscard]] Result<std::size_t> recover(std::chrono::milliseconds patience);
    /// One transaction's worth, without a retention by that of the file; false when nothing is left to forget.
    [[nodiscard]] Result<bool> forget_some(std::optional<Retention> retention, const std::string& type,
                                           std::size_t& forgotten);
    /// One step of keeping house; that is over where it answers false, or fails.
    template <class Step>
    void house_step(Step step);
    void house_on(void (SqliteStore::*next)());
    void forget_on_executor();
    void give_back_on_executor();
    void refuse_request(const std::string& id, const std::string& asked);

    const std::shared_ptr<Database> database_;
    Executor& executor_;
    const Clock& clock_;
    const std::string owner_;
    mutable std::mutex mutex_;
    std::condition_variable drained_;
    const std::unique_ptr<WriteQueue> queue_;
    const std::unique_ptr<Requests> requests_;
    bool draining_{false};
    /// Why what is kept could not be written, until it is.
    std::optional<Error> late_{};
    bool keeping_house_{false};
    SteadyTime kept_house_{};
    std::size_t ended_since_{0};
    std::unique_ptr<OwnerLock> lock_{};
    /// Of whoever is draining.
    std::unique_ptr<StepWriter> writer_{};
    bool writer_is_clean_{false};
    std::set<std::string> taken_{};
};

}  // namespace ktrdr
