#pragma once

#include <algorithm>
#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <optional>

#include <ktrdr/base/clock.hpp>

namespace ktrdr {

/// One who asked for a connection and waits. The driver derives its call from it.
struct PoolWaiter : boost::intrusive::list_base_hook<> {
    /// Served before the others, over the reserve when the pool is full: what stops work must not wait behind it.
    bool urgent{false};
};

/// One connection as the bookkeeping sees it. The driver derives its socket from it.
struct PoolMember : boost::intrusive::list_base_hook<> {
    enum class State { connecting, idle, active, gone };
    State state{State::connecting};
    SteadyTime idle_since{};
    /// Carries no new request from then on.
    SteadyTime retires{};
    /// It has carried an exchange.
    bool served{false};
};

/// What the driver has to do next.
struct PoolAction {
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

    [[nodiscard]] bool is_nothing() const noexcept { return kind == Kind::none && !dial; }
};

/// The pool's bookkeeping without a socket in sight.
///
/// Feed it events, carry out the step it answers, feed it the outcome. Newest idle connection first; urgent waiters
/// first, else in the order they came; a dial only while waiters (or the connections to be kept ready) outnumber the
/// dials under way and the limit allows it. A dial belongs to the pool: who asked for it may have been served or have
/// left when it ends. After one that failed the pool waits before the next, longer each time; so it does, where nobody
/// waits for a connection, after one that was lost as soon as it was there.
///
/// Units: `chance` is a random number in [0, 1) that the driver draws; lifetimes and pauses are spread with it.
/// Thread safety: none; the driver confines it to the io thread.
/// Errors: never throws; a refusal is `PoolAction::Kind::fail`.
/// Lifetime: waiters and members are the driver's; each stays where it is while it is in the books.
/// Cost: every event is O(1).
class PoolCore final {
public:
    struct Limits {
        std::size_t connections{1};
        std::size_t waiters{1};
        /// Connections beyond the limit that only urgent waiters get.
        std::size_t reserve{0};
        /// Connections to be kept idle.
        std::size_t min_idle{0};
        std::chrono::nanoseconds idle_timeout{};
        /// Spread by 10 % either way, so that connections made together do not retire together.
        std::chrono::nanoseconds lifetime{std::chrono::minutes{10}};
        /// After the first failed dial, and at most; 1.6 times longer each time, spread by 20 % either way.
        std::chrono::nanoseconds first_pause{std::chrono::milliseconds{100}};
        std::chrono::nanoseconds longest_pause{std::chrono::seconds{1}};
    };
    struct Counts {
        std::size_t open{0};
        std::size_t idle{0};
        std::size_t active{0};
        std::size_t connecting{0};
        std::size_t waiting{0};
    };

    explicit PoolCore(Limits limits) noexcept : limits_(limits) {}

    /// Whose turn a waiter waits for. `first`: it had been granted a connection that turned out to be useless (after
    /// `release`); it goes before the others and is not refused for their number.
    enum class Turn { last, first };
    /// After `close` ask again: that connection was too old.
    [[nodiscard]] PoolAction acquire(PoolWaiter& waiter, SteadyTime now, Turn turn = Turn::last);
    /// The waiter gives up. Only for one that is waiting.
    void leave(PoolWaiter& waiter) noexcept;
    [[nodiscard]] bool is_waiting(const PoolWaiter& waiter) const noexcept { return waiter.is_linked(); }

    /// The driver carries out a step's `dial`.
    void dial_started(PoolMember& member) noexcept;
    [[nodiscard]] PoolAction dial_ended(PoolMember& member, SteadyTime now, double chance);
    /// The front waiter fails with the dial.
    [[nodiscard]] PoolAction dial_failed(PoolMember& member, SteadyTime now, double chance) noexcept;

    /// An active connection comes back.
    [[nodiscard]] PoolAction release(PoolMember& member, bool reusable, SteadyTime now);
    /// Until then a connection carries one exchange and no other: this service says what it was not asked for.
    void distrust(SteadyTime until) noexcept { distrusted_until_ = std::max(distrusted_until_, until); }
    /// An idle connection died by itself.
    [[nodiscard]] PoolAction lost(PoolMember& member, SteadyTime now, double chance) noexcept;
    /// Have this many connections open, idle or not, once; the limit holds.
    void warm_up(std::size_t connections) noexcept { warm_ = std::min(connections, limits_.connections); }
    /// What is due by now: an idle connection to close, a dial to start. Ask until there is nothing.
    [[nodiscard]] PoolAction tick(SteadyTime now) noexcept;
    /// When `tick` will have something.
    [[nodiscard]] std::optional<SteadyTime> next_tick() const noexcept;
    /// Close an idle connection whatever its age. Ask until there is nothing.
    [[nodiscard]] PoolAction drop_idle(SteadyTime now) noexcept;

    /// Refuse everything from now on. Ask until there is nothing: fails the waiters, closes the idle.
    [[nodiscard]] PoolAction close() noexcept;

    [[nodiscard]] Counts counts() const noexcept;

private:
    using Waiters = boost::intrusive::list<PoolWaiter>;

    [[nodiscard]] std::size_t dials() const noexcept { return connecting_ + promised_; }
    [[nodiscard]] std::size_t open() const noexcept { return idle_.size() + active_ + dials(); }
    /// When a dial is due; none where none is needed.
    [[nodiscard]] std::optional<SteadyTime> dial_due() const noexcept;
    [[nodiscard]] bool wants_dial(SteadyTime now) noexcept;
    [[nodiscard]] PoolAction keep_or_close(PoolMember& member, bool reusable, SteadyTime now);
    [[nodiscard]] PoolWaiter* pop_waiter(bool urgent_only) noexcept;
    [[nodiscard]] PoolAction close_idle(PoolMember& member, SteadyTime now) noexcept;

    Limits limits_;
    Waiters urgent_{};
    Waiters waiters_{};
    boost::intrusive::list<PoolMember> idle_{};
    std::size_t active_{0};
    std::size_t connecting_{0};
    /// Dials asked for in a step and not yet reported: they count as connecting.
    std::size_t promised_{0};
    std::size_t warm_{0};
    std::chrono::nanoseconds pause_{0};
    /// No dial before this time.
    SteadyTime dial_after_{};
    /// The same for connections to be kept ready.
    std::chrono::nanoseconds ready_pause_{0};
    SteadyTime ready_after_{};
    SteadyTime distrusted_until_{};
    bool closed_{false};
};

}  // namespace ktrdr
