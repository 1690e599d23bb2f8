#pragma once

#include <cstddef>
#include <functional>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Do work that falls into parts on this thread and on those of `helpers`, and return when all of it is done.
///
/// Each part is begun once, the first ones first. What no helper has begun is done here, so helpers that have other
/// work hold nobody up, and `helpers` may be the executor that this thread is one of.
///
/// `part(number, here)`: `here` says that it runs on the calling thread. It must not throw.
/// Thread safety: several parts at once.
KTRDR_EXPORT void in_parts(Executor& helpers, std::size_t parts,
                           const std::function<void(std::size_t part, bool here)>& part);

}  // namespace ktrdr
