#pragma once

#include <string>
#include <string_view>

namespace ktrdr {

/// The whole address that an answer's `Location` means to somebody who has asked for `base`, without a fragment.
///
/// As browsers read it (WHATWG, "URL Standard"), for services are tried with those: what a URL cannot hold is encoded
/// byte by byte (blanks, quotes, UTF-8 and Latin-1 alike), a backslash before the query is a slash, an encoded dot is a
/// dot. Scheme and authority are left as they are written; whether they can be used is `parse_url`'s to say.
[[nodiscard]] std::string resolve_location(std::string_view base, std::string_view location);

}  // namespace ktrdr
