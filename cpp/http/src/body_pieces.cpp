#include <ktrdr/http/body_pieces.hpp>

namespace ktrdr {
namespace {

/// What may wait for a reader, and as much again that it holds.
constexpr std::size_t most_spare = 32;

}  // namespace

std::string PieceStore::take() {
    {
        const std::scoped_lock lock(mutex_);
        if (!spare_.empty()) {
            std::string piece = std::move(spare_.back());
            spare_.pop_back();
            return piece;
        }
    }
    std::string piece;
    piece.reserve(piece_bytes);
    return piece;
}

void PieceStore::give_back(std::string&& piece) {
    // A small one is not worth it, and a large one is more than is asked for.
    if (piece.capacity() < piece_bytes || piece.capacity() >= 2 * piece_bytes) {
        return;
    }
    const std::scoped_lock lock(mutex_);
    if (spare_.size() < most_spare) {
        spare_.push_back(std::move(piece));
    }
}

BodyPieces::~BodyPieces() {
    while (!empty()) {
        pop();
    }
}

void BodyPieces::pop() {
    store_->give_back(std::move(left_.back()));
    left_.pop_back();
}

}  // namespace ktrdr
