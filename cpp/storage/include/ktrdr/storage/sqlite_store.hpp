#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
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

/// Operations and their events in the file of `Database`, which several processes may share.
///
/// Steps are written on the executor, all that wait in one transaction. A terminal state, once there, never changes. Of
/// progress only the newest picture is kept with each change.
/// A process owns what it runs: it holds a byte of the file locked while it lives. `recover` marks what processes
/// without one were running as interrupted; `find` and `list` look too before they show such an operation as running.
class KTRDR_EXPORT SqliteStore final : public OperationStore,
                                       public std::enable_shared_from_this<SqliteStore>,
                                       private Counted<SqliteStore> {
public:
    [[nodiscard]] static Schema schema() noexcept;
    /// `database` was opened with `schema()`. The executor must run one function at a time and outlive the store.
    [[nodiscard]] static std::shared_ptr<SqliteStore> create(std::shared_ptr<Database> database, Executor& executor,
                                                             const Clock& clock);
    ~SqliteStore() override;

    [[nodiscard]] bool durable() const noexcept override { return true; }
    [[nodiscard]] const std::string& owner() const noexcept override { return owner_; }
    void write(RecordChange change, Done done) override;
    void flush() override;
    [[nodiscard]] Result<std::optional<OperationRecord>> find(const std::string& id) override;
    [[nodiscard]] Result<OperationPage> list(const OperationQuery& query) override;
    [[nodiscard]] Result<std::vector<OperationEvent>> events(const std::string& id, const EventQuery& query) override;
    [[nodiscard]] Result<bool> request_cancel(const std::string& id, const CancelReason& reason) override;
    [[nodiscard]] Result<std::vector<CancelRequest>> take_cancel_requests() override;
    [[nodiscard]] Result<OperationRecord> claim(const std::string& id) override;
    [[nodiscard]] Result<std::size_t> recover() override;
    [[nodiscard]] Result<std::size_t> forget(const Retention& retention, const std::string& type) override;

private:
    struct Queued {
        RecordChange change{};
        Done done{};
    };
    SqliteStore(std::shared_ptr<Database> database, Executor& executor, const Clock& clock);
    void drain();
    [[nodiscard]] Result<void> write_batch(const std::vector<Queued>& batch, std::vector<Result<void>>& results);
    /// Inside a transaction: this process is known as an owner.
    [[nodiscard]] Result<void> enter_owner(SQLite::Database& connection);
    [[nodiscard]] Result<std::size_t> interrupt(const std::string& dead);

    const std::shared_ptr<Database> database_;
    Executor& executor_;
    const Clock& clock_;
    const std::string owner_;
    std::mutex mutex_;
    std::condition_variable drained_;
    std::vector<Queued> queue_{};
    bool draining_{false};
    std::unique_ptr<OwnerLock> lock_{};
    std::set<std::string> taken_{};
};

}  // namespace ktrdr
