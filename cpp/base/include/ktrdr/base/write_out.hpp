#pragma once

#include <functional>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Put what a file has in memory on the disk, half a megabyte at a time, and ask `poll` between the pieces; so a sync
/// of the file, which nobody can end, finds little left to do. An error of `poll` ends it.
///
/// It is no sync: what the disk does not take is told by that.
[[nodiscard]] KTRDR_EXPORT Result<void> write_out(int descriptor, const std::function<Result<void>()>& poll);

}  // namespace ktrdr
