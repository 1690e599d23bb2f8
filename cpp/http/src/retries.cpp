#include "retries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include <ktrdr/base/json.hpp>

namespace ktrdr {
namespace {

using std::chrono::milliseconds;

std::string_view sent_of(const Error& error) {
    const std::string_view sent = text_or_empty(error.context, "request_sent");
    return sent == "whole" ? "whole" : sent == "partly" ? "partly" : "no";
}

Attempt describe(const Result<Response>& outcome, int number, milliseconds took) {
    Attempt attempt{.number = number, .elapsed = took};
    if (outcome) {
        attempt.phase = "answer";
        attempt.request_sent = "whole";
        attempt.status = outcome->status;
    } else {
        attempt.phase = text_or_empty(outcome.error().context, "phase");
        attempt.request_sent = sent_of(outcome.error());
        attempt.code = outcome.error().code;
        attempt.error = outcome.error().message;
    }
    return attempt;
}

/// A certificate that was refused once will be refused again.
bool may_pass(const Error& error) noexcept {
    return (error.code == Errc::service_connection || error.code == Errc::service_timeout) &&
           !error.context.contains("tls");
}

Error policy_error(std::string_view field, double value, std::string_view rule) {
    return fail(Errc::configuration, fmt::format("retry.{} is {}, but {}", field, value, rule),
                {{"field", field}, {"value", value}, {"rule", rule}});
}

}  // namespace

bool is_passing(int status) noexcept {
    constexpr std::array passing{408, 425, 429, 502, 503, 504};
    return std::find(passing.begin(), passing.end(), status) != passing.end();
}

bool Retries::stands(const Result<Response>& outcome) noexcept {
    if (failed_.empty()) {
        budget_.earn();
    }
    return outcome ? !is_passing(outcome->status) : is_stop(outcome.error().code);
}

std::optional<milliseconds> Retries::after(const Result<Response>& outcome, milliseconds took, SteadyTime now,
                                           UtcTime date, double chance) {
    const int number = static_cast<int>(failed_.size()) + 1;
    Attempt attempt = describe(outcome, number, took);
    attempt.stopped_by = refusal(outcome);
    if (attempt.stopped_by.empty()) {
        const milliseconds pause = pause_after(outcome, date, chance);
        if (now + pause >= deadline_) {
            attempt.stopped_by = "deadline";
        } else if (!budget_.spend()) {
            attempt.stopped_by = "budget";
        } else {
            attempt.pause = pause;
        }
    }
    failed_.push_back(std::move(attempt));
    return failed_.back().pause;
}

std::string_view Retries::refusal(const Result<Response>& outcome) const {
    if (!outcome && !may_pass(outcome.error())) {
        return "not retryable";
    }
    const bool nothing_sent = !outcome && sent_of(outcome.error()) == "no";
    if (!idempotent_ && !nothing_sent) {
        return "not idempotent";
    }
    return static_cast<int>(failed_.size()) + 1 >= policy_.attempts ? "attempts" : "";
}

milliseconds Retries::pause_after(const Result<Response>& outcome, UtcTime date, double chance) const {
    const bool busy = outcome && (outcome->status == 429 || outcome->status == 503);
    if (const auto asked = outcome ? retry_after(*outcome, date) : std::nullopt; asked && asked->count() > 0) {
        return std::min(*asked, policy_.longest_retry_after);
    }
    const double first = static_cast<double>((busy ? policy_.busy_pause : policy_.first_pause).count());
    const double longest = static_cast<double>(policy_.longest_pause.count());
    return milliseconds{std::llround(chance * std::min(longest, std::ldexp(first, static_cast<int>(failed_.size()))))};
}

Result<void> check(const RetryPolicy& policy) {
    if (policy.attempts < 1 || policy.attempts > 100) {
        return policy_error("attempts", policy.attempts, "must be from 1 to 100");
    }
    using Time = std::pair<std::string_view, milliseconds>;
    for (const auto& [field, value] :
         std::array{Time{"first_pause (ms)", policy.first_pause}, Time{"busy_pause (ms)", policy.busy_pause},
                    Time{"longest_pause (ms)", policy.longest_pause},
                    Time{"longest_retry_after (ms)", policy.longest_retry_after}}) {
        if (value.count() < 0) {
            return policy_error(field, static_cast<double>(value.count()), "must not be negative");
        }
    }
    using Number = std::pair<std::string_view, double>;
    for (const auto& [field, value] :
         std::array{Number{"budget", policy.budget}, Number{"budget_reserve", policy.budget_reserve}}) {
        if (!std::isfinite(value) || value < 0) {
            return policy_error(field, value, "must be at least 0");
        }
    }
    return {};
}

boost::json::object to_json(const Attempt& attempt) {
    boost::json::object object{{"attempt", attempt.number},
                               {"phase", attempt.phase},
                               {"request_sent", attempt.request_sent},
                               {"elapsed_ms", attempt.elapsed.count()}};
    if (attempt.status != 0) {
        object["status"] = attempt.status;
    } else {
        object["error"] = attempt.error;
    }
    if (attempt.pause) {
        object["pause_ms"] = attempt.pause->count();
    }
    if (!attempt.stopped_by.empty()) {
        object["stopped_by"] = attempt.stopped_by;
    }
    return object;
}

boost::json::array to_json(const std::vector<Attempt>& attempts) {
    boost::json::array array;
    for (const Attempt& attempt : attempts) {
        array.push_back(to_json(attempt));
    }
    return array;
}

}  // namespace ktrdr
