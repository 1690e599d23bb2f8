#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// Reads the stamps of bars one behind the other as `parse_time` does, the sooner where they share their day and are
/// written as nearly all are: `2024-01-31T09:30:00Z`, with a blank for the `T`, or with `.000`.
class KTRDR_EXPORT StampReader final {
public:
    /// Nanoseconds since 1970; nothing for a text that is no time.
    [[nodiscard]] std::optional<std::int64_t> read(std::string_view text);

private:
    /// The day of the stamp before, as text and as time.
    std::string day_text_{};
    std::int64_t day_{0};
};

}  // namespace ktrdr
