#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// The classes a model tells apart, by their number in labels and confusion matrices.
enum class Signal : std::int64_t { buy = 0, hold = 1, sell = 2 };
inline constexpr std::array<std::string_view, 3> signal_names{"buy", "hold", "sell"};

/// What a bar is labelled by: buy when the close `lookahead` bars later is more than `threshold` above the bar's own,
/// sell when it is more than that below, else hold.
struct ForwardReturn {
    /// A fraction (0.02 is 2 %). 0 <= threshold < 1.
    double threshold{0.02};
    /// At least 1.
    std::size_t lookahead{5};
};

/// One label a bar. A label that is not yet decided (the last `lookahead` bars, a price that is not above 0) is
/// `undecided`, and its row is to be dropped.
struct Labels {
    static constexpr std::int64_t undecided = -1;
    std::vector<std::int64_t> classes{};
    /// When the label is known: the end of the last bar it looks at.
    std::vector<UtcTime> ends{};
};

/// `invalid_argument` naming the field for a threshold or lookahead outside its range.
[[nodiscard]] KTRDR_EXPORT Result<Labels> forward_return_labels(const Bars& bars, const BarGrid& grid,
                                                                ForwardReturn rule);

}  // namespace ktrdr
