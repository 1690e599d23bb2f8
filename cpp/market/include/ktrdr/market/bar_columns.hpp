#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bars.hpp>

namespace ktrdr {

/// The six columns of bars, in the order in which they are written.
enum class BarColumn { time, open, high, low, close, volume };
inline constexpr std::size_t bar_column_count = 6;

/// As it is written into frames and files: timestamp, open, high, low, close, volume.
[[nodiscard]] KTRDR_EXPORT std::string_view to_string(BarColumn column) noexcept;

/// Which column of a stranger's table is which of a bar's.
struct ColumnPlan {
    /// By `BarColumn`, where in the table; volume may be missing.
    std::array<std::optional<std::size_t>, bar_column_count> at{};
    /// Where a table has the day in one column and the time of day in another, the latter.
    std::optional<std::size_t> time_of_day{};
    /// Names of what no bar has.
    std::vector<std::string> ignored{};
};

/// Find a bar's columns by their names, whatever their case: timestamp, time, date or datetime; open, high, low,
/// close, volume or vol. A `date` beside a `time` is the day, and the other the time of day.
///
/// Errors: `invalid_argument` naming what is missing or there twice; `what` begins the message.
[[nodiscard]] KTRDR_EXPORT Result<ColumnPlan> plan_columns(std::string_view what, std::span<const std::string> names);
/// The same for a frame, whose stamps must stand in one column.
[[nodiscard]] KTRDR_EXPORT Result<ColumnPlan> plan_frame(std::span<const std::string> names);

/// What a stamp counts from 1970 on.
enum class StampUnit { day, second, milli, micro, nano };

/// Values of one column in somebody else's memory.
struct GivenValues {
    enum class Type { int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64 };
    Type type{Type::float64};
    const void* data{nullptr};
    /// From one value to the next, in bytes; may be negative.
    std::ptrdiff_t stride{sizeof(double)};
    std::size_t count{0};
    /// A bit a value, the lowest first, 0 for one that is missing; null where none is.
    const std::uint8_t* valid{nullptr};
    /// The first value's bit.
    std::size_t valid_offset{0};
};

/// What becomes of a row without a stamp, or with one that no bar can have.
enum class MissingStamp {
    /// It is an error that names the row.
    refused,
    /// It has the stamp `no_stamp`, for who reads on to leave out.
    kept
};
/// What numpy and pandas have for a time that is not there, too.
inline constexpr std::int64_t no_stamp = std::numeric_limits<std::int64_t>::min();

/// Makes bars of columns as others have them. They come in any number of runs, each column's in order.
///
/// A price that is missing is no number, for who checks the bars to name; a missing volume is -1.
/// Errors: `invalid_argument` naming row (from 0) and column, for a stamp that is missing, no date, or out of range.
class KTRDR_EXPORT BarsBuilder final {
public:
    void reserve(std::size_t rows) { bars_.reserve(rows); }
    void add_numbers(BarColumn column, const GivenValues& values);
    [[nodiscard]] Result<void> add_stamps(StampUnit unit, const GivenValues& values,
                                          MissingStamp missing = MissingStamp::refused);
    /// ISO 8601, without an offset UTC.
    [[nodiscard]] Result<void> add_stamp_text(std::optional<std::string_view> text);
    /// The columns must be of one length, but for a volume that nobody has given.
    [[nodiscard]] Result<Bars> finish() &&;

private:
    Bars bars_{};
};

}  // namespace ktrdr
