// What an operation hands its store: records and events in changes, one write at a time, and what waits until one is
// kept.

#include <fmt/format.h>

#include <utility>

#include <ktrdr/base/log.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

RecordChange Operation::make_change() {
    constexpr std::size_t most_events = 10'000;
    RecordChange change;
    record_.last_seq = log_.last_seq();
    change.record = record_;
    // The store knows what it has lost; what is only late is whole once this is written.
    change.record.durable = true;
    if (!is_terminal(record_.status)) {
        change.record.progress = std::make_shared<const ProgressState>(progress_.snapshot());
    }
    change.events = log_.read({stored_seq_, most_events, {}}, record_.last_seq);
    change.first = std::exchange(first_, false);
    stored_seq_ = record_.last_seq;
    return change;
}

void Operation::queue_change(bool announces) {
    unwritten_edges_ += announces ? 1 : 0;
    auto change = make_change();
    const OperationStatus status = change.record.status;
    const std::uint64_t seq = change.record.last_seq;
    changes_.push_back({std::move(change), status, seq, announces});
}

bool Operation::save_progress() {
    {
        const std::scoped_lock lock(mutex_);
        const std::uint64_t version = progress_.version();
        const bool changed = version != std::exchange(saved_version_, version) || log_.last_seq() > stored_seq_;
        if (!durable_ || !admitted_ || is_terminal(record_.status) || !changed) {
            return false;
        }
        queue_change(false);
    }
    flush();
    return true;
}

void Operation::flush() {
    // To the end: the last handle may be let go of meanwhile. Null while it is being destroyed, which waits for us
    // then.
    const auto self = weak_from_this().lock();
    hand_over(self);
    report_unread_failure();
    deliver();
}

void Operation::hand_over(const std::shared_ptr<Operation>& self) {
    std::unique_lock lock(mutex_);
    // While it is being destroyed nobody waits for what it would write.
    if (!self || std::exchange(handing_, true)) {
        return;
    }
    while (!changes_.empty()) {
        auto batch = std::exchange(changes_, {});
        lock.unlock();
        for (Change& queued : batch) {
            RecordChange change = std::move(queued.change);
            const Edge edge{queued.status, queued.seq, change.first, queued.announces};
            store_->write(std::move(change), [self, edge](const Result<void>& result) { self->written(edge, result); });
        }
        lock.lock();
    }
    handing_ = false;
}

void Operation::written(const Edge& edge, const Result<void>& result) {
    if (edge.first && !result && result.error().code == Errc::conflict) {
        refuse(result.error());
        return;
    }
    std::function<void()> begin;
    {
        const std::scoped_lock lock(mutex_);
        if (edge.announces) {
            --unwritten_edges_;
        }
        if (!result) {
            note_lost_write(result.error());
        }
        if (edge.announces && !is_terminal(announced_)) {
            announce(edge.status, edge.seq);
        }
        if (edge.first) {
            admitted_ = true;
            begin = std::exchange(begin_, nullptr);
        }
    }
    if (begin) {
        begin();
    }
    flush();
}

void Operation::note_lost_write(const Error& why) {
    if (!std::exchange(record_.durable, false)) {
        return;
    }
    record_.warnings.push_back(fmt::format("it goes on before its state is in the store: {}", why.message));
    log(LogLevel::warning, "operations", record_.warnings.back(), id());
    if (!is_terminal(record_.status)) {
        log_event(OperationEventKind::warning, {{"message", record_.warnings.back()}});
    }
}

// The id belongs to another process. What is in the store is not ours, so nothing more goes there.
void Operation::refuse(const Error& why) {
    std::function<void()> dropped;
    {
        const std::scoped_lock lock(mutex_);
        durable_ = false;
        unwritten_edges_ = 0;
        changes_.clear();
        dropped = std::exchange(begin_, nullptr);
        if (is_terminal(record_.status)) {
            announce(record_.status, log_.last_seq());
        } else {
            record_.durable = false;
            announce(record_.status, log_.last_seq());
            settle(failed(why));
        }
    }
    flush();
}

}  // namespace ktrdr
