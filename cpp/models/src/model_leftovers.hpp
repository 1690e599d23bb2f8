#pragma once

#include <filesystem>
#include <string>

namespace ktrdr {

/// The name of a model that is being written: hidden, and no version's.
[[nodiscard]] std::string temporary_name(const std::string& id);

/// Remove what saves of processes that are dead left in the folder of a strategy, and the folder where nothing else is
/// in it. A save that lives holds the lock of its folder, so what is locked stays; so does whatever cannot be removed.
void remove_leftovers_in(const std::filesystem::path& strategy);

}  // namespace ktrdr
