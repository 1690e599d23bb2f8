#include "pool.hpp"

#include <fmt/format.h>

#include <ktrdr/base/log.hpp>

#include "call.hpp"

namespace ktrdr {
namespace {

constexpr unsigned count_bits = 21;
constexpr std::uint64_t count_mask = (std::uint64_t{1} << count_bits) - 1;

}  // namespace

Pool::Pool(boost::asio::io_context& io, Origin origin, PoolOptions options, Timeouts timeouts)
    : io_(io),
      origin_(std::move(origin)),
      options_(options),
      timeouts_(timeouts),
      core_({options.max_connections, options.max_waiters, options.idle_timeout}),
      idle_timer_(io.get_executor()) {}

Pool::~Pool() {
    *self_ = nullptr;
    for (const auto& connection : connections_) {
        connection->close();
    }
    // The books outlive nothing they list.
    while (core_.close().kind != PoolStep::Kind::none) {
    }
}

void Pool::acquire(Call& call) {
    carry_out(core_.acquire(call));
}

void Pool::leave(Call& call) noexcept {
    core_.leave(call);
    publish();
}

void Pool::abandon(Connection& connection) {
    carry_out(core_.release(connection, false, std::chrono::steady_clock::now()));
}

void Pool::drop_idle() {
    for (PoolStep step = core_.expire({}, true); step.kind != PoolStep::Kind::none; step = core_.expire({}, true)) {
        carry_out(step);
    }
}

void Pool::close() {
    for (PoolStep step = core_.close(); step.kind != PoolStep::Kind::none; step = core_.close()) {
        carry_out(step);
    }
}

void Pool::dial_ended(Connection& connection) {
    created_.fetch_add(1, std::memory_order_relaxed);
    last_dial_error_.clear();
    carry_out(core_.dial_ended(connection, std::chrono::steady_clock::now()));
}

void Pool::dial_failed(Connection& connection, Error error) {
    last_dial_error_ = error.message;
    const PoolStep step = core_.dial_failed(connection);
    forget(connection);
    carry_out(step, &error);
}

void Pool::idle_lost(Connection& connection) {
    carry_out(core_.lost(connection));
}

void Pool::exchange_ended(Connection& connection, Exchange& exchange, Result<void> outcome, bool reusable) {
    const bool used_before = exchange.reused;
    carry_out(core_.release(connection, reusable, std::chrono::steady_clock::now()));
    exchange.call->exchange_ended(std::move(outcome), used_before);
}

void Pool::carry_out(const PoolStep& step, const Error* dial_error) {
    if (step.kind == PoolStep::Kind::close) {
        forget(static_cast<Connection&>(*step.member));
    }
    if (step.dial) {
        dial();
    }
    publish();
    if (step.kind == PoolStep::Kind::grant) {
        static_cast<Call&>(*step.waiter).start(static_cast<Connection&>(*step.member));
    } else if (step.kind == PoolStep::Kind::fail) {
        fail_waiter(step, dial_error);
    }
    arm_idle_timer();
}

void Pool::fail_waiter(const PoolStep& step, const Error* dial_error) {
    Call& call = static_cast<Call&>(*step.waiter);
    switch (step.refusal) {
        case PoolStep::Refusal::saturated:
            call.fail(ktrdr::fail(
                Errc::pool_saturated,
                fmt::format("{} requests wait already for one of {} connections; start fewer at once or raise the pool "
                            "size",
                            options_.max_waiters, options_.max_connections),
                {{"max_waiters", options_.max_waiters}, {"max_connections", options_.max_connections}}));
            return;
        case PoolStep::Refusal::closed: call.fail(ktrdr::fail(Errc::client_closed, "the client was closed")); return;
        case PoolStep::Refusal::dial:
        case PoolStep::Refusal::none:
            call.fail(dial_error != nullptr ? *dial_error : ktrdr::fail(Errc::internal, "no connection"));
            return;
    }
}

void Pool::dial() {
    auto connection = std::make_shared<Connection>(io_, static_cast<Connection::Owner&>(*this),
                                                   Connection::Settings{origin_, options_, timeouts_, addresses_});
    connection->index = connections_.size();
    connections_.push_back(connection);
    core_.dial_started(*connection);
    connection->dial();
}

void Pool::forget(Connection& connection) {
    const std::size_t index = connection.index;
    connections_.back()->index = index;
    std::swap(connections_[index], connections_.back());
    const auto last = std::move(connections_.back());
    connections_.pop_back();
    last->close();
}

void Pool::arm_idle_timer() {
    const auto next = core_.next_expiry();
    if (idle_timer_armed_ || !next) {
        return;
    }
    idle_timer_armed_ = true;
    idle_timer_.expires_at(*next);
    idle_timer_.async_wait([self = self_](const boost::system::error_code& error) {
        if (error || *self == nullptr) {
            return;
        }
        Pool& pool = **self;
        pool.idle_timer_armed_ = false;
        const auto now = std::chrono::steady_clock::now();
        for (PoolStep step = pool.core_.expire(now); step.kind != PoolStep::Kind::none; step = pool.core_.expire(now)) {
            pool.carry_out(step);
        }
        pool.arm_idle_timer();
    });
}

void Pool::publish() noexcept {
    const PoolCore::Counts counts = core_.counts();
    counts_.store((counts.idle << (2 * count_bits)) | (counts.active << count_bits) | counts.connecting,
                  std::memory_order_relaxed);
    waiting_.store(counts.waiting, std::memory_order_relaxed);
}

PoolStats Pool::stats() const noexcept {
    const std::uint64_t counts = counts_.load(std::memory_order_relaxed);
    PoolStats stats;
    stats.idle = counts >> (2 * count_bits);
    stats.active = (counts >> count_bits) & count_mask;
    stats.connecting = counts & count_mask;
    stats.open = stats.idle + stats.active + stats.connecting;
    stats.waiting = waiting_.load(std::memory_order_relaxed);
    stats.connections_created = created_.load(std::memory_order_relaxed);
    stats.requests = requests_.load(std::memory_order_relaxed);
    return stats;
}

}  // namespace ktrdr
