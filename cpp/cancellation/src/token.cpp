#include <ktrdr/cancellation/token.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ktrdr {
namespace detail {

/// One callback and who runs it. It keeps its token alive, the token knows it only weakly.
struct Registration {
    Registration(std::shared_ptr<TokenState> owner, std::function<void(const CancelReason&)> function)
        : state(std::move(owner)), callback(std::move(function)) {}

    void run(const CancelReason& reason);
    void stop() noexcept;

    const std::shared_ptr<TokenState> state;
    std::mutex mutex{};
    std::condition_variable stopped{};
    std::function<void(const CancelReason&)> callback;
    std::thread::id runner{};
};

/// What all copies of a token share. A child keeps its parents alive, so that a cancel from far above reaches it.
struct TokenState {
    TokenState(Executor& executor_in, TimerQueue& timers_in, const Clock& clock_in, std::shared_ptr<TokenState> above)
        : executor(executor_in), timers(timers_in), clock(clock_in), parent(std::move(above)) {}
    TokenState(const TokenState&) = delete;
    TokenState& operator=(const TokenState&) = delete;
    ~TokenState();

    bool cancel(CancelReason why);
    void post(const std::shared_ptr<Registration>& registration);

    Executor& executor;
    TimerQueue& timers;
    const Clock& clock;
    const std::shared_ptr<TokenState> parent;
    std::atomic<bool> cancelled{false};
    mutable std::mutex mutex{};
    std::condition_variable changed{};
    std::optional<CancelReason> reason{};
    std::optional<TimerQueue::Id> timer{};
    std::unordered_map<const TokenState*, std::weak_ptr<TokenState>> children{};
    std::unordered_map<const Registration*, std::weak_ptr<Registration>> registrations{};
};

void Registration::run(const CancelReason& reason) {
    std::function<void(const CancelReason&)> function;
    {
        const std::scoped_lock lock(mutex);
        if (!callback) {
            return;
        }
        // Taken out, so that a callback that ends its own registration does not destroy itself while it runs.
        function = std::exchange(callback, nullptr);
        runner = std::this_thread::get_id();
    }
    function(reason);
    {
        const std::scoped_lock lock(mutex);
        runner = {};
    }
    stopped.notify_all();
}

void Registration::stop() noexcept {
    {
        const std::scoped_lock lock(state->mutex);
        state->registrations.erase(this);
    }
    std::function<void(const CancelReason&)> unused;
    std::unique_lock lock(mutex);
    unused.swap(callback);
    if (runner != std::this_thread::get_id()) {
        stopped.wait(lock, [this] { return runner == std::thread::id{}; });
    }
}

TokenState::~TokenState() {
    if (timer) {
        timers.cancel(*timer);
    }
    if (parent) {
        const std::scoped_lock lock(parent->mutex);
        parent->children.erase(this);
    }
}

bool TokenState::cancel(CancelReason why) {
    std::vector<std::shared_ptr<TokenState>> below;
    std::vector<std::shared_ptr<Registration>> callbacks;
    std::optional<TimerQueue::Id> deadline;
    {
        const std::scoped_lock lock(mutex);
        if (reason) {
            return false;
        }
        reason = why;
        cancelled.store(true, std::memory_order_relaxed);
        for (const auto& [key, child] : std::exchange(children, {})) {
            below.push_back(child.lock());
        }
        for (const auto& [key, registration] : std::exchange(registrations, {})) {
            callbacks.push_back(registration.lock());
        }
        deadline = std::exchange(timer, std::nullopt);
    }
    changed.notify_all();
    if (deadline) {
        timers.cancel(*deadline);
    }
    for (const auto& child : below) {
        if (child) {
            child->cancel({CancelCode::parent, why.text, why.origin});
        }
    }
    for (const auto& registration : callbacks) {
        if (registration) {
            post(registration);
        }
    }
    return true;
}

void TokenState::post(const std::shared_ptr<Registration>& registration) {
    executor.post([registration] { registration->run(*registration->state->reason); });
}

}  // namespace detail

namespace {

/// Longer waits are as good as for ever, and adding them to a time point would overflow.
constexpr std::chrono::nanoseconds longest = std::chrono::hours(24 * 365);

std::string_view asked_by(CancelCode code) noexcept {
    switch (code) {
        case CancelCode::user: return "by its user";
        case CancelCode::timeout: return "by its timeout";
        case CancelCode::shutdown: return "by the shutdown of the process";
        case CancelCode::parent: return "with what it is a part of";
        case CancelCode::error: return "after an error elsewhere";
    }
    return "";
}

}  // namespace

std::string_view to_string(CancelCode code) noexcept {
    switch (code) {
        case CancelCode::user: return "user";
        case CancelCode::timeout: return "timeout";
        case CancelCode::shutdown: return "shutdown";
        case CancelCode::parent: return "parent";
        case CancelCode::error: return "error";
    }
    return "error";
}

Result<CancelCode> cancel_code_from(std::string_view text) {
    using enum CancelCode;
    for (const CancelCode code : {user, timeout, shutdown, parent, error}) {
        if (to_string(code) == text) {
            return code;
        }
    }
    return fail(Errc::invalid_argument,
                fmt::format("cancel code {:?} is not known: use user, timeout, shutdown, parent or error", text),
                {{"field", "code"}, {"value", text}});
}

CancelRegistration::CancelRegistration(std::shared_ptr<detail::Registration> registration) noexcept
    : registration_(std::move(registration)) {}

CancelRegistration& CancelRegistration::operator=(CancelRegistration&& other) noexcept {
    if (this != &other) {
        reset();
        registration_ = std::move(other.registration_);
    }
    return *this;
}

CancelRegistration::~CancelRegistration() {
    reset();
}

void CancelRegistration::reset() noexcept {
    if (const auto registration = std::exchange(registration_, nullptr)) {
        registration->stop();
    }
}

CancellationToken CancellationToken::create(Executor& executor, TimerQueue& timers, const Clock& clock) {
    return CancellationToken(std::make_shared<detail::TokenState>(executor, timers, clock, nullptr));
}

bool CancellationToken::cancel(CancelReason reason) const {
    return state_ && state_->cancel(std::move(reason));
}

bool CancellationToken::is_cancelled() const noexcept {
    return state_ && state_->cancelled.load(std::memory_order_relaxed);
}

std::optional<CancelReason> CancellationToken::reason() const {
    if (!state_) {
        return std::nullopt;
    }
    const std::scoped_lock lock(state_->mutex);
    return state_->reason;
}

CancellationToken CancellationToken::child(std::optional<std::chrono::nanoseconds> timeout) const {
    if (timeout && *timeout <= std::chrono::nanoseconds::zero()) {
        throw ErrorException(fail(Errc::invalid_argument,
                                  fmt::format("a token's timeout must be positive, not {} ns", timeout->count()),
                                  {{"field", "timeout"}}));
    }
    if (!state_) {
        if (timeout) {
            throw ErrorException(fail(Errc::invalid_argument,
                                      "a default-made token has no timers: make a root with CancellationToken::create "
                                      "and give its child the timeout"));
        }
        return {};
    }
    auto state = std::make_shared<detail::TokenState>(state_->executor, state_->timers, state_->clock, state_);
    std::optional<CancelReason> already;
    {
        const std::scoped_lock lock(state_->mutex);
        already = state_->reason;
        if (!already) {
            state_->children.emplace(state.get(), state);
        }
    }
    if (already) {
        state->cancel({CancelCode::parent, already->text, already->origin});
    } else if (timeout && *timeout < longest) {
        auto expire = [weak = std::weak_ptr(state), seconds = std::chrono::duration<double>(*timeout).count()] {
            if (const auto alive = weak.lock()) {
                alive->cancel(
                    {CancelCode::timeout, fmt::format("the timeout of {} s has passed", seconds), "deadline"});
            }
        };
        const auto when = state->clock.now() + std::chrono::duration_cast<SteadyTime::duration>(*timeout);
        const auto timer = state->timers.schedule_at(when, std::move(expire));
        const std::scoped_lock lock(state->mutex);
        state->timer = timer;
    }
    return CancellationToken(std::move(state));
}

Result<void> CancellationToken::check(std::string_view context) const {
    if (!is_cancelled()) {
        return {};
    }
    return cancelled_error(*reason(), context);
}

CancelRegistration CancellationToken::on_cancel(std::function<void(const CancelReason&)> callback) const {
    if (!state_ || !callback) {
        return {};
    }
    auto registration = std::make_shared<detail::Registration>(state_, std::move(callback));
    bool already = false;
    {
        const std::scoped_lock lock(state_->mutex);
        already = state_->reason.has_value();
        if (!already) {
            state_->registrations.emplace(registration.get(), registration);
        }
    }
    if (already) {
        state_->post(registration);
    }
    return CancelRegistration(std::move(registration));
}

bool CancellationToken::wait_for(std::chrono::nanoseconds timeout) const {
    const auto limit = std::min(timeout, longest);
    if (!state_) {
        std::this_thread::sleep_for(limit);
        return false;
    }
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, limit, [this] { return state_->reason.has_value(); });
}

Error cancelled_error(const CancelReason& reason, std::string_view context) {
    const bool late = reason.code == CancelCode::timeout;
    std::string message = fmt::format("{} was cancelled {}", context, asked_by(reason.code));
    if (!reason.text.empty()) {
        message += fmt::format(": {}", reason.text);
    }
    if (late) {
        message += "; allow more time or ask for less at once";
    }
    return fail(
        late ? Errc::timed_out : Errc::cancelled, std::move(message),
        {{"context", context}, {"reason", to_string(reason.code)}, {"text", reason.text}, {"origin", reason.origin}});
}

}  // namespace ktrdr
