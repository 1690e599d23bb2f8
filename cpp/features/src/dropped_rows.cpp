#include <ktrdr/features/dropped_rows.hpp>

namespace ktrdr {

std::string_view to_string(DropReason reason) noexcept {
    constexpr std::array<std::string_view, drop_reason_count> names{"none", "warm_up",   "hole",
                                                                    "nan",  "undecided", "purged"};
    return names[static_cast<std::size_t>(reason)];
}

void DroppedRows::add(const DroppedRows& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        counts_[i] += other.counts_[i];
    }
}

std::size_t DroppedRows::total() const noexcept {
    std::size_t sum = 0;
    for (std::size_t i = 1; i < counts_.size(); ++i) {
        sum += counts_[i];
    }
    return sum;
}

}  // namespace ktrdr
