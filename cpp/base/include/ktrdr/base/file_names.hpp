#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Most bytes of one name of a file or folder.
inline constexpr std::size_t longest_file_name = 255;

/// Any text as a part of a file's name that means the same everywhere: letters and digits of ASCII and `-._=^` as they
/// are, every other byte as `%2F`. A point at the beginning is encoded too, so it is neither hidden nor `.` nor `..`.
[[nodiscard]] KTRDR_EXPORT std::string percent_encoded(std::string_view text);
/// The text that was encoded so, or in another way that percent signs allow; nothing for a percent sign that stands
/// before no two hexadecimal digits.
[[nodiscard]] KTRDR_EXPORT std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace ktrdr
