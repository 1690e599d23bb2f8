#pragma once

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// When a request is sent again.
///
/// A connection that could not be made is tried again whatever the request, for nothing was sent. Everything else (a
/// connection that broke, an answer that did not come, 408, 425, 429, 502, 503, 504) only where the method, the request
/// or its idempotency key says that twice is as good as once. Never past the call's deadline, never after a cancel.
struct RetryPolicy {
    /// How often a request is sent in all. At least 1, which means no retry.
    int attempts{3};
    /// A pause is drawn evenly from 0 to this, doubled with every attempt ("full jitter": Brooker, "Exponential Backoff
    /// And Jitter", AWS 2015). Must not be negative.
    std::chrono::milliseconds first_pause{50};
    /// The same after 429 and 503 that do not say when to come back.
    std::chrono::milliseconds busy_pause{std::chrono::seconds{1}};
    std::chrono::milliseconds longest_pause{std::chrono::seconds{20}};
    /// A longer `Retry-After` is cut to this.
    std::chrono::milliseconds longest_retry_after{std::chrono::seconds{60}};
    /// Retries that one request earns for all requests of its origin; at least 0. So an outage is met with at most
    /// 1 + `budget` times the load that is offered.
    double budget{0.1};
    /// Retries that can be saved up, and are there at the start; at least 0.
    double budget_reserve{10};
};

/// `configuration` naming field, value and rule.
[[nodiscard]] KTRDR_EXPORT Result<void> check(const RetryPolicy& policy);

/// One time that a request was sent, or was to be sent, and what came of it.
struct Attempt {
    /// 1, 2, 3, …
    int number{1};
    /// How far it came: pool, resolve, connect, tls, write, first_byte, between_bytes; "answer" for an answer with a
    /// status.
    std::string phase{};
    /// "no", "partly" or "whole".
    std::string_view request_sent{};
    /// The answer's status; 0 when there was none.
    int status{0};
    /// What went wrong where there was no answer.
    Errc code{Errc::internal};
    std::string error{};
    std::chrono::milliseconds elapsed{};
    /// The pause after it; not set on the last attempt.
    std::optional<std::chrono::milliseconds> pause{};
    /// Why there is no further one: "attempts", "budget", "deadline", "not idempotent", "not retryable"; else empty.
    std::string_view stopped_by{};
};

/// True for a status that says "not now": 408, 425, 429, 502, 503, 504.
[[nodiscard]] KTRDR_EXPORT bool is_passing(int status) noexcept;

[[nodiscard]] KTRDR_EXPORT boost::json::object to_json(const Attempt& attempt);
[[nodiscard]] KTRDR_EXPORT boost::json::array to_json(const std::vector<Attempt>& attempts);

/// Hears of attempts that did not succeed, as they end: on the io thread, and it must not block.
class KTRDR_EXPORT RequestObserver {
public:
    virtual ~RequestObserver() = default;
    virtual void on_attempt_failed(const Attempt& attempt) = 0;
};

/// What an origin's requests have earned and retries may spend: a token bucket.
///
/// Thread safety: none; its pool's thread guards it.
class KTRDR_EXPORT RetryBudget final {
public:
    RetryBudget(double earned_by_request, double reserve) noexcept
        : earned_(earned_by_request), reserve_(reserve), saved_(reserve) {}

    /// A request was sent for the first time.
    void earn() noexcept { saved_ = std::min(reserve_, saved_ + earned_); }
    /// Take one retry; false when there is none.
    [[nodiscard]] bool spend() noexcept {
        if (saved_ < 1) {
            return false;
        }
        saved_ -= 1;
        return true;
    }

private:
    double earned_;
    double reserve_;
    double saved_;
};

}  // namespace ktrdr
