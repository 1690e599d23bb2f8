// A body that is read as it comes: gathered for its reader, and held up where that is slower than the service.

#include "connection.hpp"

#include <algorithm>

namespace ktrdr {
namespace asio = boost::asio;
namespace {

/// A streamed body waits in memory up to this, and what one read brings.
constexpr std::size_t most_gathered = 1024UL * 1024;
/// What is a piece of its own, so that gathering more copies nothing again.
constexpr std::size_t large_piece = 32UL * 1024;

}  // namespace

bool Connection::is_full() const noexcept {
    return gathered_ + parser_->body_size() >= most_gathered;
}

bool Connection::comes_straight() const {
    return exchange_->streamed != nullptr && !tls_ && parser_->plain_left() > large_piece;
}

Result<ResponseParser::Progress> Connection::read_pieces(boost::system::error_code& error) {
    StreamedBody& body = *exchange_->streamed;
    Result<ResponseParser::Progress> progress = ResponseParser::Progress::need_more;
    bool more = true;
    while (progress && more && comes_straight() && !is_full()) {
        std::string piece = body.store->take();
        // The last byte comes through the buffer, where anything behind it is seen.
        piece.resize(std::min<std::uint64_t>(PieceStore::piece_bytes, parser_->plain_left() - 1));
        const std::size_t size = socket_.read_some(asio::buffer(piece), error);
        more = size >= large_piece;
        if (more) {
            collect_piece(body);
            piece.resize(size);
            gathered_ += size;
            progress = parser_->pass(asio::buffer(piece));
            body.pieces.push_back(std::move(piece));
        } else {
            std::size_t used = 0;
            progress = parser_->feed(asio::buffer(piece, size), used);
            body.store->give_back(std::move(piece));
        }
    }
    if (error == asio::error::would_block || error == asio::error::try_again) {
        error = {};
    }
    return progress;
}

bool Connection::hand_over_pieces() {
    Exchange* const exchange = exchange_;
    if (!exchange->head_told) {
        exchange->head_told = true;
        exchange->response = parser_->take_head();
        owner_->head_arrived(*exchange);
        if (exchange_ != exchange) {
            return false;
        }
    }
    const std::size_t size = parser_->body_size();
    if (size >= large_piece) {
        collect_piece(*exchange->streamed);
    }
    if (size > 0 || !exchange->streamed->pieces.empty()) {
        owner_->piece_arrived(*exchange);
    }
    return exchange_ == exchange;
}

void Connection::collect_piece(StreamedBody& body) {
    const std::size_t size = parser_->body_size();
    if (size == 0) {
        return;
    }
    gathered_ += size;
    std::string next = size < large_piece ? std::string() : body.store->take();
    next.clear();
    body.pieces.push_back(parser_->take_body(std::move(next)));
}

void Connection::take_pieces() {
    if (exchange_ == nullptr) {
        return;
    }
    collect_piece(*exchange_->streamed);
    gathered_ = 0;
    if (std::exchange(paused_, false)) {
        set_deadline(std::chrono::steady_clock::now() + settings_.timeouts.between_bytes);
        arm_read();
    }
}

}  // namespace ktrdr
