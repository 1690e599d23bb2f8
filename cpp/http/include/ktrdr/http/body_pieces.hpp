#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Memory for the pieces of a body, used in turn. What is freed by the half megabyte goes back to the system, and
/// faulting it in again costs more than filling it.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT PieceStore final {
public:
    /// How long a piece is that was read in one go, at most.
    static constexpr std::size_t piece_bytes = 64UL * 1024;

    /// With room for `piece_bytes`; its length and what is in it are left from its last use.
    [[nodiscard]] std::string take();
    void give_back(std::string&& piece);

private:
    std::mutex mutex_{};
    std::vector<std::string> spare_{};
};

/// Pieces of a body, to be taken in their order. Their memory goes back to where it came from.
class KTRDR_EXPORT BodyPieces final {
public:
    BodyPieces() = default;
    BodyPieces(std::vector<std::string>&& pieces, std::shared_ptr<PieceStore> store)
        : left_(std::move(pieces)), store_(std::move(store)) {
        std::ranges::reverse(left_);
    }
    BodyPieces(BodyPieces&& other) noexcept = default;
    BodyPieces& operator=(BodyPieces&& other) noexcept = default;
    ~BodyPieces();

    [[nodiscard]] std::size_t size() const noexcept { return left_.size(); }
    [[nodiscard]] bool empty() const noexcept { return left_.empty(); }
    /// Valid until `pop`.
    [[nodiscard]] std::string_view front() const { return left_.back(); }
    void pop();

private:
    /// The first one last.
    std::vector<std::string> left_{};
    std::shared_ptr<PieceStore> store_{};
};

}  // namespace ktrdr
