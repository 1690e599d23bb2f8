#pragma once

#include <string_view>

namespace ktrdr {

/// True for what is no time here only because of its year: nanoseconds reach from 1678 to 2261.
[[nodiscard]] bool is_beyond_years(std::string_view text);

}  // namespace ktrdr
