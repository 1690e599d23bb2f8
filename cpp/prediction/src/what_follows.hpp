#pragma once

#include <cstddef>
#include <string>

namespace ktrdr {

/// What a hole in the bars means for the predictions behind it.
[[nodiscard]] std::string what_follows_a_hole(std::size_t history);

}  // namespace ktrdr
