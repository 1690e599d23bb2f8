#pragma once

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// How many forks lie between the process that first asked and this one: what is kept with it belongs to this process
/// as long as the number stays. Costs no system call, unlike `getpid`.
[[nodiscard]] KTRDR_EXPORT unsigned forks_so_far() noexcept;

}  // namespace ktrdr
