#pragma once

#include <deque>
#include <map>
#include <mutex>

#include <ktrdr/operations/store.hpp>

namespace ktrdr {

/// Finished operations of this process, the newest ones. Nothing survives the process.
///
/// Cost: `max_count` records and their events.
class KTRDR_EXPORT MemoryStore : public OperationStore {
public:
    explicit MemoryStore(std::size_t max_count = 1000) : max_count_(max_count) {}

    [[nodiscard]] bool durable() const noexcept override { return false; }
    [[nodiscard]] const std::string& owner() const noexcept override { return owner_; }
    void write(RecordChange change, Done done) override;
    void flush() override {}
    [[nodiscard]] Result<std::optional<OperationRecord>> find(const std::string& id) override;
    [[nodiscard]] Result<OperationPage> list(const OperationQuery& query) override;
    [[nodiscard]] Result<std::vector<OperationEvent>> events(const std::string& id, const EventQuery& query) override;
    [[nodiscard]] Result<bool> request_cancel(const std::string& id, const CancelReason& reason) override;
    [[nodiscard]] Result<std::vector<CancelRequest>> take_cancel_requests() override;
    [[nodiscard]] Result<OperationRecord> claim(const std::string& id) override;
    [[nodiscard]] Result<std::size_t> recover() override;
    [[nodiscard]] Result<std::size_t> forget(const Retention& retention, const std::string& type) override;

private:
    struct Entry {
        OperationRecord record{};
        std::vector<OperationEvent> events{};
    };
    const std::string owner_{};
    const std::size_t max_count_;
    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_{};
    /// Oldest first.
    std::deque<std::string> order_{};
};

}  // namespace ktrdr
