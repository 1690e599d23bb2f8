#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include <ktrdr/base/clock.hpp>

namespace ktrdr {

/// How long from `now` a `Retry-After` field asks to wait: whole seconds, or a date in one of the three forms of
/// RFC 9110 5.6.7. A date in the past is zero; a number too large to hold is the largest; nothing for anything else.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value, UtcTime now);

}  // namespace ktrdr
