#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <ktrdr/http/client.hpp>

#include "connection.hpp"
#include "metrics_recorder.hpp"
#include "url.hpp"
#include "pool_core.hpp"

namespace ktrdr {

class Call;

/// Carries out what `PoolCore` decides: owns the sockets, hands them to calls.
///
/// Thread safety: the io thread only, but for `stats`.
/// Lifetime: outlives its calls; closes every socket when destroyed.
class ConnectionPool final : private Connection::Owner {
public:
    /// `tls` is null for `http://`, `reads` where no request has an upload. `metrics` must outlive the pool.
    ConnectionPool(boost::asio::io_context& io, Origin origin, const ClientOptions& options,
                   std::shared_ptr<TlsContext> tls, MetricsRecorder& metrics, Executor* reads);
    ~ConnectionPool() override;

    /// Grants or refuses through the call, at once or later.
    void acquire(Call& call, SteadyTime now);
    void leave(Call& call) noexcept;
    [[nodiscard]] bool is_waiting(const PoolWaiter& waiter) const noexcept { return core_.is_waiting(waiter); }
    /// Close an active connection whose exchange was given up.
    void abandon(Connection& connection);
    /// Close what is idle: one of them turned out to be dead without a sign, the rest may be too.
    void drop_idle();
    /// Dial until this many connections are open, or a dial fails.
    void warm_up(std::size_t connections);
    /// Refuse new calls, fail those that wait, close what is idle.
    void close();
    /// Close what is in use too; their calls fail.
    void cut();
    /// Sleep until something here has changed, or until then.
    [[nodiscard]] boost::asio::awaitable<void> changed(SteadyTime until);
    [[nodiscard]] PoolStats stats() const noexcept;
    void count_request() noexcept { requests_.fetch_add(1, std::memory_order_relaxed); }

    [[nodiscard]] boost::asio::io_context& io() const noexcept { return io_; }
    [[nodiscard]] const Origin& origin() const noexcept { return origin_; }
    [[nodiscard]] const Timeouts& timeouts() const noexcept { return options_.timeouts; }
    [[nodiscard]] const PoolOptions& options() const noexcept { return options_.pool; }
    [[nodiscard]] const RetryPolicy& retry() const noexcept { return options_.retry; }
    [[nodiscard]] RetryBudget& budget() noexcept { return budget_; }
    [[nodiscard]] MetricsRecorder& metrics() noexcept { return metrics_; }
    /// A random number in [0, 1).
    [[nodiscard]] double chance();
    /// Why the last dial failed; empty after one that did not.
    [[nodiscard]] const std::string& last_dial_error() const noexcept { return last_dial_error_; }

private:
    void dial_ended(Connection& connection) override;
    void dial_failed(Connection& connection, Error error) override;
    void idle_lost(Connection& connection, Connection::Look why) override;
    void head_arrived(Exchange& exchange) override;
    void piece_arrived(Exchange& exchange) override;
    void exchange_ended(Connection& connection, Exchange& exchange, Result<void> outcome, bool reusable) override;

    /// `reason` is that of a connection to be closed.
    void carry_out(const PoolAction& step, CloseReason reason, const Error* dial_error = nullptr);
    /// Let the call use it, or another where it turns out to be of no use.
    void hand_over(Connection& connection, Call& call);
    /// Nothing is there that would be taken for an answer to the next request.
    [[nodiscard]] bool is_quiet(Connection& connection, CloseReason& why);
    /// Another one for the call; null where it waits for one, or has failed.
    [[nodiscard]] Connection* replace(Connection& useless, CloseReason why, Call& call);
    /// The service says what it was not asked for: reuse no connection for a while.
    void distrust();
    /// Everything that `next` has to say.
    template <class Next>
    void carry_out_all(CloseReason reason, Next next);
    void tick();
    void fail_waiter(const PoolAction& step, const Error* dial_error);
    void dial();
    void forget(Connection& connection);
    void arm_timer();
    void publish() noexcept;

    boost::asio::io_context& io_;
    Origin origin_;
    ClientOptions options_;
    const std::shared_ptr<TlsContext> tls_;
    MetricsRecorder& metrics_;
    Executor* const reads_;
    RetryBudget budget_;
    PoolCore core_;
    AddressCache addresses_{};
    std::vector<std::shared_ptr<Connection>> connections_{};
    IoTimer timer_;
    /// When the timer fires; `max` while it does not run.
    SteadyTime timer_at_{SteadyTime::max()};
    /// Of those who sleep in `changed`.
    std::vector<IoTimer*> sleepers_{};
    std::minstd_rand random_{std::random_device{}()};
    std::string last_dial_error_{};
    SteadyTime distrusted_until_{};
    /// For the timer, which may fire after the pool is gone.
    std::shared_ptr<ConnectionPool*> self_{std::make_shared<ConnectionPool*>(this)};

    /// idle, active and connecting by 21 bits each, so that a reader never sees them torn.
    std::atomic<std::uint64_t> counts_{0};
    std::atomic<std::size_t> waiting_{0};
    std::atomic<std::size_t> created_{0};
    std::atomic<std::size_t> dials_failed_{0};
    std::atomic<std::size_t> requests_{0};
};

}  // namespace ktrdr
