#include <ktrdr/operations/operation.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <ktrdr/base/log.hpp>

namespace ktrdr {
namespace {

/// Longer waits are as good as for ever, and adding them to a time point would overflow.
constexpr std::chrono::nanoseconds longest = std::chrono::hours(24 * 365);

OperationRecord first_record(OperationSpec spec, const Clock& clock) {
    OperationRecord record;
    record.id = std::move(spec.id);
    record.type = std::move(spec.type);
    record.parent_id = std::move(spec.parent_id);
    record.parameters = std::move(spec.parameters);
    record.created = clock.utc_now();
    return record;
}

OperationStatus final_status(const Result<std::any>& outcome) {
    if (outcome) {
        return OperationStatus::completed;
    }
    switch (outcome.error().code) {
        case Errc::cancelled: return OperationStatus::cancelled;
        case Errc::timed_out: return OperationStatus::timed_out;
        default: return OperationStatus::failed;
    }
}

}  // namespace

Operation::Operation(OperationSpec spec, CancellationToken token, const Clock& clock)
    : id_(spec.id),
      token_(std::move(token)),
      clock_(clock),
      progress_(id_, clock),
      record_(first_record(std::move(spec), clock)) {
    cancel_registration_ = token_.on_cancel([this](const CancelReason&) {
        const std::scoped_lock lock(mutex_);
        notice_cancel();
    });
}

OperationStatus Operation::status() const {
    const std::scoped_lock lock(mutex_);
    return seen_status();
}

// The token's callback comes a moment after the cancel; a reader does not have to wait for it.
OperationStatus Operation::seen_status() const {
    const bool stopping = !is_terminal(record_.status) && token_.is_cancelled();
    return stopping ? OperationStatus::cancelling : record_.status;
}

OperationRecord Operation::record() {
    const std::scoped_lock lock(mutex_);
    if (!is_terminal(record_.status)) {
        notice_cancel();
        record_.progress = progress_.snapshot();
    }
    return record_;
}

Result<void> Operation::start() {
    const std::scoped_lock lock(mutex_);
    if (const OperationStatus now = seen_status(); now != OperationStatus::pending) {
        return fail(Errc::conflict,
                    fmt::format("operation {} cannot be started: it is {}, not pending", id_, to_string(now)),
                    {{"operation_id", id_}, {"status", to_string(now)}});
    }
    move_to(OperationStatus::running);
    record_.started = clock_.utc_now();
    return {};
}

bool Operation::request_cancel(CancelReason reason) {
    // Under the lock, so that a finish cannot come between the look and the cancel. Tokens only post from here.
    const std::scoped_lock lock(mutex_);
    if (is_terminal(record_.status) || !token_.cancel(std::move(reason))) {
        return false;
    }
    notice_cancel();
    return true;
}

void Operation::notice_cancel() {
    if (is_terminal(record_.status) || record_.status == OperationStatus::cancelling || !token_.is_cancelled()) {
        return;
    }
    move_to(OperationStatus::cancelling);
    record_.cancel_requested = clock_.utc_now();
    record_.reason = token_.reason();
}

void Operation::move_to(OperationStatus next) {
    if (!may_follow(record_.status, next)) {
        throw ErrorException(fail(Errc::internal, fmt::format("operation {} cannot go from {} to {}", id_,
                                                              to_string(record_.status), to_string(next))));
    }
    record_.status = next;
}

void Operation::finish(Result<std::any> outcome) {
    {
        const std::scoped_lock lock(mutex_);
        if (is_terminal(record_.status)) {
            return;
        }
        settle(std::move(outcome));
        auto edges = progress_.take_edges();
        if (edges.empty()) {
            // The work called `finish` on its progress, and a sampler has taken that edge.
            edges.push_back(progress_.snapshot());
        }
        record_.progress = edges.back();
        for (auto& edge : edges) {
            queue_for_all(std::move(edge));
        }
        queue_for_all(std::nullopt);
    }
    stopped_.notify_all();
    deliver();
}

void Operation::settle(Result<std::any> outcome) {
    const UtcTime now = clock_.utc_now();
    notice_cancel();
    if (record_.status == OperationStatus::cancelling) {
        record_.cancel_observed = now;
        outcome = failed(cancelled_error(*record_.reason, fmt::format("operation {} ({})", id_, record_.type)));
    } else if (record_.status == OperationStatus::pending && outcome) {
        move_to(OperationStatus::running);
        record_.started = now;
    }
    move_to(final_status(outcome));
    record_.stopped = now;
    if (outcome) {
        progress_.finish();
    } else {
        record_.error = outcome.error();
        progress_.close(outcome.error().message);
    }
    log(LogLevel::debug, "operations",
        fmt::format("{} {}: {}", record_.type, to_string(record_.status), outcome ? "done" : outcome.error().message),
        id_);
    outcome_.emplace(std::move(outcome));
}

void Operation::add_warning(std::string warning) {
    const std::scoped_lock lock(mutex_);
    record_.warnings.push_back(std::move(warning));
}

bool Operation::wait_for(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(mutex_);
    return stopped_.wait_for(lock, std::min(timeout, longest), [this] { return is_terminal(record_.status); });
}

Result<std::any> Operation::result() const {
    const std::scoped_lock lock(mutex_);
    if (!outcome_) {
        return failed(fail(Errc::conflict,
                           fmt::format("operation {} has no result yet: it is {}", id_, to_string(seen_status())),
                           {{"operation_id", id_}, {"status", to_string(seen_status())}}));
    }
    return *outcome_;
}

}  // namespace ktrdr
