#include <ktrdr/features/split.hpp>

#include <fmt/format.h>

#include <cmath>

namespace ktrdr {
namespace {

std::size_t share_of(std::size_t count, double share) {
    // Shares such as 0.7 are not exact in binary: without the small term 0.7 + 0.15 of 100 rows would be 84.
    return static_cast<std::size_t>(std::floor(static_cast<double>(count) * share + 1e-9));
}

}  // namespace

Result<void> check_shares(SplitShares shares) {
    for (const auto& [name, value] : {std::pair{"train", shares.train}, std::pair{"validation", shares.validation},
                                      std::pair{"test", shares.test}}) {
        if (!(value > 0 && value < 1)) {
            return fail(Errc::invalid_argument,
                        fmt::format("data_split.{} is {}; it must lie between 0 and 1", name, value),
                        {{"field", name}});
        }
    }
    const double sum = shares.train + shares.validation + shares.test;
    if (std::abs(sum - 1) > 1e-6) {
        return fail(Errc::invalid_argument,
                    fmt::format("data_split: train, validation and test add up to {}; they must add up to 1", sum),
                    {{"field", "data_split"}});
    }
    return {};
}

SplitRows split_in_time(std::span<const UtcTime> starts, std::span<const UtcTime> label_ends, SplitShares shares) {
    const std::size_t count = starts.size();
    const std::size_t validation = share_of(count, shares.train);
    const std::size_t test = share_of(count, shares.train + shares.validation);
    SplitRows parts;
    const auto take = [&](std::vector<std::size_t>& part, std::size_t first, std::size_t last) {
        for (std::size_t row = first; row < last; ++row) {
            if (last < count && label_ends[row] > starts[last]) {
                ++parts.purged;
            } else {
                part.push_back(row);
            }
        }
    };
    take(parts.train, 0, validation);
    take(parts.validation, validation, test);
    take(parts.test, test, count);
    return parts;
}

}  // namespace ktrdr
