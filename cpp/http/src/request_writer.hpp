#pragma once

#include <string>
#include <string_view>

#include <ktrdr/base/result.hpp>
#include <ktrdr/http/message.hpp>
#include <ktrdr/http/options.hpp>

#include "url.hpp"

namespace ktrdr {

/// `invalid_argument` for anything that would not be one request on the wire: CR, LF or NUL, a method or a name that is
/// no token, a field that belongs to the client. `target`: path and query.
[[nodiscard]] Result<void> check(const Request& request, std::string_view target);

/// Replace `out` by the request's head, ready to send. `left` is announced where the request asks for it.
void write_head(std::string& out, const Request& request, std::string_view target, const Origin& origin,
                std::chrono::milliseconds left);

/// When a request that begins at `started` must be over, by its own limits and the client's.
[[nodiscard]] SteadyTime deadline_of(const Request& request, const Timeouts& limits, SteadyTime started) noexcept;

/// Carrying it out twice leaves the same state (RFC 9110, 9.2.2), by its method or by the caller's word.
[[nodiscard]] bool is_idempotent(const Request& request) noexcept;

}  // namespace ktrdr
