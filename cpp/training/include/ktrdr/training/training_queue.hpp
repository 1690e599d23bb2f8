#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Where a training stands in a `TrainingQueue`.
struct QueuePlace {
    std::string operation_id{};
    std::int64_t priority{0};
    /// From 1 for those that wait, in the order in which they will begin; 0 while it runs.
    std::size_t place{0};
    /// How much it takes at its peak, as far as that was told.
    std::uint64_t memory_bytes{0};
    /// Of one that waits: "waits for …".
    std::string reason{};

    friend bool operator==(const QueuePlace&, const QueuePlace&) = default;
};

/// How much memory a training takes at its peak.
struct MemoryNeed {
    std::uint64_t own_bytes{0};
    /// What trainings of the same `shared_key` take together; an empty key is nobody else's.
    std::uint64_t shared_bytes{0};
    std::string shared_key{};

    [[nodiscard]] std::uint64_t total() const noexcept { return own_bytes + shared_bytes; }
};

/// What all that run together may take.
struct QueueLimits {
    /// Trainings at once. At least 1.
    std::size_t sessions{1};
    /// Bytes; 0: no limit.
    std::uint64_t memory_bytes{0};

    friend bool operator==(const QueueLimits&, const QueueLimits&) = default;
};

/// Which trainings of a process run, and which wait until one of those has ended: never more at once than the limits
/// allow, the highest priority begins first, and within one priority who came first.
///
/// One that does not fit into the memory that is left is passed over by smaller ones. Nobody is passed over for ever:
/// after nine in a row that began before the one that has waited longest, the next to begin is that one, whatever its
/// priority, and the others wait until it fits. One that is larger than the limit begins only when nothing else runs.
///
/// It decides; what a training does is the business of `Entry::begin`. Whoever has entered leaves once, whatever ended
/// it, and from wherever it stands.
///
/// Thread safety: `enter`, `leave` and `look_again` from the io thread; the rest from any thread. Functions of entries
/// are called inside those three, without a lock, and may call them.
/// Cost: each of them tells every training that waits its place.
class KTRDR_EXPORT TrainingQueue final {
public:
    /// So many begin before the one that has waited longest, at most.
    static constexpr std::size_t turns_before_oldest = 9;

    using Number = std::uint64_t;
    struct Entry {
        std::string operation_id{};
        std::int64_t priority{0};
        /// It is its turn; called once, unless it leaves before.
        std::function<void()> begin{};
        /// It waits now at that place of `length`, for that reason.
        std::function<void(const QueuePlace& place, std::size_t length)> moved{};
        MemoryNeed memory{};
    };

    /// Throws for limits without a session.
    explicit TrainingQueue(QueueLimits limits);

    [[nodiscard]] QueueLimits limits() const;
    /// Those that run go on; `look_again` has those begin that may now.
    void set_limits(QueueLimits limits);
    /// Under which number somebody enters; rising, so it is also the order of arrival. Nobody who came later begins
    /// until that one has entered, or left without.
    [[nodiscard]] Number take_number();
    void enter(Number number, Entry entry);
    /// False for one that is not here (any more).
    bool leave(Number number);
    void look_again();
    /// Those that run in the order of their arrival, then those that wait in the order of their turn.
    [[nodiscard]] std::vector<QueuePlace> places() const;

private:
    /// The order of turns.
    struct Turn {
        std::int64_t priority{0};
        Number number{0};

        friend bool operator<(const Turn& a, const Turn& b) {
            return a.priority != b.priority ? a.priority > b.priority : a.number < b.number;
        }
    };
    struct Running {
        QueuePlace place{};
        MemoryNeed memory{};
    };
    using Waiting = std::map<Turn, Entry>;

    void admit();
    void tell_places();
    /// These under the lock. Who begins next; the end where nobody may.
    [[nodiscard]] Waiting::iterator next();
    [[nodiscard]] Waiting::const_iterator oldest() const;
    /// What those that run would take with one more.
    [[nodiscard]] std::uint64_t memory_with(const MemoryNeed& need) const;
    [[nodiscard]] bool fits(const MemoryNeed& need) const;
    [[nodiscard]] std::string reason_of(const Entry& entry) const;
    [[nodiscard]] QueuePlace place_of(const Entry& entry, std::size_t place) const;

    mutable std::mutex mutex_;
    QueueLimits limits_;
    Number last_{0};
    /// How many have begun in a row before the one that has waited longest.
    std::size_t passed_over_{0};
    /// Those that have a number and have not entered yet.
    std::set<Number> coming_{};
    std::map<Number, Running> running_{};
    Waiting waiting_{};
};

}  // namespace ktrdr
