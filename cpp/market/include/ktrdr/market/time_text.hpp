#pragma once

#include <string>
#include <string_view>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Read ISO 8601: `2024-01-01`, `2024-01-01T09:30[:00[.fff]]`, a space for the T, an offset `Z` or `+hh:mm`. Without an
/// offset it is UTC. `invalid_argument` naming `field` for anything else, impossible dates included.
[[nodiscard]] KTRDR_EXPORT Result<UtcTime> parse_time(std::string_view field, std::string_view text);
/// The same for the end of a half-open range: a date without a time means that the range holds that day.
[[nodiscard]] KTRDR_EXPORT Result<UtcTime> parse_end_time(std::string_view field, std::string_view text);
/// True for a date without a time of day.
[[nodiscard]] KTRDR_EXPORT bool is_date_only(std::string_view text) noexcept;
/// `2024-01-01T00:00:00.000Z`
[[nodiscard]] KTRDR_EXPORT std::string format_time(UtcTime time);
/// `2024-01-01`
[[nodiscard]] KTRDR_EXPORT std::string format_date(UtcTime time);
/// The date alone where the time of day is 00:00 UTC, else the whole time.
[[nodiscard]] KTRDR_EXPORT std::string format_short(UtcTime time);

}  // namespace ktrdr
