#include <ktrdr/cancellation/token.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace detail {

namespace intrusive = boost::intrusive;
/// A place in a list that costs no allocation, and that whatever sits there gives up by itself.
using Link = intrusive::list_base_hook<intrusive::link_mode<intrusive::auto_unlink>>;
template <class Linked>
using Links = intrusive::list<Linked, intrusive::constant_time_size<false>>;

/// One callback and who runs it, guarded by its token's mutex. It keeps the token alive; the token knows it from
/// `on_cancel` to `stop`, in between it is alive.
struct Registration : Link, std::enable_shared_from_this<Registration>, Counted<CancelRegistration> {
    Registration(std::shared_ptr<TokenState> owner, std::function<void(const CancelReason&)> function)
        : state(std::move(owner)), callback(std::move(function)) {}

    void run();
    void stop() noexcept;

    const std::shared_ptr<TokenState> state;
    std::function<void(const CancelReason&)> callback;
    std::thread::id runner{};
};

/// What all copies of a token share. A child keeps its parents alive, so that a cancel from far above reaches it. The
/// parent may meet a child that waits for the mutex to be destroyed; `weak_from_this` tells.
struct TokenState : Link, std::enable_shared_from_this<TokenState>, Counted<CancellationToken> {
    TokenState(Executor& executor_in, TimerQueue& timers_in, const Clock& clock_in, std::shared_ptr<TokenState> above)
        : executor(executor_in), timers(timers_in), clock(clock_in), parent(std::move(above)) {}
    TokenState(const TokenState&) = delete;
    TokenState& operator=(const TokenState&) = delete;
    ~TokenState();

    bool cancel(CancelReason why);
    /// Cancel this one alone: who is below it and who has to hear of it are added to the lists. False for a later call.
    bool cancel_alone(const CancelReason& why, std::vector<std::shared_ptr<TokenState>>& below,
                      std::vector<std::shared_ptr<Registration>>& callbacks);
    void post(std::shared_ptr<Registration> registration);

    Executor& executor;
    TimerQueue& timers;
    const Clock& clock;
    /// Null for a root, and at the very end.
    std::shared_ptr<TokenState> parent;
    std::atomic<bool> cancelled{false};
    mutable std::mutex mutex{};
    /// The token was cancelled, or a callback has ended.
    std::condition_variable changed{};
    /// Set once.
    std::unique_ptr<const CancelReason> reason{};
    std::optional<TimerQueue::Id> timer{};
    Links<TokenState> children{};
    Links<Registration> registrations{};
};

void Registration::run() {
    std::function<void(const CancelReason&)> function;
    {
        const std::scoped_lock lock(state->mutex);
        if (!callback) {
            return;
        }
        // Taken out, so that a callback that ends its own registration does not destroy itself while it runs.
        function = std::exchange(callback, nullptr);
        runner = std::this_thread::get_id();
    }
    survive("cancellation", "a callback of a cancelled token", [&] { function(*state->reason); });
    {
        const std::scoped_lock lock(state->mutex);
        runner = {};
    }
    state->changed.notify_all();
}

void Registration::stop() noexcept {
    std::function<void(const CancelReason&)> unused;
    std::unique_lock lock(state->mutex);
    unlink();
    unused.swap(callback);
    if (runner != std::this_thread::get_id()) {
        state->changed.wait(lock, [this] { return runner == std::thread::id{}; });
    }
}

/// Where a token that goes puts its parent, for whoever lets go of it to let go of that next.
thread_local std::shared_ptr<TokenState>* put_here = nullptr;

TokenState::~TokenState() {
    if (timer) {
        timers.cancel(*timer);
    }
    if (parent) {
        const std::scoped_lock lock(parent->mutex);
        unlink();
    }
    // One after the other and not one inside the other: a chain may be as long as somebody made it.
    if (put_here != nullptr && *put_here == nullptr) {
        *put_here = std::move(parent);
        return;
    }
    auto* const outer = put_here;
    for (std::shared_ptr<TokenState> above = std::move(parent); above;) {
        std::shared_ptr<TokenState> further;
        put_here = &further;
        above.reset();
        above = std::move(further);
    }
    put_here = outer;
}

bool TokenState::cancel(CancelReason why) {
    std::vector<std::shared_ptr<TokenState>> below;
    std::vector<std::shared_ptr<Registration>> callbacks;
    if (!cancel_alone(why, below, callbacks)) {
        return false;
    }
    why.code = CancelCode::parent;
    while (!below.empty()) {
        const auto child = std::move(below.back());
        below.pop_back();
        if (child) {
            child->cancel_alone(why, below, callbacks);
        }
    }
    // Those of the last one below first.
    for (; !callbacks.empty(); callbacks.pop_back()) {
        post(std::move(callbacks.back()));
    }
    return true;
}

bool TokenState::cancel_alone(const CancelReason& why, std::vector<std::shared_ptr<TokenState>>& below,
                              std::vector<std::shared_ptr<Registration>>& callbacks) {
    std::optional<TimerQueue::Id> deadline;
    {
        const std::scoped_lock lock(mutex);
        if (reason) {
            return false;
        }
        reason = std::make_unique<const CancelReason>(why);
        cancelled.store(true, std::memory_order_relaxed);
        for (TokenState& child : children) {
            below.push_back(child.weak_from_this().lock());
        }
        const auto own = static_cast<std::ptrdiff_t>(callbacks.size());
        for (Registration& registration : registrations) {
            callbacks.push_back(registration.shared_from_this());
        }
        std::reverse(callbacks.begin() + own, callbacks.end());
        children.clear();
        registrations.clear();
        deadline = std::exchange(timer, std::nullopt);
    }
    changed.notify_all();
    if (deadline) {
        timers.cancel(*deadline);
    }
    return true;
}

void TokenState::post(std::shared_ptr<Registration> registration) {
    executor.post([registration = std::move(registration)] { registration->run(); });
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
    reason.text = kept_text(std::move(reason.text));
    reason.origin = kept_text(std::move(reason.origin), longest_name);
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
    return state_->reason ? std::optional(*state_->reason) : std::nullopt;
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
    const CancelReason* already = nullptr;
    {
        const std::scoped_lock lock(state_->mutex);
        already = state_->reason.get();
        if (already == nullptr) {
            state_->children.push_back(*state);
        }
    }
    if (already != nullptr) {
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
        already = state_->reason != nullptr;
        if (!already) {
            state_->registrations.push_back(*registration);
        }
    }
    if (already) {
        state_->post(registration);
    }
    return CancelRegistration(std::move(registration));
}

bool CancellationToken::has_deadline() const noexcept {
    for (const detail::TokenState* state = state_.get(); state != nullptr; state = state->parent.get()) {
        const std::scoped_lock lock(state->mutex);
        if (state->timer) {
            return true;
        }
    }
    return false;
}

bool CancellationToken::wait_for(std::chrono::nanoseconds timeout) const {
    const auto limit = std::min(timeout, longest);
    if (!state_) {
        std::this_thread::sleep_for(limit);
        return false;
    }
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, limit, [this] { return state_->reason != nullptr; });
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
