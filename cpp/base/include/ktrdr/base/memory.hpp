#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Bytes that this process may have in memory at most: the machine's, or less where a control group (version 1 or 2) or
/// one above it allows less. Unset where nobody says. Reads `/proc` and `/sys` under `root`.
[[nodiscard]] KTRDR_EXPORT std::optional<std::uint64_t> allowed_memory(const std::filesystem::path& root = "/");

/// The most bytes that this process has had in memory at once since it began, all of its threads and libraries
/// together, as the kernel counts them (`VmHWM`); unset where it does not.
[[nodiscard]] KTRDR_EXPORT std::optional<std::uint64_t> peak_memory(const std::filesystem::path& root = "/");

/// Have the kernel give memory that nobody has written to in large pages, where it has some: the first write to each
/// page costs a microsecond or so, and half a million rows are ten thousand small pages.
KTRDR_EXPORT void prefer_large_pages(void* memory, std::size_t bytes) noexcept;

/// `values.reserve(count)`, in large pages where that is worth it.
template <class T>
void reserve_large(std::vector<T>& values, std::size_t count) {
    values.reserve(count);
    prefer_large_pages(values.data() + values.size(), (values.capacity() - values.size()) * sizeof(T));
}

/// `1,240 MB`: whole megabytes (a million bytes), rounded up.
[[nodiscard]] KTRDR_EXPORT std::string memory_text(std::uint64_t bytes);

}  // namespace ktrdr
