#pragma once

#include <ktrdr/base/export.hpp>

#include <boost/json/storage_ptr.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <string_view>

namespace ktrdr {

/// The value of a JSON text as services send it: `parse_json` of what stands behind a byte order mark, which JSON
/// itself does not know. A mark of UTF-16 or UTF-32 is believed.
///
/// Errors: `error` says what is wrong, and the value is null.
[[nodiscard]] KTRDR_EXPORT boost::json::value parse_sent_json(std::string_view text, boost::system::error_code& error,
                                                              boost::json::storage_ptr memory = {});

}  // namespace ktrdr
