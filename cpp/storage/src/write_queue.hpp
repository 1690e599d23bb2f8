#pragma once

#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/operations/store.hpp>

namespace ktrdr {

/// Changes on their way to the file, in order. Those whose caller was told that they are late are kept, one entry an
/// operation: its newest record and what was logged.
///
/// Thread safety: none; the store's lock guards it. A flight's changes do not move until it has ended.
/// Errors: what runs out of memory leaves everybody who waits where he was, and every change.
/// Cost: of what is kept at most `most_operations` records, and for each `most_events` events, of all `most_in_all`.
class WriteQueue final {
public:
    using Done = OperationStore::Done;
    using Dones = std::vector<Done>;

    static constexpr std::size_t most_operations = 10'000;
    static constexpr std::size_t most_events = 2'000;
    static constexpr std::size_t most_in_all = 100'000;

    struct Flying {
        const RecordChange* change{};
        /// Who waits for it, now.
        const Dones* dones{};
        /// Nothing of its operation was lost before.
        bool complete{true};
    };

    /// Null for `done` when its caller is told at once. False when there is no room: the change is lost.
    [[nodiscard]] bool push(RecordChange change, Done done, SteadyTime now);
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty() && flight_.empty(); }

    /// The next changes to write, at most so many; none while others are under way.
    [[nodiscard]] std::vector<Flying> take_off(std::size_t most);
    /// They are written, or never can be: whom to tell of each is put into `dones`, which has room for them.
    void land(std::vector<Dones>& dones) noexcept;
    /// They were not written, and nobody was told: they wait again, in their place.
    void put_back() noexcept { waiting_.splice(waiting_.begin(), flight_); }
    /// They could not be written now: all that waits is kept. Who is still to be told.
    [[nodiscard]] Dones keep();
    /// Who has waited since `since` or longer; their changes count as kept.
    [[nodiscard]] Dones take_overdue(SteadyTime since);

    /// Something of the operation is kept, or was lost for want of room.
    [[nodiscard]] bool lacks(const std::string& id) const;
    void lose(const std::string& id);
    /// What is kept, oldest change first.
    [[nodiscard]] std::vector<const RecordChange*> kept() const;
    [[nodiscard]] const RecordChange* kept(const std::string& id) const;

private:
    struct Entry {
        RecordChange change{};
        Dones dones{};
        SteadyTime since{};
        /// Somebody was told that it is late.
        bool kept{false};
    };
    using Place = std::list<Entry>::iterator;

    /// Add a newer change of the same operation.
    void merge(Entry& into, RecordChange&& newer);
    /// Make it the one that newer changes are added to, or add it to that; it is gone then.
    void keep(Place entry);
    /// Empty, with room for everybody who waits.
    [[nodiscard]] Dones room_for_all() const;
    void index(Place entry);
    /// Leave out what there is no room for.
    void count_in(RecordChange& change) noexcept;

    std::list<Entry> flight_{};
    std::list<Entry> waiting_{};
    /// Those of `waiting_` that newer changes of the same operation are added to.
    std::unordered_map<std::string, Place> by_id_{};
    std::size_t kept_events_{0};
    std::unordered_set<std::string> lost_{};
};

}  // namespace ktrdr
