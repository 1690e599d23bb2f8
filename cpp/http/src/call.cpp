#include "call.hpp"

#include <fmt/format.h>

#include "request_writer.hpp"

namespace ktrdr {

Call::Call(ConnectionPool& pool, Request request)
    : timer(pool.io().get_executor()),
      pool_(pool),
      started_(std::chrono::steady_clock::now()),
      total_(request.timeout.count() > 0 ? std::min(request.timeout, pool.timeouts().total) : pool.timeouts().total),
      total_deadline_(started_ + total_),
      pool_deadline_(started_ + pool.timeouts().pool) {
    urgent = request.urgent;
    exchange_.request = std::move(request);
    exchange_.call = this;
}

Call::~Call() {
    give_up();
}

void Call::begin() {
    pool_.count_request();
    pool_.acquire(*this);
}

SteadyTime Call::deadline() const {
    return connection_ == nullptr ? std::min(pool_deadline_, total_deadline_) : total_deadline_;
}

void Call::arm() {
    timer.expires_at(deadline());
}

void Call::check_deadline() {
    if (ended() || std::chrono::steady_clock::now() < deadline()) {
        return;
    }
    const bool total = deadline() == total_deadline_;
    Error error = with_facts(too_late(total));
    give_up();
    finish(std::move(error));
}

Error Call::too_late(bool total) const {
    const std::string last =
        pool_.last_dial_error().empty() ? "" : fmt::format("; the last dial failed: {}", pool_.last_dial_error());
    if (connection_ == nullptr) {
        const auto limit = total ? total_ : pool_.timeouts().pool;
        return ktrdr::fail(Errc::pool_timeout,
                           fmt::format("none of {} connections became free within {} ms{}; start fewer requests at "
                                       "once or raise the pool size",
                                       pool_.options().max_connections, limit.count(), last),
                           {{"max_connections", pool_.options().max_connections}});
    }
    return ktrdr::fail(Errc::service_timeout, fmt::format("not finished within {} ms in all", total_.count()));
}

void Call::start(Connection& connection) {
    connection_ = &connection;
    exchange_.reused = connection.used();
    connection.start(exchange_);
}

void Call::fail(Error error) {
    finish(with_facts(std::move(error)));
}

void Call::exchange_ended(Result<void> outcome, bool was_reused) {
    connection_ = nullptr;
    if (outcome) {
        finish(std::move(exchange_.response));
        return;
    }
    // A kept connection may have died while the request was on its way: that says nothing about the service.
    const bool lost = outcome.error().code == Errc::service_connection && !exchange_.answered && was_reused;
    if (lost && !sent_again_ && (exchange_.sent == RequestSent::no || is_idempotent(exchange_.request))) {
        sent_again_ = true;
        pool_deadline_ = std::chrono::steady_clock::now() + pool_.timeouts().pool;
        exchange_.phase = Phase::pool;
        exchange_.sent = RequestSent::no;
        pool_.drop_idle();
        pool_.acquire(*this);
        return;
    }
    finish(with_facts(std::move(outcome).error()));
}

void Call::cancel(const CancelReason& reason) {
    if (ended()) {
        return;
    }
    Error error = with_facts(
        cancelled_error(reason, fmt::format("{} {}{}", exchange_.request.method, pool_.origin().url,
                                            exchange_.request.target.substr(0, exchange_.request.target.find('?')))));
    give_up();
    finish(std::move(error));
}

void Call::give_up() noexcept {
    if (pool_.is_waiting(*this)) {
        pool_.leave(*this);
    } else if (connection_ != nullptr) {
        pool_.abandon(*std::exchange(connection_, nullptr));
    }
}

void Call::finish(Result<Response> outcome) {
    outcome_.emplace(std::move(outcome));
    timer.cancel();
}

Result<Response> Call::take() {
    return std::move(*outcome_);
}

Error Call::with_facts(Error error) const {
    const Request& request = exchange_.request;
    const std::string url = pool_.origin().url + request.target.substr(0, request.target.find('?'));
    const auto elapsed = std::chrono::steady_clock::now() - started_;
    const bool named = error.context.contains("phase");
    const std::string phase =
        named ? std::string(error.context.at("phase").as_string()) : std::string(to_string(exchange_.phase));
    if (error.code != Errc::cancelled && error.code != Errc::timed_out) {
        error.message = fmt::format("{} {} failed: {} (phase {})", request.method, url, error.message, phase);
    }
    error.context["method"] = request.method;
    error.context["url"] = url;
    error.context["phase"] = phase;
    error.context["elapsed_ms"] = std::chrono::duration<double, std::milli>(elapsed).count();
    error.context["request_sent"] = to_string(exchange_.sent);
    return error;
}

}  // namespace ktrdr
