#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>

namespace ktrdr {

/// The start and the (exclusive) end of a range as a person gives them: a time, or a date without a time, which stands
/// for what `BarGrid::range_of` says and is included. `invalid_argument` naming `field` for what is neither.
[[nodiscard]] KTRDR_EXPORT Result<UtcTime> parse_start(std::string_view field, std::string_view text,
                                                       const BarGrid& grid);
[[nodiscard]] KTRDR_EXPORT Result<UtcTime> parse_end(std::string_view field, std::string_view text,
                                                     const BarGrid& grid);

/// Both, as `start_date` and `end_date`; where one is not given, that of `otherwise`. It may be empty.
[[nodiscard]] KTRDR_EXPORT Result<TimeRange> parse_dates(const std::optional<std::string>& start_date,
                                                         const std::optional<std::string>& end_date,
                                                         const BarGrid& grid, TimeRange otherwise);

}  // namespace ktrdr
