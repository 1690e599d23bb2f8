#pragma once

namespace ktrdr {

/// What single precision leaves of a number, and a little more: a share of it.
inline constexpr double rounding = 1e-6;

}  // namespace ktrdr
