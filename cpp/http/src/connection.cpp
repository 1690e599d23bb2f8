#include "connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>

#include "request_writer.hpp"

namespace ktrdr {
namespace asio = boost::asio;
namespace {

constexpr std::chrono::seconds addresses_kept{30};

}  // namespace

std::string_view to_string(Phase phase) noexcept {
    switch (phase) {
        case Phase::pool: return "pool";
        case Phase::resolve: return "resolve";
        case Phase::connect: return "connect";
        case Phase::tls: return "tls";
        case Phase::write: return "write";
        case Phase::first_byte: return "first_byte";
        case Phase::between_bytes: return "between_bytes";
        case Phase::retry: return "retry";
    }
    return "unknown";
}

std::string_view to_string(RequestSent sent) noexcept {
    switch (sent) {
        case RequestSent::no: return "no";
        case RequestSent::partly: return "partly";
        case RequestSent::whole: return "whole";
    }
    return "unknown";
}

Connection::Connection(asio::io_context& io, Owner& owner, Settings settings)
    : owner_(&owner), settings_(settings), socket_(io.get_executor()), timer_(io.get_executor()) {}

void Connection::dial() {
    boost::system::error_code not_an_address;
    const auto address = asio::ip::make_address(settings_.origin.host, not_an_address);
    const auto port = static_cast<std::uint16_t>(std::stoul(settings_.origin.port));
    if (!not_an_address) {
        endpoints_ = {Endpoint(address, port)};
    } else if (std::chrono::steady_clock::now() < settings_.addresses.until) {
        endpoints_ = settings_.addresses.endpoints;
    } else {
        set_deadline(std::chrono::steady_clock::now() + settings_.timeouts.resolve);
        resolver_.emplace(socket_.get_executor());
        // It cannot be stopped: an answer that comes too late finds the state changed.
        resolver_->async_resolve(
            settings_.origin.host, settings_.origin.port, Resolver::numeric_service,
            [self = shared_from_this()](const boost::system::error_code& error, const Resolver::results_type& results) {
                self->guard([&] { self->resolved(error, results); });
            });
        return;
    }
    state_ = State::connecting;
    connect_next();
}

void Connection::resolved(const boost::system::error_code& error, const Resolver::results_type& results) {
    if (state_ != State::resolving) {
        return;
    }
    if (error) {
        dial_error(Errc::service_connection, "resolve",
                   fmt::format("the host name '{}' cannot be resolved: {}", settings_.origin.host, error.message()));
        return;
    }
    for (const auto& entry : results) {
        endpoints_.push_back(entry.endpoint());
    }
    settings_.addresses = {endpoints_, std::chrono::steady_clock::now() + addresses_kept};
    state_ = State::connecting;
    connect_next();
}

void Connection::connect_next() {
    if (next_endpoint_ == endpoints_.size()) {
        settings_.addresses.until = {};
        const bool late = connect_error_ == asio::error::timed_out;
        dial_error(late ? Errc::service_timeout : Errc::service_connection, "connect",
                   late ? fmt::format("no connection within {} ms", settings_.timeouts.connect.count())
                        : connect_error_.message());
        return;
    }
    boost::system::error_code ignored;
    socket_.close(ignored);
    set_deadline(std::chrono::steady_clock::now() + settings_.timeouts.connect);
    const Endpoint& endpoint = endpoints_[next_endpoint_++];
    socket_.async_connect(
        endpoint, [self = shared_from_this(), attempt = next_endpoint_](const boost::system::error_code& error) {
            if (attempt == self->next_endpoint_) {
                self->guard([&] { self->connected(error); });
            }
        });
}

void Connection::connected(const boost::system::error_code& error) {
    if (state_ != State::connecting) {
        return;
    }
    if (error) {
        connect_error_ = error;
        connect_next();
        return;
    }
    boost::system::error_code refused;
    socket_.non_blocking(true, refused);
    if (!refused) {
        socket_.set_option(asio::ip::tcp::no_delay(true), refused);
    }
    if (refused) {
        connect_error_ = refused;
        connect_next();
        return;
    }
    if (!settings_.tls) {
        arm_wait();
        open();
        return;
    }
    state_ = State::handshaking;
    set_deadline(std::chrono::steady_clock::now() + settings_.timeouts.tls);
    auto session = TlsSession::create(settings_.tls, settings_.origin.host);
    if (!session) {
        dial_error(session.error().code, to_string(Phase::tls), "the connection " + session.error().message,
                   session.error().context);
        return;
    }
    tls_.emplace(std::move(*session));
    arm_read();
    shake_hands();
}

void Connection::shake_hands() {
    const auto done = tls_->handshake();
    // A refusal is told to the peer.
    tls_->take_output(cipher_out_);
    flush_handshake();
    if (!done) {
        dial_error(done.error().code, to_string(Phase::tls), "the connection " + done.error().message,
                   done.error().context);
    } else if (*done) {
        open();
    }
}

void Connection::flush_handshake() {
    boost::system::error_code error;
    flush(error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
        socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const boost::system::error_code& failed) {
            if (!failed && self->state_ == State::handshaking) {
                self->guard([&] { self->flush_handshake(); });
            }
        });
    }
    // Other errors come with the pending read.
}

void Connection::open() {
    state_ = State::open;
    deadline_ = SteadyTime::max();
    owner_->dial_ended(*this);
}

void Connection::dial_error(Errc code, std::string_view phase, const std::string& what, boost::json::object facts) {
    Owner* const owner = owner_;
    close();
    facts["phase"] = phase;
    facts["request_sent"] = "no";
    owner->dial_failed(*this, fail(code, what, std::move(facts)));
}

void Connection::start(Exchange& exchange, SteadyTime now) {
    exchange_ = &exchange;
    exchange.phase = Phase::write;
    exchange.sent = RequestSent::no;
    exchange.answered = false;
    exchange.head_told = false;
    exchange.unasked = false;
    paused_ = false;
    gathered_ = 0;
    const std::size_t most =
        exchange.streamed != nullptr ? ResponseParser::unlimited : settings_.options.max_body_bytes;
    parser_.emplace(ResponseParser::Limits{settings_.options.max_head_bytes, most, exchange.request->decode},
                    exchange.request->method == "HEAD");
    const auto left = std::chrono::floor<std::chrono::milliseconds>(exchange.deadline - now);
    write_head(head_, *exchange.request, exchange.target, settings_.origin, left);
    head_sent_ = 0;
    body_sent_ = 0;
    writing_ = true;
    starved_ = false;
    deadline_ = SteadyTime::max();
    if (exchange.request->upload) {
        feed_upload();
    }
    write();
}

void Connection::parse() {
    exchange_->answered = true;
    std::size_t used = 0;
    auto progress = parser_->feed(buffer_.data(), used);
    buffer_.consume(used);
    boost::system::error_code broken;
    if (progress && comes_straight()) {
        progress = read_pieces(broken);
    }
    if (const auto doubt = doubt_about(progress); doubt) {
        exchange_->unasked = true;
        end(*doubt, false);
        return;
    }
    // What is whole is handed over, whatever comes behind it.
    if (exchange_->streamed != nullptr && parser_->has_head() && !hand_over_pieces()) {
        return;
    }
    if (!progress) {
        end(fail(progress.error().code, "the response " + progress.error().message, progress.error().context), false);
        return;
    }
    const bool last = tls_ && tls_->closed();
    if (*progress == ResponseParser::Progress::done) {
        if (exchange_->streamed == nullptr) {
            exchange_->response = parser_->take();
        }
        exchange_->unasked = buffer_.size() > 0;
        end({}, !last && exchange_->sent == RequestSent::whole && buffer_.size() == 0 && parser_->keep_alive());
        return;
    }
    if (last || broken) {
        read_error(last ? asio::error::eof : broken);
        return;
    }
    if (exchange_->streamed != nullptr && is_full()) {
        // Its reader is slower than the service: that is no silence of the service.
        paused_ = true;
        deadline_ = SteadyTime::max();
        return;
    }
    if (!writing_) {
        exchange_->phase = Phase::between_bytes;
        set_deadline(std::chrono::steady_clock::now() + settings_.timeouts.between_bytes);
    }
    arm_read();
}

std::optional<Error> Connection::doubt_about(const Result<ResponseParser::Progress>& progress) const {
    if (!exchange_->reused || exchange_->head_told) {
        return std::nullopt;
    }
    if (!progress && !parser_->has_status()) {
        return fail(Errc::protocol, "the response " + progress.error().message);
    }
    const auto behind = buffer_.data();
    if (progress && *progress == ResponseParser::Progress::done && behind.size() > 0 &&
        ResponseParser::begins_like_answer({static_cast<const char*>(behind.data()), behind.size()})) {
        return fail(
            Errc::protocol,
            "the response has another behind it, on a connection that had carried a request before: which of the "
            "two is to this request cannot be told");
    }
    return std::nullopt;
}

void Connection::read_error(const boost::system::error_code& error) {
    if (error != asio::error::eof) {
        end(fail(Errc::service_connection, fmt::format("the connection broke: {}", error.message())), false);
    } else if (!parser_->started()) {
        end(fail(Errc::service_connection, "the service closed the connection without a response"), false);
    } else if (const auto progress = parser_->feed_end(); progress && tls_ && !tls_->closed()) {
        end(fail(Errc::protocol, "the response ends without the goodbye of TLS: it may have been cut short"), false);
    } else if (progress) {
        if (exchange_->streamed != nullptr && !hand_over_pieces()) {
            return;
        }
        if (exchange_->streamed == nullptr) {
            exchange_->response = parser_->take();
        }
        end({}, false);
    } else {
        end(fail(progress.error().code, "the response " + progress.error().message), false);
    }
}

void Connection::end(Result<void> outcome, bool reusable) {
    Exchange& exchange = *exchange_;
    if (exchange.streamed != nullptr && exchange.head_told) {
        collect_piece(*exchange.streamed);
    }
    exchange_ = nullptr;
    used_ = true;
    end_writing();
    deadline_ = SteadyTime::max();
    if (reusable) {
        release_memory();
        arm_wait();
    }
    owner_->exchange_ended(*this, exchange, std::move(outcome), reusable);
}

void Connection::close() noexcept {
    boost::system::error_code ignored;
    if (tls_ && state_ == State::open && exchange_ == nullptr) {
        // What can be sent at once; nobody waits for the peer's own goodbye.
        if (tls_->say_goodbye()) {
            tls_->take_output(cipher_out_);
            flush(ignored);
        }
    }
    state_ = State::closed;
    owner_ = nullptr;
    exchange_ = nullptr;
    end_writing();
    deadline_ = SteadyTime::max();
    if (resolver_) {
        resolver_->cancel();
    }
    socket_.close(ignored);
    timer_.cancel();
}

void Connection::cut(Error error) {
    if (exchange_ != nullptr) {
        end(std::move(error), false);
    } else if (state_ != State::open && state_ != State::closed) {
        dial_error(error.code, to_string(Phase::connect), error.message);
    }
}

void Connection::step_failed(Error error) {
    if (exchange_ == nullptr && state_ == State::open) {
        owner_->idle_lost(*this, Look::gone);
    } else {
        cut(std::move(error));
    }
}

void Connection::set_deadline(SteadyTime deadline) {
    deadline_ = deadline;
    if (deadline < timer_at_) {
        arm_timer(deadline);
    }
}

void Connection::arm_timer(SteadyTime when) {
    timer_at_ = when;
    timer_.expires_at(when);
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        if (!error) {
            self->guard([&] { self->timer_fired(); });
        }
    });
}

void Connection::timer_fired() {
    timer_at_ = SteadyTime::max();
    if (deadline_ == SteadyTime::max()) {
        return;
    }
    if (std::chrono::steady_clock::now() < deadline_) {
        arm_timer(deadline_);
        return;
    }
    deadline_ = SteadyTime::max();
    if (state_ == State::resolving) {
        dial_error(Errc::service_timeout, "resolve",
                   fmt::format("the host name '{}' was not resolved within {} ms", settings_.origin.host,
                               settings_.timeouts.resolve.count()));
    } else if (state_ == State::connecting) {
        connect_error_ = asio::error::timed_out;
        connect_next();
    } else if (state_ == State::handshaking) {
        dial_error(Errc::service_timeout, to_string(Phase::tls),
                   fmt::format("no TLS handshake within {} ms", settings_.timeouts.tls.count()));
    } else if (exchange_ != nullptr) {
        const auto limit = exchange_->phase == Phase::write        ? settings_.timeouts.write
                           : exchange_->phase == Phase::first_byte ? settings_.timeouts.first_byte
                                                                   : settings_.timeouts.between_bytes;
        const std::string_view what = exchange_->phase == Phase::write        ? "the request could not be written"
                                      : exchange_->phase == Phase::first_byte ? "no response"
                                                                              : "nothing more of the response";
        end(fail(Errc::service_timeout, fmt::format("{} within {} ms", what, limit.count())), false);
    }
}

}  // namespace ktrdr
