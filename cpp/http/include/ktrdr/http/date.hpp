#pragma once

#include <optional>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/http/message.hpp>

namespace ktrdr {

/// The sender's clock by the answer's `Date`, in whole seconds; nothing where it has none, or one that is no date.
[[nodiscard]] KTRDR_EXPORT std::optional<UtcTime> date_of(const Headers& headers);

}  // namespace ktrdr
