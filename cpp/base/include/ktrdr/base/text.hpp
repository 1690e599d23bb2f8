#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Most bytes of a text that is kept for people: a reason, a message, a warning, a line of log.
inline constexpr std::size_t longest_text = 8 * 1024;
/// Most bytes of a name: of an operation, of a step, of a key.
inline constexpr std::size_t longest_name = 256;
/// Most bytes, about, of the facts beside a text: an error's context, a metric, the context of a progress.
inline constexpr std::size_t most_facts = 64 * 1024;

/// A to Z as a to z, everything else as it is, whatever the locale.
[[nodiscard]] KTRDR_EXPORT std::string lower_ascii(std::string_view text);
[[nodiscard]] KTRDR_EXPORT bool is_utf8(std::string_view text) noexcept;
/// The whole text, with `\xNN` in place of bytes that are not UTF-8.
[[nodiscard]] KTRDR_EXPORT std::string shown_utf8(std::string_view text);

/// A text from elsewhere as it may be kept: UTF-8, and at most `limit` bytes (at least 64). Bytes that are no UTF-8 are
/// written `\xe9`. One that is longer is cut between two characters, and its end says how long it was.
///
/// Cost: one pass; a text that is in order is moved.
[[nodiscard]] KTRDR_EXPORT std::string kept_text(std::string text, std::size_t limit = longest_text);

/// The same for plain JSON: texts and keys as `kept_text`, and members beyond `limit` bytes in all are left out. What
/// was left out is told by a last element, `"… (7 more)"`, of an object by its member `"…"`.
[[nodiscard]] KTRDR_EXPORT boost::json::value kept_json(boost::json::value value, std::size_t limit = most_facts);
[[nodiscard]] KTRDR_EXPORT boost::json::object kept_json(boost::json::object object, std::size_t limit = most_facts);

}  // namespace ktrdr
