#pragma once

#include <chrono>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/orchestrator/operation_work.hpp>

namespace ktrdr {

/// How often and how patiently work is tried again.
struct RetryOptions {
    /// Tries altogether. At least 1.
    int max_attempts{3};
    /// Longest wait before the second try. Above 0.
    std::chrono::nanoseconds base_delay{std::chrono::seconds{1}};
    /// No wait is longer than this. At least `base_delay`.
    std::chrono::nanoseconds max_delay{std::chrono::seconds{30}};
    /// Each longest wait is so many times the one before. At least 1.
    double multiplier{2};
    /// The share of a wait that is left to chance, 0..1, so that many callers do not come back at once.
    double jitter{0.5};
};

/// `invalid_argument` naming field, value and rule.
[[nodiscard]] KTRDR_EXPORT Result<void> check(const RetryOptions& options);

/// How long to wait after so many failed tries (at least 1): exponential back-off, cut at `max_delay`, of which up to
/// the share `jitter` is taken away by `random` in [0, 1).
/// Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
[[nodiscard]] KTRDR_EXPORT std::chrono::nanoseconds retry_delay(const RetryOptions& options, int failed_attempts,
                                                                double random);

/// The work, tried again after an error that may pass (`is_retryable`). Each retry is a warning of the operation. A
/// cancellation is never retried and ends a wait at once.
///
/// Errors: throws for options that `check` refuses.
/// Lifetime: timers and clock must outlive the work.
[[nodiscard]] KTRDR_EXPORT OperationWork retry_with_backoff(OperationWork work, const RetryOptions& options,
                                                            TimerQueue& timers, const Clock& clock);

}  // namespace ktrdr
