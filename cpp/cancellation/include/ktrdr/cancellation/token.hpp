#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

enum class CancelCode { user, timeout, shutdown, parent, error };

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(CancelCode code) noexcept;
/// The value of that spelling; `invalid_argument` names the known ones.
[[nodiscard]] KTRDR_EXPORT Result<CancelCode> cancel_code_from(std::string_view text);

/// Why work was asked to stop.
struct CancelReason {
    CancelCode code{CancelCode::user};
    /// Free text for a person; may be empty.
    std::string text{};
    /// Who asked: "python", "cli", "deadline", an operation id.
    std::string origin{};

    friend bool operator==(const CancelReason&, const CancelReason&) = default;
};

namespace detail {
struct TokenState;
struct Registration;
}  // namespace detail

/// Keeps a callback registered while it lives. Destroying it waits for a running callback, unless it is destroyed
/// from inside that callback; afterwards the callback will not run.
class KTRDR_EXPORT CancelRegistration final {
public:
    CancelRegistration() noexcept = default;
    explicit CancelRegistration(std::shared_ptr<detail::Registration> registration) noexcept;
    CancelRegistration(CancelRegistration&&) noexcept = default;
    CancelRegistration& operator=(CancelRegistration&& other) noexcept;
    CancelRegistration(const CancelRegistration&) = delete;
    CancelRegistration& operator=(const CancelRegistration&) = delete;
    ~CancelRegistration();
    void reset() noexcept;

private:
    std::shared_ptr<detail::Registration> registration_{};
};

/// A cheap handle to shared state: copies mean the same token. A default-made token can never be cancelled.
///
/// Cancellation: `cancel` is first call wins; a child is cancelled with its parent, never the other way round.
/// Thread safety: every member from any thread.
/// Lifetime: executor and timers must outlive every token (the runtime is never destroyed).
/// Cost: `is_cancelled` is one relaxed load and never reads the clock.
class KTRDR_EXPORT CancellationToken final {
public:
    CancellationToken() noexcept = default;
    /// A new root. Callbacks run on `executor`, deadlines are kept in `timers`.
    [[nodiscard]] static CancellationToken create(Executor& executor, TimerQueue& timers, const Clock& clock);

    /// True for the call that cancelled the token; later calls change nothing and answer false.
    bool cancel(CancelReason reason) const;
    [[nodiscard]] bool is_cancelled() const noexcept;
    [[nodiscard]] std::optional<CancelReason> reason() const;
    /// It, or one above it, cancels itself when a time is over.
    [[nodiscard]] bool has_deadline() const noexcept;
    /// A linked token, cancelled by its parent (code `parent`, the parent's text) or by itself. With a timeout it
    /// cancels itself with code `timeout` when that has passed. Units: `timeout` must be positive.
    [[nodiscard]] CancellationToken child(std::optional<std::chrono::nanoseconds> timeout = std::nullopt) const;
    /// `Errc::cancelled` (or `timed_out` for a deadline) naming reason and `context` once cancelled.
    [[nodiscard]] Result<void> check(std::string_view context) const;
    /// Run `callback` once on the executor when cancelled; posted at once if already cancelled.
    [[nodiscard]] CancelRegistration on_cancel(std::function<void(const CancelReason&)> callback) const;
    /// Block the calling thread until cancelled or `timeout` has passed; true when cancelled.
    bool wait_for(std::chrono::nanoseconds timeout) const;

    friend bool operator==(const CancellationToken&, const CancellationToken&) = default;

private:
    explicit CancellationToken(std::shared_ptr<detail::TokenState> state) noexcept : state_(std::move(state)) {}
    std::shared_ptr<detail::TokenState> state_{};
};

/// The error that work stopped by `reason` ends with: `timed_out` for a deadline, else `cancelled`.
[[nodiscard]] KTRDR_EXPORT Error cancelled_error(const CancelReason& reason, std::string_view context);

}  // namespace ktrdr
