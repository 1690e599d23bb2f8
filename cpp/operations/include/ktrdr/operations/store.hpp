#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/event.hpp>
#include <ktrdr/operations/record.hpp>

namespace ktrdr {

/// A change of an operation on its way to a store.
struct RecordChange {
    /// What is known after it.
    OperationRecord record{};
    /// What was logged since the change before.
    std::vector<OperationEvent> events{};
    /// The operation's first change: an id that is taken is `conflict`.
    bool first{false};
};

/// A place in a list, behind an operation. As text it is opaque to clients.
struct OperationCursor {
    UtcTime created{};
    std::string id{};
    friend bool operator==(const OperationCursor&, const OperationCursor&) = default;
};

[[nodiscard]] KTRDR_EXPORT std::string to_string(const OperationCursor& cursor);
/// What `to_string` made. `invalid_argument` for anything else.
[[nodiscard]] KTRDR_EXPORT Result<OperationCursor> cursor_from(std::string_view text);

/// Which operations to list. Newest first.
struct OperationQuery {
    /// Those in one of these states; empty for all.
    std::vector<OperationStatus> statuses{};
    std::string type{};
    std::string parent_id{};
    /// Those that are not terminal and not interrupted.
    bool active_only{false};
    /// 1 to 1000.
    std::size_t limit{100};
    /// At most 10000: a list is walked by its cursor.
    std::size_t offset{0};
    /// Those behind this place.
    std::optional<OperationCursor> cursor{};
};

struct OperationPage {
    std::vector<OperationRecord> records{};
    /// How many match, on all pages.
    std::size_t total{0};
    /// How many of all operations are active, matching or not.
    std::size_t active{0};
    /// Where the next page begins; none on the last.
    std::optional<OperationCursor> next{};
};

/// Which events to read: those after `after`, oldest first.
struct EventQuery {
    std::uint64_t after{0};
    /// 1 to 10000.
    std::size_t limit{1000};
    std::optional<OperationEventKind> kind{};
};

/// A cancel that another process asked for.
struct CancelRequest {
    std::string id{};
    CancelReason reason{};
};

/// How long finished operations are kept.
struct Retention {
    /// Of one type, at least 1; the oldest go first.
    std::size_t max_count{10'000};
    /// Must be positive.
    std::chrono::hours max_age{24 * 90};
    /// About how much records and events of all types take together, at least 1 MiB; the oldest go first, but never the
    /// newest ten. Only where all types are meant.
    std::size_t max_bytes{std::size_t{256} << 20};
};

/// The numbers, checked: `invalid_argument` naming the field and its range.
[[nodiscard]] KTRDR_EXPORT Result<void> check(const OperationQuery& query);
[[nodiscard]] KTRDR_EXPORT Result<void> check(const EventQuery& query);
[[nodiscard]] KTRDR_EXPORT Result<void> check(const Retention& retention);
/// The conditions, whatever the page.
[[nodiscard]] KTRDR_EXPORT bool matches(const OperationQuery& query, const OperationRecord& record);
/// The order of lists: newest first, of one moment the greater id.
[[nodiscard]] KTRDR_EXPORT bool listed_before(const OperationCursor& a, const OperationCursor& b) noexcept;
[[nodiscard]] KTRDR_EXPORT OperationCursor place_of(const OperationRecord& record);
/// Sort what may be on the page, and cut it out: behind the cursor, after the offset, with the place of the next.
KTRDR_EXPORT void cut_page(const OperationQuery& query, OperationPage& page);

/// Where operations are kept beyond their lives.
///
/// Errors: as `storage…`; what was stored before is still there.
/// Thread safety: every member from any thread.
class KTRDR_EXPORT OperationStore {
public:
    using Done = std::function<void(const Result<void>&)>;
    virtual ~OperationStore() = default;

    /// True where a change survives the process: an operation then tells nobody of an edge before it is written. Else
    /// only terminal steps are handed in.
    [[nodiscard]] virtual bool durable() const noexcept = 0;
    /// The name under which this process owns its operations; empty when there are no others.
    [[nodiscard]] virtual const std::string& owner() const noexcept = 0;
    /// Write a change; a terminal one survives a power cut. `done` is called exactly once, inside this call, on the
    /// store's thread or in `answer_late`, when the change is there, cannot be, or is late: then it may be kept and
    /// written when that is possible, which `lacks` tells. Changes are written in the order in which they came.
    virtual void write(RecordChange change, Done done) = 0;
    /// Wait for what was handed in before, as far as it can be written.
    virtual void flush() = 0;
    /// After a failed `write`: true while something of the operation is not there, kept or lost.
    [[nodiscard]] virtual bool lacks(const std::string& /*id*/) { return true; }
    /// Try once more to write what is kept, waiting `patience` for a lock of others; true while something is kept. Call
    /// it on the store's thread.
    [[nodiscard]] virtual bool write_kept(std::chrono::milliseconds /*patience*/) { return false; }
    /// Answer the changes that have waited for the disk longer than an operation should. From any thread but the
    /// store's, which may be the one that waits.
    virtual void answer_late() {}

    [[nodiscard]] virtual Result<std::optional<OperationRecord>> find(const std::string& id) = 0;
    [[nodiscard]] virtual Result<OperationPage> list(const OperationQuery& query) = 0;
    [[nodiscard]] virtual Result<std::vector<OperationEvent>> events(const std::string& id,
                                                                     const EventQuery& query) = 0;

    /// Leave a request for the process that runs the operation. False when nothing is there to cancel or it was asked
    /// for before.
    [[nodiscard]] virtual Result<bool> request_cancel(const std::string& id, const CancelReason& reason) = 0;
    /// Requests of other processes for operations of this one, each once.
    [[nodiscard]] virtual Result<std::vector<CancelRequest>> take_cancel_requests() = 0;
    /// Take over an interrupted operation: it is `resuming`, owned by this process, one attempt further.
    /// `not_found`, or `conflict` when it is not interrupted or not resumable.
    [[nodiscard]] virtual Result<OperationRecord> claim(const std::string& id) = 0;
    /// Mark what dead processes were running as `interrupted`; how many.
    [[nodiscard]] virtual Result<std::size_t> recover() = 0;
    /// Forget finished operations of this type, or of all types without rules of their own; how many.
    [[nodiscard]] virtual Result<std::size_t> forget(const Retention& retention, const std::string& type) = 0;
};

}  // namespace ktrdr
