#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <optional>

#include <ktrdr/base/clock.hpp>

namespace ktrdr {

/// One who asked for a connection and waits. The driver derives its call from it.
struct PoolWaiter : boost::intrusive::list_base_hook<> {};

/// One connection as the bookkeeping sees it. The driver derives its socket from it.
struct PoolMember : boost::intrusive::list_base_hook<> {
    enum class State { connecting, idle, active, gone };
    State state{State::connecting};
    SteadyTime idle_since{};
};

/// What the driver has to do next.
struct PoolStep {
    enum class Kind {
        /// Nothing: the caller waits, or nobody is concerned.
        none,
        /// `waiter` may use `member`.
        grant,
        /// `waiter` gets nothing: `Refusal` says why.
        fail,
        /// `member` has left the books; close its socket.
        close,
    };
    enum class Refusal { none, saturated, closed, dial };
    Kind kind{Kind::none};
    PoolMember* member{nullptr};
    PoolWaiter* waiter{nullptr};
    Refusal refusal{Refusal::none};
    /// Also start one dial; the driver makes a member and reports it with `dial_started`.
    bool dial{false};
};

/// The pool's bookkeeping without a socket in sight.
///
/// Feed it events, carry out the step it answers, feed it the outcome. Newest idle connection first, waiters in the
/// order they came, a dial only while waiters outnumber the dials under way and the limit allows it. A dial belongs to
/// the pool: who asked for it may have been served or have left when it ends.
///
/// Thread safety: none; the driver confines it to the io thread.
/// Errors: never throws; a refusal is `PoolStep::Kind::fail`.
/// Lifetime: waiters and members are the driver's; each stays where it is while it is in the books.
/// Cost: every event is O(1).
class PoolCore final {
public:
    struct Limits {
        std::size_t connections{1};
        std::size_t waiters{1};
        std::chrono::nanoseconds idle_timeout{};
    };
    struct Counts {
        std::size_t open{0};
        std::size_t idle{0};
        std::size_t active{0};
        std::size_t connecting{0};
        std::size_t waiting{0};
    };

    explicit PoolCore(Limits limits) noexcept : limits_(limits) {}

    [[nodiscard]] PoolStep acquire(PoolWaiter& waiter);
    /// The waiter gives up. Only for one that is waiting.
    void leave(PoolWaiter& waiter) noexcept;
    [[nodiscard]] bool is_waiting(const PoolWaiter& waiter) const noexcept { return waiter.is_linked(); }

    /// The driver carries out a step's `dial`.
    void dial_started(PoolMember& member) noexcept;
    [[nodiscard]] PoolStep dial_ended(PoolMember& member, SteadyTime now);
    /// The front waiter fails with the dial.
    [[nodiscard]] PoolStep dial_failed(PoolMember& member) noexcept;

    /// An active connection comes back.
    [[nodiscard]] PoolStep release(PoolMember& member, bool reusable, SteadyTime now);
    /// An idle connection died by itself.
    [[nodiscard]] PoolStep lost(PoolMember& member) noexcept;
    /// Close the oldest idle connection if its time is over, or if `all` are to go. Ask until the answer is `none`.
    [[nodiscard]] PoolStep expire(SteadyTime now, bool all = false) noexcept;
    [[nodiscard]] std::optional<SteadyTime> next_expiry() const noexcept;

    /// Refuse everything from now on. Ask until the answer is `none`: fails the waiters, closes the idle.
    [[nodiscard]] PoolStep close() noexcept;

    [[nodiscard]] Counts counts() const noexcept;

private:
    [[nodiscard]] bool wants_dial() noexcept;
    [[nodiscard]] PoolStep keep_or_close(PoolMember& member, bool reusable, SteadyTime now);
    [[nodiscard]] PoolWaiter* pop_waiter() noexcept;
    void drop_idle(PoolMember& member) noexcept;

    Limits limits_;
    boost::intrusive::list<PoolWaiter> waiters_{};
    boost::intrusive::list<PoolMember> idle_{};
    std::size_t active_{0};
    std::size_t connecting_{0};
    /// Dials asked for in a step and not yet reported: they count as connecting.
    std::size_t promised_{0};
    bool closed_{false};
};

}  // namespace ktrdr
