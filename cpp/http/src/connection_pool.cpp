#include "connection_pool.hpp"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <ktrdr/base/log.hpp>

#include "call.hpp"

namespace ktrdr {
namespace asio = boost::asio;
namespace {

constexpr unsigned count_bits = 21;
/// As long as a connection is used: by then the service has been seen to by somebody, or does it again.
constexpr std::chrono::minutes distrust_time{10};
constexpr std::uint64_t count_mask = (std::uint64_t{1} << count_bits) - 1;

}  // namespace

ConnectionPool::ConnectionPool(boost::asio::io_context& io, Origin origin, const ClientOptions& options,
                               std::shared_ptr<TlsContext> tls, MetricsRecorder& metrics, Executor* reads)
    : io_(io),
      origin_(std::move(origin)),
      options_(options),
      tls_(std::move(tls)),
      metrics_(metrics),
      reads_(reads),
      budget_(options.retry.budget, options.retry.budget_reserve),
      core_({.connections = options.pool.max_connections,
             .waiters = options.pool.max_waiters,
             .reserve = options.pool.urgent_connections,
             .min_idle = options.pool.min_idle,
             .idle_timeout = options.pool.idle_timeout,
             .lifetime = options.pool.max_lifetime,
             .first_pause = options.pool.dial_backoff,
             .longest_pause = options.pool.max_dial_backoff}),
      timer_(io.get_executor()) {}

ConnectionPool::~ConnectionPool() {
    *self_ = nullptr;
    for (const auto& connection : connections_) {
        connection->close();
    }
    // The books outlive nothing they list.
    while (!core_.close().is_nothing()) {
    }
}

double ConnectionPool::chance() {
    return std::uniform_real_distribution<double>(0, 1)(random_);
}

template <class Next>
void ConnectionPool::carry_out_all(CloseReason reason, Next next) {
    for (PoolAction step = next(); !step.is_nothing(); step = next()) {
        carry_out(step, reason);
    }
}

void ConnectionPool::tick() {
    const auto now = std::chrono::steady_clock::now();
    for (PoolAction step = core_.tick(now); !step.is_nothing(); step = core_.tick(now)) {
        const bool aged = step.member != nullptr && now >= step.member->retires;
        carry_out(step, aged ? CloseReason::max_lifetime : CloseReason::idle_timeout);
    }
}

void ConnectionPool::acquire(Call& call, SteadyTime now) {
    PoolAction step = core_.acquire(call, now);
    for (; step.kind == PoolAction::Kind::close; step = core_.acquire(call, now)) {
        carry_out(step, CloseReason::max_lifetime);
    }
    carry_out(step, CloseReason::max_lifetime);
}

void ConnectionPool::leave(Call& call) noexcept {
    core_.leave(call);
    publish();
}

void ConnectionPool::abandon(Connection& connection) {
    carry_out(core_.release(connection, false, std::chrono::steady_clock::now()), CloseReason::abandoned);
}

void ConnectionPool::drop_idle() {
    carry_out_all(CloseReason::dropped, [this] { return core_.drop_idle(std::chrono::steady_clock::now()); });
}

void ConnectionPool::warm_up(std::size_t connections) {
    core_.warm_up(connections);
    tick();
}

void ConnectionPool::close() {
    carry_out_all(CloseReason::client_closed, [this] { return core_.close(); });
}

void ConnectionPool::cut() {
    close();
    const auto open = connections_;
    for (const auto& connection : open) {
        connection->cut(ktrdr::fail(Errc::client_closed, "the client was closed before the response was whole"));
    }
}

void ConnectionPool::dial_ended(Connection& connection) {
    created_.fetch_add(1, std::memory_order_relaxed);
    last_dial_error_.clear();
    // Made for nothing: the client was closed meanwhile, or keeps no idle ones.
    carry_out(core_.dial_ended(connection, std::chrono::steady_clock::now(), chance()), CloseReason::idle_timeout);
}

void ConnectionPool::dial_failed(Connection& connection, Error error) {
    dials_failed_.fetch_add(1, std::memory_order_relaxed);
    last_dial_error_ = error.message;
    const PoolAction step = core_.dial_failed(connection, std::chrono::steady_clock::now(), chance());
    forget(connection);
    carry_out(step, CloseReason::not_reusable, &error);
}

void ConnectionPool::idle_lost(Connection& connection, Connection::Look why) {
    const bool spoke = why == Connection::Look::spoke;
    carry_out(core_.lost(connection, std::chrono::steady_clock::now(), chance()),
              spoke ? CloseReason::unasked_bytes : CloseReason::peer_closed);
    if (spoke) {
        distrust();
    }
}

void ConnectionPool::distrust() {
    const auto now = std::chrono::steady_clock::now();
    if (now >= distrusted_until_) {
        log(LogLevel::warning, "http",
            fmt::format("{} says what it was not asked for: for {} minutes each of its connections carries one request",
                        origin_.url, distrust_time.count()));
    }
    distrusted_until_ = now + distrust_time;
    core_.distrust(distrusted_until_);
    drop_idle();
}

void ConnectionPool::head_arrived(Exchange& exchange) {
    exchange.call->head_arrived();
}

void ConnectionPool::piece_arrived(Exchange& exchange) {
    exchange.call->piece_arrived();
}

void ConnectionPool::exchange_ended(Connection& connection, Exchange& exchange, Result<void> outcome, bool reusable) {
    const bool used_before = exchange.reused;
    const auto now = std::chrono::steady_clock::now();
    if (exchange.unasked) {
        distrust();
    }
    const CloseReason reason = exchange.unasked            ? CloseReason::unasked_bytes
                               : !reusable                 ? CloseReason::not_reusable
                               : now >= connection.retires ? CloseReason::max_lifetime
                               : now < distrusted_until_   ? CloseReason::not_reusable
                                                           : CloseReason::idle_timeout;
    carry_out(core_.release(connection, reusable, now), reason);
    exchange.call->exchange_ended(std::move(outcome), used_before);
}

void ConnectionPool::carry_out(const PoolAction& step, CloseReason reason, const Error* dial_error) {
    // Before the peer can see that a socket was closed.
    publish();
    if (step.kind == PoolAction::Kind::close) {
        metrics_.closed(reason);
        forget(static_cast<Connection&>(*step.member));
    }
    if (step.dial) {
        dial();
    }
    if (step.kind == PoolAction::Kind::grant) {
        hand_over(static_cast<Connection&>(*step.member), static_cast<Call&>(*step.waiter));
    } else if (step.kind == PoolAction::Kind::fail) {
        fail_waiter(step, dial_error);
    }
    arm_timer();
}

void ConnectionPool::hand_over(Connection& connection, Call& call) {
    Connection* candidate = &connection;
    CloseReason why{};
    while (candidate != nullptr && !is_quiet(*candidate, why)) {
        candidate = replace(*candidate, why, call);
    }
    if (candidate != nullptr) {
        call.start(*candidate);
    }
}

bool ConnectionPool::is_quiet(Connection& connection, CloseReason& why) {
    // What a service says at the very beginning is to nobody else, and may be that it is too busy.
    if (connection.is_fresh()) {
        return true;
    }
    const Connection::Look found = connection.look();
    const bool spoke = found == Connection::Look::spoke;
    why = spoke ? CloseReason::unasked_bytes : CloseReason::peer_closed;
    if (spoke) {
        distrust();
    }
    return found == Connection::Look::quiet;
}

Connection* ConnectionPool::replace(Connection& useless, CloseReason why, Call& call) {
    const auto now = std::chrono::steady_clock::now();
    carry_out(core_.release(useless, false, now), why);
    for (;;) {
        const PoolAction step = core_.acquire(call, now, PoolCore::Turn::first);
        if (step.kind == PoolAction::Kind::grant) {
            if (step.dial) {
                dial();
            }
            publish();
            return static_cast<Connection*>(step.member);
        }
        carry_out(step, CloseReason::max_lifetime);
        if (step.kind != PoolAction::Kind::close) {
            return nullptr;
        }
    }
}

void ConnectionPool::fail_waiter(const PoolAction& step, const Error* dial_error) {
    Call& call = static_cast<Call&>(*step.waiter);
    switch (step.refusal) {
        case PoolAction::Refusal::saturated:
            call.fail(ktrdr::fail(
                Errc::pool_saturated,
                fmt::format("{} requests wait already for one of {} connections; start fewer at once or raise the pool "
                            "size",
                            options_.pool.max_waiters, options_.pool.max_connections),
                {{"max_waiters", options_.pool.max_waiters}, {"max_connections", options_.pool.max_connections}}));
            return;
        case PoolAction::Refusal::closed: call.fail(ktrdr::fail(Errc::client_closed, "the client was closed")); return;
        case PoolAction::Refusal::dial:
        case PoolAction::Refusal::none:
            call.fail(dial_error != nullptr ? *dial_error : ktrdr::fail(Errc::internal, "no connection"));
            return;
    }
}

void ConnectionPool::dial() {
    auto connection = std::make_shared<Connection>(
        io_, static_cast<Connection::Owner&>(*this),
        Connection::Settings{origin_, options_.pool, options_.timeouts, addresses_, tls_, reads_});
    connection->index = connections_.size();
    connections_.push_back(connection);
    core_.dial_started(*connection);
    connection->dial();
}

void ConnectionPool::forget(Connection& connection) {
    const std::size_t index = connection.index;
    connections_.back()->index = index;
    std::swap(connections_[index], connections_.back());
    const auto last = std::move(connections_.back());
    connections_.pop_back();
    last->close();
}

void ConnectionPool::arm_timer() {
    const auto next = core_.next_tick();
    if (!next || *next >= timer_at_) {
        return;
    }
    timer_at_ = *next;
    timer_.expires_at(timer_at_);
    timer_.async_wait([self = self_](const boost::system::error_code& error) {
        if (error || *self == nullptr) {
            return;
        }
        ConnectionPool& pool = **self;
        pool.timer_at_ = SteadyTime::max();
        pool.tick();
        pool.arm_timer();
    });
}

void ConnectionPool::publish() noexcept {
    const PoolCore::Counts counts = core_.counts();
    counts_.store((counts.idle << (2 * count_bits)) | (counts.active << count_bits) | counts.connecting,
                  std::memory_order_relaxed);
    waiting_.store(counts.waiting, std::memory_order_relaxed);
    for (IoTimer* const sleeper : sleepers_) {
        sleeper->cancel();
    }
}

asio::awaitable<void> ConnectionPool::changed(SteadyTime until) {
    struct Sleeper {
        ~Sleeper() { std::erase(sleepers, &timer); }
        std::vector<IoTimer*>& sleepers;
        IoTimer timer;
    };
    Sleeper sleeper{sleepers_, IoTimer(io_.get_executor(), until)};
    sleepers_.push_back(&sleeper.timer);
    boost::system::error_code woken;
    co_await sleeper.timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

PoolStats ConnectionPool::stats() const noexcept {
    const std::uint64_t counts = counts_.load(std::memory_order_relaxed);
    PoolStats stats;
    stats.idle = counts >> (2 * count_bits);
    stats.active = (counts >> count_bits) & count_mask;
    stats.connecting = counts & count_mask;
    stats.open = stats.idle + stats.active + stats.connecting;
    stats.waiting = waiting_.load(std::memory_order_relaxed);
    stats.dials_failed = dials_failed_.load(std::memory_order_relaxed);
    stats.connections_created = created_.load(std::memory_order_relaxed);
    stats.requests = requests_.load(std::memory_order_relaxed);
    return stats;
}

}  // namespace ktrdr
