#include "connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>

#include "request_writer.hpp"

namespace ktrdr {
namespace asio = boost::asio;
namespace {

constexpr std::size_t read_bytes = 16UL * 1024;
constexpr std::chrono::seconds addresses_kept{30};

}  // namespace

std::string_view to_string(Phase phase) noexcept {
    switch (phase) {
        case Phase::pool: return "pool";
        case Phase::resolve: return "resolve";
        case Phase::connect: return "connect";
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
                self->resolved(error, results);
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
                self->connected(error);
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
    state_ = State::open;
    deadline_ = SteadyTime::max();
    arm_read();
    owner_->dial_ended(*this);
}

void Connection::dial_error(Errc code, std::string_view phase, const std::string& what) {
    Owner* const owner = owner_;
    close();
    owner->dial_failed(*this, ktrdr::fail(code, what, {{"phase", phase}, {"request_sent", "no"}}));
}

void Connection::start(Exchange& exchange) {
    exchange_ = &exchange;
    exchange.phase = Phase::write;
    exchange.sent = RequestSent::no;
    exchange.answered = false;
    parser_.emplace(ResponseParser::Limits{settings_.options.max_head_bytes, settings_.options.max_body_bytes},
                    exchange.request->method == "HEAD");
    const auto left =
        std::chrono::floor<std::chrono::milliseconds>(exchange.deadline - std::chrono::steady_clock::now());
    write_head(head_, *exchange.request, exchange.target, settings_.origin, left);
    written_ = 0;
    writing_ = true;
    deadline_ = SteadyTime::max();
    write();
}

void Connection::write() {
    const std::string& body = exchange_->request->body;
    const std::size_t total = head_.size() + body.size();
    boost::system::error_code error;
    while (written_ < total && !error) {
        const std::size_t of_head = std::min(written_, head_.size());
        const std::array<asio::const_buffer, 2> rest{asio::buffer(head_) + of_head,
                                                     asio::buffer(body) + (written_ - of_head)};
        written_ += body.empty() ? socket_.write_some(rest[0], error) : socket_.write_some(rest, error);
    }
    if (written_ > 0) {
        exchange_->sent = written_ == total ? RequestSent::whole : RequestSent::partly;
    }
    const auto now = std::chrono::steady_clock::now();
    if (error == asio::error::would_block || error == asio::error::try_again) {
        set_deadline(now + settings_.timeouts.write);
        socket_.async_wait(Socket::wait_write,
                           [self = shared_from_this(), exchange = exchange_](const boost::system::error_code& failed) {
                               if (!failed && self->writing_ && self->exchange_ == exchange) {
                                   self->write();
                               }
                           });
        return;
    }
    // A peer that no longer reads may have answered before it stopped; the pending read tells.
    writing_ = false;
    exchange_->phase = Phase::first_byte;
    set_deadline(now + settings_.timeouts.first_byte);
}

void Connection::arm_read() {
    socket_.async_read_some(buffer_.prepare(read_bytes),
                            [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
                                self->read(error, bytes);
                            });
}

void Connection::read(const boost::system::error_code& error, std::size_t bytes) {
    if (state_ != State::open) {
        return;
    }
    if (exchange_ == nullptr) {
        owner_->idle_lost(*this);
        return;
    }
    if (error) {
        read_error(error);
        return;
    }
    exchange_->answered = true;
    buffer_.commit(bytes);
    std::size_t used = 0;
    const auto progress = parser_->feed(buffer_.data(), used);
    buffer_.consume(used);
    if (!progress) {
        end(ktrdr::fail(progress.error().code, "the answer " + progress.error().message, progress.error().context),
            false);
        return;
    }
    if (*progress == ResponseParser::Progress::done) {
        exchange_->response = parser_->take();
        end({}, exchange_->sent == RequestSent::whole && buffer_.size() == 0 && parser_->keep_alive());
        return;
    }
    if (!writing_) {
        exchange_->phase = Phase::between_bytes;
        set_deadline(std::chrono::steady_clock::now() + settings_.timeouts.between_bytes);
    }
    arm_read();
}

void Connection::read_error(const boost::system::error_code& error) {
    if (error != asio::error::eof) {
        end(ktrdr::fail(Errc::service_connection, fmt::format("the connection broke: {}", error.message())), false);
    } else if (!parser_->started()) {
        end(ktrdr::fail(Errc::service_connection, "the service closed the connection without an answer"), false);
    } else if (const auto progress = parser_->feed_end(); progress) {
        exchange_->response = parser_->take();
        end({}, false);
    } else {
        end(ktrdr::fail(progress.error().code, "the answer " + progress.error().message), false);
    }
}

void Connection::end(Result<void> outcome, bool reusable) {
    Exchange& exchange = *exchange_;
    exchange_ = nullptr;
    used_ = true;
    writing_ = false;
    deadline_ = SteadyTime::max();
    if (reusable) {
        arm_read();
    }
    owner_->exchange_ended(*this, exchange, std::move(outcome), reusable);
}

void Connection::close() noexcept {
    state_ = State::closed;
    owner_ = nullptr;
    exchange_ = nullptr;
    deadline_ = SteadyTime::max();
    if (resolver_) {
        resolver_->cancel();
    }
    boost::system::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
}

void Connection::fail(Error error) {
    if (exchange_ != nullptr) {
        end(std::move(error), false);
    } else if (state_ == State::resolving || state_ == State::connecting) {
        dial_error(error.code, to_string(Phase::connect), error.message);
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
            self->timer_fired();
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
    } else if (exchange_ != nullptr) {
        const auto limit = exchange_->phase == Phase::write        ? settings_.timeouts.write
                           : exchange_->phase == Phase::first_byte ? settings_.timeouts.first_byte
                                                                   : settings_.timeouts.between_bytes;
        const std::string_view what = exchange_->phase == Phase::write        ? "the request could not be written"
                                      : exchange_->phase == Phase::first_byte ? "no answer"
                                                                              : "nothing more of the answer";
        end(ktrdr::fail(Errc::service_timeout, fmt::format("{} within {} ms", what, limit.count())), false);
    }
}

}  // namespace ktrdr
