#pragma once

#include <optional>
#include <string_view>

#include <ktrdr/http/message.hpp>

namespace ktrdr {

/// The request that an answer's `Location` asks for, `url` being the whole address that was asked before; none where
/// the answer asks for none, or for one that is not followed: another scheme than http and https, from https to http, a
/// user name in it.
///
/// 301 and 302 turn a POST into a GET, 303 everything but HEAD; 307 and 308 keep method and body (RFC 9110, 15.4). To
/// another origin go only headers that cannot be credentials.
[[nodiscard]] std::optional<Request> redirected(const Request& asked, std::string_view url, const Response& answer);

}  // namespace ktrdr
