#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>

namespace ktrdr {

/// The last five of what was measured again and again, and what is typical of them.
class RecentFive final {
public:
    static constexpr std::size_t most = 5;

    void keep(double value) {
        values_[count_ % values_.size()] = value;
        ++count_;
    }

    [[nodiscard]] std::size_t count() const noexcept { return std::min(count_, values_.size()); }

    [[nodiscard]] double sum() const { return std::accumulate(values_.begin(), values_.begin() + ends(), 0.0); }

    /// The median; of two the later one, for the first measurement holds what comes before the work, or misses some.
    /// Something must have been kept.
    [[nodiscard]] double typical() const {
        if (count_ == 2) {
            return values_[1];
        }
        auto sorted = values_;
        std::sort(sorted.begin(), sorted.begin() + ends());
        const std::size_t middle = count() / 2;
        return count() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

private:
    [[nodiscard]] std::ptrdiff_t ends() const noexcept { return static_cast<std::ptrdiff_t>(count()); }

    std::array<double, most> values_{};
    /// Ever kept.
    std::size_t count_{0};
};

}  // namespace ktrdr
