#pragma once

#include <string>
#include <string_view>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// A UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits.
/// Ids made one after another in this process sort in that order, within a millisecond too.
[[nodiscard]] KTRDR_EXPORT std::string make_uuid7(const Clock& clock);

/// `op_<type>_<uuid7>`.
[[nodiscard]] KTRDR_EXPORT std::string make_operation_id(std::string_view type, const Clock& clock);

/// Ids match `[A-Za-z0-9._:-]{1,128}`; anything else is `invalid_argument` naming `field`.
[[nodiscard]] KTRDR_EXPORT Result<void> check_id(std::string_view field, std::string_view id);

}  // namespace ktrdr
