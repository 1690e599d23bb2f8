#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Why a bar has no row. Where several reasons hold, the first of them counts.
enum class DropReason : std::uint8_t {
    /// It has a row.
    none,
    /// An indicator has not seen enough bars yet, or a longer bar has not closed yet.
    warm_up,
    /// A window, a lag or a label would span a stretch in which bars are missing.
    hole,
    /// A price is missing, or a value that it leads to.
    nan,
    /// Its label is not known: it looks beyond the last bar, or the bar's price is 0 and no share of it is a move.
    undecided,
    /// Its label, or the embargo behind it, reaches into the next part of the split.
    purged,
};
inline constexpr std::size_t drop_reason_count = 6;

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(DropReason reason) noexcept;

/// Bars without a row, by reason.
class KTRDR_EXPORT DroppedRows final {
public:
    void add(DropReason reason, std::size_t rows = 1) noexcept { counts_[static_cast<std::size_t>(reason)] += rows; }
    /// The counts of both together.
    void add(const DroppedRows& other) noexcept;
    [[nodiscard]] std::size_t operator[](DropReason reason) const noexcept {
        return counts_[static_cast<std::size_t>(reason)];
    }
    [[nodiscard]] std::size_t total() const noexcept;

    friend bool operator==(const DroppedRows&, const DroppedRows&) = default;

private:
    std::array<std::size_t, drop_reason_count> counts_{};
};

}  // namespace ktrdr
