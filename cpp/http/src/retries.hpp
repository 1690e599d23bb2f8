#pragma once

#include <optional>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/http/message.hpp>
#include <ktrdr/http/retry.hpp>

namespace ktrdr {

/// Decides after each attempt of one call whether there is another, and remembers what came of them.
///
/// Units: `chance` is a random number in [0, 1) that the caller draws.
/// Thread safety: none.
/// Cost: nothing is allocated before the first attempt that fails.
class Retries final {
public:
    Retries(const RetryPolicy& policy, RetryBudget& budget, bool idempotent, SteadyTime deadline) noexcept
        : policy_(policy), budget_(budget), idempotent_(idempotent), deadline_(deadline) {}

    /// True when there is nothing to try again: an answer, or a cancel. To be asked once after each attempt, and
    /// `after` where it is false.
    [[nodiscard]] bool stands(const Result<Response>& outcome) noexcept;
    /// The pause before the next attempt; none when this is the last. `took` is what the attempt took.
    [[nodiscard]] std::optional<std::chrono::milliseconds> after(const Result<Response>& outcome,
                                                                 std::chrono::milliseconds took, SteadyTime now,
                                                                 UtcTime date, double chance);
    /// Those that did not succeed.
    [[nodiscard]] const std::vector<Attempt>& failed() const noexcept { return failed_; }

private:
    [[nodiscard]] std::string_view refusal(const Result<Response>& outcome) const;
    [[nodiscard]] std::chrono::milliseconds pause_after(const Result<Response>& outcome, UtcTime date,
                                                        double chance) const;

    const RetryPolicy& policy_;
    RetryBudget& budget_;
    bool idempotent_;
    SteadyTime deadline_;
    std::vector<Attempt> failed_{};
};

}  // namespace ktrdr
