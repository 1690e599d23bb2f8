#pragma once

#include <boost/json/object.hpp>
#include <boost/json/storage_ptr.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// How many levels a value from outside may have.
inline constexpr std::size_t deepest_json = 100;

/// The value of a JSON text: the one way in which the core reads JSON.
///
/// A number with a fraction or an exponent, or beyond 64 bits, is the double nearest to what is written, as Python's
/// `json.loads` has it; what is beyond a double is infinity or zero. Of a key that an object has twice the last counts.
/// Deeper than `deepest_json` levels, and what is put around them, is refused.
/// Errors: `error` says what is wrong, and the value is null.
[[nodiscard]] KTRDR_EXPORT boost::json::value parse_json(std::string_view text, boost::system::error_code& error,
                                                         boost::json::storage_ptr memory = {});

/// The same; throws `boost::system::system_error` for what is no JSON.
[[nodiscard]] KTRDR_EXPORT boost::json::value parse_json(std::string_view text);

/// The same for a text in which no object may have a key twice: `invalid_argument` names the key, or what else is
/// wrong.
[[nodiscard]] KTRDR_EXPORT Result<boost::json::value> parse_strict_json(std::string_view text);

/// Without the byte order mark that some services put before UTF-8, and JSON does not know.
[[nodiscard]] constexpr std::string_view without_mark(std::string_view text) {
    constexpr std::string_view mark = "\xEF\xBB\xBF";
    return text.starts_with(mark) ? text.substr(mark.size()) : text;
}

/// The text of a member, as long as `object` keeps it; empty where there is no such member or it is no text.
[[nodiscard]] inline std::string_view text_or_empty(const boost::json::object& object, std::string_view key) {
    const boost::json::value* const found = object.if_contains(key);
    return found != nullptr && found->is_string() ? std::string_view(found->get_string()) : std::string_view();
}

}  // namespace ktrdr
