#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/event.hpp>
#include <ktrdr/operations/store.hpp>

namespace ktrdr {

/// The newest events of one operation, numbered without a gap.
///
/// When it is full, progress goes first: of that the newest picture says all. Then the oldest goes.
/// Thread safety: none; its operation's lock guards it.
/// Cost: memory for `limit` events at most.
class KTRDR_EXPORT EventLog final {
public:
    /// `last_seq`: the newest number of the attempt before.
    explicit EventLog(std::uint64_t last_seq = 0, std::size_t limit = 2000) : last_seq_(last_seq), limit_(limit) {}

    void append(OperationEvent event);
    [[nodiscard]] std::uint64_t last_seq() const noexcept { return last_seq_; }
    /// The oldest number that is kept; one after the newest when nothing is.
    [[nodiscard]] std::uint64_t first_seq() const noexcept {
        return events_.empty() ? last_seq_ + 1 : events_.front().seq;
    }
    /// Events after `query.after` up to `until`, oldest first.
    [[nodiscard]] std::vector<OperationEvent> read(const EventQuery& query, std::uint64_t until) const;

private:
    void thin();

    std::uint64_t last_seq_;
    const std::size_t limit_;
    std::vector<OperationEvent> events_{};
};

}  // namespace ktrdr
