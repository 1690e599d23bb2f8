#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/operations/event.hpp>

namespace ktrdr {

/// The kind that `to_string` calls so, or nothing.
[[nodiscard]] KTRDR_EXPORT std::optional<OperationEventKind> event_kind_from(std::string_view text) noexcept;
/// What `to_string` calls each kind, for errors.
[[nodiscard]] KTRDR_EXPORT std::vector<std::string_view> event_kind_names();

}  // namespace ktrdr
