#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Bytes that this process may have in memory at most: the machine's, or less where a control group (version 1 or 2) or
/// one above it allows less. Unset where nobody says. Reads `/proc` and `/sys` under `root`.
[[nodiscard]] KTRDR_EXPORT std::optional<std::uint64_t> allowed_memory(const std::filesystem::path& root = "/");

/// The most bytes that this process has had in memory at once since it began, all of its threads and libraries
/// together, as the kernel counts them (`VmHWM`); unset where it does not.
[[nodiscard]] KTRDR_EXPORT std::optional<std::uint64_t> peak_memory(const std::filesystem::path& root = "/");

/// `1,240 MB`: whole megabytes (a million bytes), rounded up.
[[nodiscard]] KTRDR_EXPORT std::string memory_text(std::uint64_t bytes);

}  // namespace ktrdr
