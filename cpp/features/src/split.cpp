#include <ktrdr/features/split.hpp>

#include <fmt/format.h>

#include <algorithm>
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

CutTimes cut_times(std::vector<UtcTime> starts, SplitShares shares) {
    const auto begin_of = [&starts](double share) {
        const std::size_t row = share_of(starts.size(), share);
        if (row >= starts.size()) {
            return UtcTime::max();
        }
        const auto found = starts.begin() + static_cast<std::ptrdiff_t>(row);
        std::ranges::nth_element(starts, found);
        return *found;
    };
    return {begin_of(shares.train), begin_of(shares.train + shares.validation)};
}

CutTimes cut_times_before(std::vector<UtcTime> starts, SplitShares shares, UtcTime test) {
    std::erase_if(starts, [test](UtcTime start) { return start >= test; });
    const double train = shares.train / (shares.train + shares.validation);
    const CutTimes cuts = cut_times(std::move(starts), {train, 1 - train, 0});
    return {std::min(cuts.validation, test), test};
}

SplitRows split_at(RowTimes rows, CutTimes cuts) {
    SplitRows parts;
    const auto take = [&](std::vector<std::size_t>& part, std::size_t row, UtcTime next) {
        if (rows.ends[row] > next) {
            ++parts.purged;
        } else {
            part.push_back(row);
        }
    };
    for (std::size_t row = 0; row < rows.starts.size(); ++row) {
        if (rows.starts[row] < cuts.validation) {
            take(parts.train, row, cuts.validation);
        } else if (rows.starts[row] < cuts.test) {
            take(parts.validation, row, cuts.test);
        } else {
            parts.test.push_back(row);
        }
    }
    return parts;
}

SplitRows split_in_time(RowTimes rows, SplitShares shares) {
    return split_at(rows, cut_times({rows.starts.begin(), rows.starts.end()}, shares));
}

}  // namespace ktrdr
