#pragma once

#include <cstddef>
#include <string_view>

#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bar_columns.hpp>

namespace ktrdr {

/// How the values of a column lie, by Arrow's format text.
struct ArrowLayout {
    enum class Kind { numbers, stamps, text };
    Kind kind{Kind::numbers};
    GivenValues::Type type{GivenValues::Type::float64};
    std::ptrdiff_t width{8};
    StampUnit unit{StampUnit::nano};
    /// Of text: 32 or 64 bits an offset, 0 for views.
    int offset_bits{0};
};

/// How a bar's column lies that is of the type `format`. Stamps are Arrow's timestamps, dates or texts, the others
/// integers and floats.
///
/// Errors: `invalid_argument` naming the column, for another type and for values in a dictionary.
[[nodiscard]] Result<ArrowLayout> arrow_layout(std::string_view format, bool in_dictionary, BarColumn column);

}  // namespace ktrdr
