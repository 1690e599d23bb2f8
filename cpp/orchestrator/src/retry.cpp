#include <ktrdr/orchestrator/retry.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <random>
#include <utility>

namespace ktrdr {
namespace {

double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

Error refused(std::string_view field, double value, std::string_view rule) {
    return fail(Errc::invalid_argument, fmt::format("{} must be {}, not {}", field, rule, value),
                {{"argument", field}});
}

double chance() {
    thread_local std::minstd_rand generator{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(generator);
}

/// One operation's tries. Keeps itself alive through what it waits for.
class Tries final : public std::enable_shared_from_this<Tries> {
public:
    Tries(OperationWork work, const RetryOptions& options, TimerQueue& timers, const Clock& clock,
          std::shared_ptr<Operation> operation, OperationDone done)
        : work_(std::move(work)),
          options_(options),
          timers_(timers),
          clock_(clock),
          operation_(std::move(operation)),
          done_(std::move(done)) {}

    void attempt() {
        ++attempts_;
        work_(operation_, [self = shared_from_this()](Result<std::any> outcome) { self->ended(std::move(outcome)); });
    }

private:
    void ended(Result<std::any> outcome) {
        if (outcome || !is_retryable(outcome.error().code) || attempts_ >= options_.max_attempts ||
            operation_->token().is_cancelled()) {
            end(std::move(outcome));
            return;
        }
        const auto delay = retry_delay(options_, attempts_, chance());
        operation_->add_warning(fmt::format("try {} of {} failed ({}); the next one is in {:.1f} s", attempts_,
                                            options_.max_attempts, outcome.error().message, seconds(delay)));
        // Whichever comes first needs the lock, and so finds both in place.
        const std::scoped_lock lock(mutex_);
        waiting_ = true;
        timer_ = timers_.schedule_at(clock_.now() + delay, [self = shared_from_this()] {
            if (self->stop_waiting()) {
                self->cancelled_.reset();
                self->attempt();
            }
        });
        cancelled_ = operation_->token().on_cancel([self = shared_from_this()](const CancelReason& reason) {
            if (self->stop_waiting()) {
                self->timers_.cancel(self->timer_);
                self->end(failed(cancelled_error(reason, "waiting for the next try")));
            }
        });
    }

    /// True for the one of timer and cancel that came first.
    bool stop_waiting() {
        const std::scoped_lock lock(mutex_);
        return std::exchange(waiting_, false);
    }

    void end(Result<std::any> outcome) {
        cancelled_.reset();
        done_(std::move(outcome));
    }

    const OperationWork work_;
    const RetryOptions options_;
    TimerQueue& timers_;
    const Clock& clock_;
    const std::shared_ptr<Operation> operation_;
    const OperationDone done_;
    int attempts_{0};
    std::mutex mutex_;
    bool waiting_{false};
    TimerQueue::Id timer_{0};
    CancelRegistration cancelled_{};
};

}  // namespace

Result<void> check(const RetryOptions& options) {
    if (options.max_attempts < 1) {
        return refused("max_attempts", options.max_attempts, "at least 1");
    }
    if (options.base_delay.count() <= 0) {
        return refused("base_delay", seconds(options.base_delay), "above 0 seconds");
    }
    if (options.max_delay < options.base_delay) {
        return refused("max_delay", seconds(options.max_delay),
                       fmt::format("at least base_delay, {} seconds", seconds(options.base_delay)));
    }
    if (!std::isfinite(options.multiplier) || options.multiplier < 1) {
        return refused("multiplier", options.multiplier, "at least 1");
    }
    if (!(options.jitter >= 0 && options.jitter <= 1)) {
        return refused("jitter", options.jitter, "between 0 and 1");
    }
    return {};
}

std::chrono::nanoseconds retry_delay(const RetryOptions& options, int failed_attempts, double random) {
    const double grown = seconds(options.base_delay) * std::pow(options.multiplier, std::max(failed_attempts, 1) - 1);
    const double longest = std::min(grown, seconds(options.max_delay));
    return std::chrono::nanoseconds(std::llround(1e9 * longest * (1 - options.jitter * random)));
}

OperationWork retry_with_backoff(OperationWork work, const RetryOptions& options, TimerQueue& timers,
                                 const Clock& clock) {
    if (const auto checked = check(options); !checked) {
        throw ErrorException(checked.error());
    }
    return
        [work = std::move(work), options, &timers, &clock](std::shared_ptr<Operation> operation, OperationDone done) {
            std::make_shared<Tries>(work, options, timers, clock, std::move(operation), std::move(done))->attempt();
        };
}

}  // namespace ktrdr
