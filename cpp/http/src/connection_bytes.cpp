// The bytes of a connection, plain or through TLS: sending a request's, reading an answer's, and the memory for them.

#include "connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ktrdr {
namespace asio = boost::asio;
namespace {

/// What an idle connection keeps ready, enough for most answers; what is read at a time of one that is larger.
constexpr std::size_t first_read_bytes = 4UL * 1024;
constexpr std::size_t further_read_bytes = 64UL * 1024;
/// What is encrypted at a time, so that a large body is not in memory twice.
constexpr std::size_t tls_piece = 64UL * 1024;

constexpr std::size_t usual_goodbye_bytes = 64;

bool is_not_yet(const boost::system::error_code& error) {
    return error == asio::error::would_block || error == asio::error::try_again;
}

/// Some services say 408 before they close a connection that has lain idle (RFC 9110, 15.5.9): an answer to nothing,
/// and no sign that more of that kind will come.
bool is_goodbye(std::string_view said) {
    return said.starts_with("HTTP/1.1 408") || said.starts_with("HTTP/1.0 408");
}

}  // namespace

std::string_view Connection::body_in_hand() const {
    return feed_ ? feed_->in_hand() : std::string_view(exchange_->request->body).substr(body_sent_);
}

void Connection::written(std::size_t bytes) {
    const std::size_t of_head = std::min(bytes, head_.size() - head_sent_);
    head_sent_ += of_head;
    if (feed_) {
        feed_->sent(bytes - of_head);
    } else {
        body_sent_ += bytes - of_head;
    }
}

bool Connection::is_written() const {
    return head_sent_ == head_.size() && cipher_out_.empty() && (feed_ ? feed_->is_over() : body_in_hand().empty());
}

void Connection::write_plain(boost::system::error_code& error) {
    while (!error) {
        const std::string_view head = std::string_view(head_).substr(head_sent_);
        const std::string_view body = body_in_hand();
        if (head.empty() && body.empty()) {
            return;
        }
        const std::array<asio::const_buffer, 2> rest{asio::buffer(head), asio::buffer(body)};
        written(body.empty() ? socket_.write_some(rest[0], error) : socket_.write_some(rest, error));
    }
}

void Connection::write_tls(boost::system::error_code& error) {
    flush(error);
    while (!error) {
        const bool in_head = head_sent_ < head_.size();
        const std::string_view body = body_in_hand();
        const std::string_view part =
            (in_head ? std::string_view(head_).substr(head_sent_) : body).substr(0, tls_piece);
        if (part.empty()) {
            return;
        }
        if (const auto encrypted = tls_->write(part); !encrypted) {
            error = asio::error::connection_aborted;
            return;
        }
        written(part.size());
        tls_->take_output(cipher_out_);
        // A small head and a small body are one record each, but one call.
        if (!in_head || body.empty() || head_sent_ < head_.size() || cipher_out_.size() >= tls_piece) {
            flush(error);
        }
    }
}

void Connection::flush(boost::system::error_code& error) {
    while (cipher_sent_ < cipher_out_.size() && !error) {
        cipher_sent_ += socket_.write_some(asio::buffer(cipher_out_) + cipher_sent_, error);
    }
    if (cipher_sent_ == cipher_out_.size()) {
        cipher_out_.clear();
        cipher_sent_ = 0;
    }
}

void Connection::write() {
    boost::system::error_code error;
    tls_ ? write_tls(error) : write_plain(error);
    const bool whole = is_written();
    if (head_sent_ > 0) {
        exchange_->sent = whole ? RequestSent::whole : RequestSent::partly;
    }
    const auto now = std::chrono::steady_clock::now();
    if (is_not_yet(error)) {
        set_deadline(now + settings_.timeouts.write);
        socket_.async_wait(Socket::wait_write,
                           [self = shared_from_this(), exchange = exchange_](const boost::system::error_code& failed) {
                               if (!failed && self->writing_ && self->exchange_ == exchange) {
                                   self->guard([&] { self->write(); });
                               }
                           });
        return;
    }
    if (!error && !whole) {
        // A slow disk is no silence of the service; the whole call's limit holds.
        starved_ = true;
        deadline_ = SteadyTime::max();
        return;
    }
    // A peer that no longer reads may have answered before it stopped; the pending read tells.
    end_writing();
    exchange_->phase = Phase::first_byte;
    set_deadline(now + settings_.timeouts.first_byte);
}

void Connection::end_writing() noexcept {
    writing_ = false;
    starved_ = false;
    if (const auto feed = std::exchange(feed_, nullptr)) {
        feed->stop();
    }
}

void Connection::feed_upload() {
    feed_ = std::make_shared<UploadFeed>(socket_.get_executor(), *settings_.reads, exchange_->request->upload,
                                         [weak = weak_from_this()] {
                                             if (const auto self = weak.lock()) {
                                                 self->guard([&] { self->upload_changed(); });
                                             }
                                         });
    feed_->begin();
}

void Connection::upload_changed() {
    if (feed_->failure()) {
        // The service sees half a request, and nothing may follow that.
        end(*feed_->failure(), false);
    } else if (std::exchange(starved_, false)) {
        write();
    }
}

asio::mutable_buffer Connection::read_buffer() {
    const std::size_t size = read_size();
    if (tls_ && cipher_in_.size() < size) {
        cipher_in_.resize(size);
    }
    return tls_ ? asio::buffer(cipher_in_) : asio::mutable_buffer(buffer_.prepare(size));
}

void Connection::arm_wait() {
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const boost::system::error_code&) {
        self->guard([&] { self->readable(); });
    });
}

void Connection::arm_read() {
    socket_.async_read_some(read_buffer(),
                            [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
                                self->guard([&] { self->read(error, bytes); });
                            });
}

void Connection::readable() {
    if (state_ == State::closed) {
        return;
    }
    if (exchange_ == nullptr) {
        const Look found = look();
        found == Look::quiet ? arm_wait() : owner_->idle_lost(*this, found);
        return;
    }
    boost::system::error_code error;
    const std::size_t bytes = socket_.read_some(read_buffer(), error);
    is_not_yet(error) ? arm_wait() : read(error, bytes);
}

Connection::Look Connection::look() {
    if (tls_) {
        return look_behind_tls();
    }
    std::array<char, usual_goodbye_bytes> said{};
    boost::system::error_code error;
    const std::size_t bytes = socket_.read_some(asio::buffer(said), error);
    if (error) {
        return is_not_yet(error) ? Look::quiet : Look::gone;
    }
    return is_goodbye({said.data(), bytes}) ? Look::gone : Look::spoke;
}

Connection::Look Connection::look_behind_tls() {
    for (;;) {
        boost::system::error_code error;
        const std::size_t bytes = socket_.read_some(read_buffer(), error);
        if (error) {
            return is_not_yet(error) ? Look::quiet : Look::gone;
        }
        // What came may have been of TLS itself: a ticket for the next session.
        const auto plain = decrypt(bytes);
        if (plain && *plain > 0) {
            const auto said = buffer_.data();
            return is_goodbye({static_cast<const char*>(said.data()), said.size()}) ? Look::gone : Look::spoke;
        }
        if (!plain || tls_->closed()) {
            return Look::gone;
        }
    }
}

void Connection::read(const boost::system::error_code& error, std::size_t bytes) {
    if (state_ == State::closed) {
        return;
    }
    if (tls_) {
        read_tls(error, bytes);
    } else if (error) {
        read_error(error);
    } else {
        buffer_.commit(bytes);
        parse();
    }
}

void Connection::read_tls(const boost::system::error_code& error, std::size_t bytes) {
    if (state_ == State::handshaking && error) {
        dial_error(Errc::service_connection, to_string(Phase::tls),
                   fmt::format("the connection ended inside the TLS handshake: {}", error.message()));
        return;
    }
    if (state_ == State::handshaking) {
        if (const auto received = tls_->receive({cipher_in_.data(), bytes}); !received) {
            dial_error(received.error().code, to_string(Phase::tls), "the connection " + received.error().message,
                       received.error().context);
            return;
        }
        bytes = 0;
        shake_hands();
        if (state_ == State::handshaking) {
            arm_read();
        }
        if (state_ != State::open) {
            return;
        }
    }
    const auto plain = error ? Result<std::size_t>(0) : decrypt(bytes);
    const bool over = error || !plain || tls_->closed();
    if (exchange_ == nullptr) {
        // It was opened for nobody.
        over || *plain > 0 ? owner_->idle_lost(*this, over ? Look::gone : Look::spoke) : arm_wait();
    } else if (!plain) {
        end(fail(plain.error().code, "the connection " + plain.error().message), false);
    } else if (*plain > 0) {
        parse();
    } else if (over) {
        read_error(error ? error : asio::error::eof);
    } else {
        arm_read();
    }
}

Result<std::size_t> Connection::decrypt(std::size_t bytes) {
    if (const auto received = tls_->receive({cipher_in_.data(), bytes}); !received) {
        return received.error();
    }
    std::size_t sum = 0;
    for (;;) {
        const auto into = buffer_.prepare(read_size());
        const auto got = tls_->read({static_cast<char*>(into.data()), into.size()});
        if (!got) {
            return got.error();
        }
        if (*got == 0) {
            break;
        }
        buffer_.commit(*got);
        sum += *got;
    }
    tls_->take_output(cipher_out_);
    if (!writing_) {
        boost::system::error_code ignored;
        flush(ignored);
    }
    return sum;
}

std::size_t Connection::read_size() const {
    if (exchange_ == nullptr || !exchange_->answered) {
        return first_read_bytes;
    }
    // Little by little where the rest goes straight into pieces, and where a read can become a thousand times as much:
    // others have their turn in between, and a stream's reader is not given it all at once.
    const bool little = comes_straight() || parser_->unpacks();
    return little ? first_read_bytes : further_read_bytes;
}

void Connection::release_memory() {
    parser_.reset();
    if (buffer_.capacity() > first_read_bytes) {
        buffer_ = {};
    }
    if (cipher_in_.capacity() > first_read_bytes) {
        cipher_in_ = {};
    }
    if (cipher_out_.capacity() > first_read_bytes) {
        cipher_out_.shrink_to_fit();
    }
}

}  // namespace ktrdr
