#include "call.hpp"

#include <fmt/format.h>

#include "request_writer.hpp"

namespace ktrdr {

Call::Call(ConnectionPool& pool, Request&& request, std::string&& target, CallOwner& owner, StreamedBody* streamed)
    : pool_(pool),
      owner_(owner),
      request_(std::move(request)),
      target_(std::move(target)),
      started_(std::chrono::steady_clock::now()),
      total_deadline_(deadline_of(request_, pool.timeouts(), started_)),
      retries_(pool.retry(), pool.budget(), is_idempotent(request_), total_deadline_) {
    urgent = request_.urgent;
    exchange_.request = &request_;
    exchange_.target = target_;
    exchange_.deadline = total_deadline_;
    exchange_.call = this;
    exchange_.streamed = streamed;
}

Call::~Call() {
    give_up();
}

void Call::begin() {
    pool_.count_request();
    if (started_ >= total_deadline_) {
        fail(ktrdr::fail(Errc::service_timeout, "its deadline had passed before it began"));
        return;
    }
    attempt(started_);
}

void Call::attempt(SteadyTime now) {
    paused_until_.reset();
    attempt_started_ = now;
    waiting_since_ = now;
    exchange_.phase = Phase::pool;
    exchange_.sent = RequestSent::no;
    if (exchange_.streamed != nullptr) {
        exchange_.streamed->pieces.clear();
    }
    sent_again_ = false;
    pool_.acquire(*this, now);
}

SteadyTime Call::deadline() const {
    if (head_) {
        // A stream may go on for ever; only its silence is limited.
        return SteadyTime::max();
    }
    if (paused_until_) {
        return std::min(*paused_until_, total_deadline_);
    }
    return connection_ == nullptr ? std::min(waiting_since_ + pool_.timeouts().pool, total_deadline_) : total_deadline_;
}

void Call::check_time() {
    const auto now = std::chrono::steady_clock::now();
    if (ended() || now < deadline()) {
        return;
    }
    if (paused_until_) {
        attempt(now);
        return;
    }
    const bool total = deadline() == total_deadline_;
    Error error = with_facts(too_late(total));
    give_up();
    attempt_ended(std::move(error));
}

Error Call::too_late(bool total) const {
    if (connection_ == nullptr) {
        const auto limit =
            total ? std::chrono::ceil<std::chrono::milliseconds>(total_deadline_ - started_) : pool_.timeouts().pool;
        return no_connection(limit);
    }
    return ktrdr::fail(Errc::service_timeout,
                       fmt::format("not finished within {} ms in all",
                                   std::chrono::ceil<std::chrono::milliseconds>(total_deadline_ - started_).count()));
}

Error Call::no_connection(std::chrono::milliseconds limit) const {
    const std::string& last = pool_.last_dial_error();
    boost::json::object facts{{"max_connections", pool_.options().max_connections}};
    if (const PoolStats now = pool_.stats(); last.empty() && now.connecting > 0) {
        facts["connecting"] = now.connecting;
        return ktrdr::fail(Errc::pool_timeout,
                           fmt::format("no connection within {} ms: of {} at most, {} are in use and {} still being "
                                       "made; is the service reachable at that address? Else allow more time",
                                       limit.count(), pool_.options().max_connections, now.active, now.connecting),
                           std::move(facts));
    }
    if (last.empty()) {
        return ktrdr::fail(Errc::pool_timeout,
                           fmt::format("none of {} connections became free within {} ms; start fewer requests at once "
                                       "or raise the pool size",
                                       pool_.options().max_connections, limit.count()),
                           std::move(facts));
    }
    facts["last_dial_error"] = last;
    return ktrdr::fail(Errc::pool_timeout,
                       fmt::format("no connection within {} ms; the last dial failed: {}", limit.count(), last),
                       std::move(facts));
}

void Call::start(Connection& connection) {
    const auto now = std::chrono::steady_clock::now();
    pool_.metrics().waited(now - waiting_since_);
    connection_ = &connection;
    exchange_.reused = connection.used();
    connection.start(exchange_, now);
}

void Call::fail(Error error) {
    attempt_ended(with_facts(std::move(error)));
}

void Call::exchange_ended(Result<void> outcome, bool was_reused) {
    connection_ = nullptr;
    if (head_) {
        finish(outcome ? Result<Response>(Response{}) : with_facts(std::move(outcome).error()));
        owner_.call_changed();
        return;
    }
    if (outcome) {
        attempt_ended(std::move(exchange_.response));
        return;
    }
    // A kept connection may have died while the request was on its way: that says nothing about the service. Or it
    // brought what was for somebody else.
    const bool died = outcome.error().code == Errc::service_connection && !exchange_.answered;
    const bool lost = was_reused && (died || exchange_.unasked);
    if (lost && !sent_again_ && (exchange_.sent == RequestSent::no || is_idempotent(request_))) {
        sent_again_ = true;
        waiting_since_ = std::chrono::steady_clock::now();
        exchange_.phase = Phase::pool;
        exchange_.sent = RequestSent::no;
        owner_.call_changed();
        pool_.drop_idle();
        pool_.acquire(*this, waiting_since_);
        return;
    }
    attempt_ended(with_facts(std::move(outcome).error()));
}

void Call::cancel(const CancelReason& reason) {
    if (ended()) {
        return;
    }
    Error error = with_facts(cancelled_error(reason, fmt::format("{} {}", request_.method, shown_url())));
    give_up();
    attempt_ended(std::move(error));
}

void Call::give_up() noexcept {
    if (pool_.is_waiting(*this)) {
        pool_.leave(*this);
    } else if (connection_ != nullptr) {
        pool_.abandon(*std::exchange(connection_, nullptr));
    }
}

void Call::head_arrived() {
    Result<Response> head(std::move(exchange_.response));
    if (!pause_after(head)) {
        head->attempts = retries_.failed();
        head->elapsed = std::chrono::steady_clock::now() - started_;
        pool_.metrics().answered(head->status, head->elapsed);
        head_ = std::make_unique<Response>(std::move(*head));
    } else {
        // Its body is of no interest.
        give_up();
    }
    owner_.call_changed();
}

BodyPieces Call::take_pieces() {
    if (connection_ != nullptr) {
        connection_->take_pieces();
    }
    StreamedBody& body = *exchange_.streamed;
    return {std::exchange(body.pieces, {}), body.store};
}

std::optional<Error> Call::failure() const {
    return outcome_ && outcome_->has_error() ? std::optional(outcome_->error()) : std::nullopt;
}

void Call::abandon() {
    give_up();
    exchange_.streamed->pieces.clear();
    finish(with_facts(ktrdr::fail(Errc::client_closed, "the stream was closed by its reader")));
    owner_.call_changed();
}

bool Call::pause_after(const Result<Response>& outcome) {
    if (retries_.stands(outcome)) {
        return false;
    }
    const auto now = std::chrono::steady_clock::now();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - attempt_started_);
    const auto pause = retries_.after(outcome, took, now, std::chrono::system_clock::now(), pool_.chance());
    const Attempt& attempt = retries_.failed().back();
    if (request_.observer) {
        request_.observer->on_attempt_failed(attempt);
    }
    if (!pause) {
        return false;
    }
    pool_.metrics().retried(attempt);
    exchange_.phase = Phase::retry;
    paused_until_ = now + *pause;
    return true;
}

void Call::attempt_ended(Result<Response>&& outcome) {
    if (head_ || !pause_after(outcome)) {
        finish(std::move(outcome));
    }
    owner_.call_changed();
}

void Call::finish(Result<Response>&& outcome) {
    const auto elapsed = std::chrono::steady_clock::now() - started_;
    if (outcome && !head_) {
        outcome->attempts = retries_.failed();
        outcome->elapsed = elapsed;
        pool_.metrics().answered(outcome->status, elapsed);
    } else if (!outcome) {
        pool_.metrics().failed(outcome.error().code, elapsed);
        Error error = std::move(outcome).error();
        error.context["attempts"] = to_json(retries_.failed());
        outcome = std::move(error);
    }
    outcome_.emplace(std::move(outcome));
}

Result<Response> Call::take() {
    return std::move(*outcome_);
}

std::string Call::shown_url() const {
    return pool_.origin().url + target_.substr(0, target_.find('?'));
}

Error Call::with_facts(Error error) const {
    const std::string url = shown_url();
    const auto elapsed = std::chrono::steady_clock::now() - started_;
    const auto* const named = error.context.if_contains("phase");
    const std::string phase(named != nullptr ? std::string_view(named->as_string()) : to_string(exchange_.phase));
    if (!is_stop(error.code)) {
        error.message = fmt::format("{} {} failed: {} (phase {})", request_.method, url, error.message, phase);
    }
    // A certificate that was refused once will be refused again.
    const bool passing = is_retryable(error.code) && !error.context.contains("tls");
    error.context["method"] = request_.method;
    error.context["url"] = url;
    error.context["phase"] = phase;
    error.context["elapsed_ms"] = std::chrono::duration<double, std::milli>(elapsed).count();
    error.context["request_sent"] = to_string(exchange_.sent);
    error.context["retryable"] = passing && (exchange_.sent == RequestSent::no || is_idempotent(request_));
    return error;
}

}  // namespace ktrdr
