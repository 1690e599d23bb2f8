// What an operation hands its store: records and events in steps, one write at a time, and what waits until one is
// kept.

#include <fmt/format.h>

#include <utility>

#include <ktrdr/base/log.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

StoreStep Operation::make_step() {
    constexpr std::size_t most_events = 10'000;
    StoreStep step;
    record_.last_seq = log_.last_seq();
    step.record = record_;
    if (!is_terminal(record_.status)) {
        step.record.progress = std::make_shared<const ProgressState>(progress_.snapshot());
    }
    step.events = log_.read({stored_seq_, most_events, {}}, record_.last_seq);
    step.first = std::exchange(first_, false);
    stored_seq_ = record_.last_seq;
    return step;
}

void Operation::queue_step(bool announces) {
    unwritten_edges_ += announces ? 1 : 0;
    auto step = make_step();
    const OperationStatus status = step.record.status;
    const std::uint64_t seq = step.record.last_seq;
    steps_.push_back({std::move(step), status, seq, announces});
}

bool Operation::save_progress() {
    {
        const std::scoped_lock lock(mutex_);
        const std::uint64_t version = progress_.version();
        const bool changed = version != std::exchange(saved_version_, version) || log_.last_seq() > stored_seq_;
        if (!durable_ || !admitted_ || is_terminal(record_.status) || !changed) {
            return false;
        }
        queue_step(false);
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
    while (!steps_.empty()) {
        auto batch = std::exchange(steps_, {});
        lock.unlock();
        for (Step& queued : batch) {
            StoreStep step = std::move(queued.step);
            const Edge edge{queued.status, queued.seq, step.first, queued.announces};
            store_->write(std::move(step), [self, edge](const Result<void>& result) { self->written(edge, result); });
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
    record_.warnings.push_back(
        fmt::format("its record in the store is not complete, it ends all the same: {}", why.message));
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
        steps_.clear();
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
