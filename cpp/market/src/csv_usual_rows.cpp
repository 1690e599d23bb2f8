// Rows of a CSV file as nearly all of them are written, in one pass over their characters: a row that is not is left to
// the reader of lines, which knows all ways, and what to say of what is none.

#include <algorithm>
#include <chrono>

#include <ktrdr/market/csv_reader.hpp>
#include <ktrdr/market/decimal.hpp>

#include "wide_digits.hpp"

namespace ktrdr {
namespace {

/// The longest row that is read wide: stamp, five numbers of sixteen characters, what parts them, the line's end.
constexpr std::ptrdiff_t widest_row = 20 + 5 * 16 + 5 + 2;
/// So much can be read from its beginning on.
constexpr std::ptrdiff_t readable = widest_row + 8;
constexpr std::ptrdiff_t stamp_length = 20;
/// Rows that go to the columns together, while they lie near the processor.
constexpr std::size_t staged_rows = 512;

struct StagedRows {
    std::array<std::int64_t, staged_rows> time;
    /// By column; that of the stamps has none.
    std::array<std::array<double, staged_rows>, bar_column_count> values;
};

int number_of_two(const char* at) noexcept {
    return 10 * (at[0] - '0') + (at[1] - '0');
}

/// Take the day that `at` begins with, of the years that nanoseconds hold wholly; false for another, or for none.
bool take_day(const char* at, WideStamp& day) noexcept {
    constexpr std::uint64_t shape = 0x2d30302d30303030;  // 0000-00-
    const std::uint64_t text = wide::eight(at);
    if ((wide::no_digits(text ^ shape) | wide::no_digits((wide::eight(at + 2) ^ 0x3030303030303030) >> 48)) != 0 ||
        at[4] != '-' || at[7] != '-') {
        return false;
    }
    const int year = 100 * number_of_two(at) + number_of_two(at + 2);
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(number_of_two(at + 5))},
                                           std::chrono::day{static_cast<unsigned>(number_of_two(at + 8))}};
    if (year < 1700 || year > 2200 || !date.ok()) {
        return false;
    }
    day.year_and_month = text;
    std::memcpy(&day.day_of_month, at + 8, sizeof day.day_of_month);
    day.midnight = std::chrono::nanoseconds(std::chrono::sys_days{date}.time_since_epoch()).count();
    return true;
}

/// Read `2024-01-31T09:30:00Z`, or a blank for the T; false for what is written otherwise.
bool read_wide_stamp(const char* at, WideStamp& day, std::int64_t& stamp) noexcept {
    std::uint16_t day_of_month = 0;
    std::memcpy(&day_of_month, at + 8, sizeof day_of_month);
    const bool same_day = wide::eight(at) == day.year_and_month && day_of_month == day.day_of_month;
    if ((at[10] != 'T' && at[10] != ' ') || at[19] != 'Z' || (!same_day && !take_day(at, day))) {
        return false;
    }
    constexpr std::uint64_t shape = 0x30303a30303a3030;  // 00:00:00
    const std::uint64_t time = wide::eight(at + 11) ^ shape;
    const int hour = number_of_two(at + 11);
    const int minute = number_of_two(at + 14);
    const int second = number_of_two(at + 17);
    if (wide::no_digits(time) != 0 || at[13] != ':' || at[16] != ':' || hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    stamp = day.midnight + ((hour * 60LL + minute) * 60 + second) * 1'000'000'000;
    return true;
}

void move_to(Bars& bars, const StagedRows& staged, std::size_t rows) {
    const auto behind = [rows](auto& column, const auto& more) {
        column.insert(column.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(rows));
    };
    const auto of = [&staged](BarColumn column) -> const auto& {
        return staged.values[static_cast<std::size_t>(column)];
    };
    behind(bars.time, staged.time);
    behind(bars.open, of(BarColumn::open));
    behind(bars.high, of(BarColumn::high));
    behind(bars.low, of(BarColumn::low));
    behind(bars.close, of(BarColumn::close));
    behind(bars.volume, of(BarColumn::volume));
}

}  // namespace

void CsvReader::note_columns() {
    has_usual_columns_ = plan_.ignored.empty() && !plan_.time_of_day;
    for (std::size_t i = 0; has_usual_columns_ && i < bar_column_count; ++i) {
        if (plan_.at[i]) {
            usual_columns_[*plan_.at[i]] = static_cast<BarColumn>(i);
        }
    }
}

void CsvReader::make_room(std::size_t row_bytes) {
    constexpr std::size_t most = 4'000'000;
    bars_.reserve(std::min({expected_bytes_ / std::max<std::size_t>(row_bytes, 1) + 1, limits_.most_rows, most}));
}

void CsvReader::take_usual_rows(std::string_view& piece) {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    while (bars_.size() < limits_.most_rows) {
        const std::size_t wide = take_wide_rows(at, end, limits_.most_rows - bars_.size());
        line_ += wide;
        // What is written otherwise, or stands at the end of the piece.
        if (wide == 0) {
            if (!take_usual_row(at, end)) {
                break;
            }
            ++line_;
        }
    }
    piece.remove_prefix(static_cast<std::size_t>(at - piece.data()));
}

std::size_t CsvReader::take_wide_rows(const char*& at, const char* end, std::size_t most) {
    if (bars_.empty() || limits_.longest_line < static_cast<std::size_t>(widest_row)) {
        return 0;
    }
    StagedRows staged;
    if (!plan_.at.back()) {
        staged.values.back().fill(Bars::no_volume);
    }
    // By column, a bit each.
    unsigned with_point = 0;
    unsigned without_point = 0;
    std::size_t rows = 0;
    for (; rows < std::min(most, staged_rows) && end - at >= readable; ++rows) {
        const char* next = at;
        unsigned ends_with_zero = 0;
        unsigned whole = 0;
        for (std::size_t i = 0; i < columns_; ++i) {
            if (i > 0 && *next++ != separator_) {
                next = nullptr;
                break;
            }
            const std::size_t column = index_of(usual_columns_[i]);
            if (column == 0) {
                next = read_wide_stamp(next, wide_stamp_, staged.time[rows]) ? next + stamp_length : nullptr;
            } else {
                wide::Short number;
                next = wide::read_short(next, number);
                if (next != nullptr) {
                    staged.values[column][rows] = number.value;
                    ends_with_zero |= static_cast<unsigned>(number.whole && number.behind_point == 1) << column;
                    whole |= static_cast<unsigned>(number.whole) << column;
                }
            }
            if (next == nullptr) {
                break;
            }
        }
        if (next == nullptr) {
            break;
        }
        next += *next == '\r' ? 1 : 0;
        if (*next != '\n') {
            break;
        }
        at = next + 1;
        with_point |= ends_with_zero;
        without_point |= whole & ~ends_with_zero;
    }
    for (std::size_t i = 1; i < seen_.size(); ++i) {
        seen_[i].with_point |= (with_point >> i & 1U) != 0;
        seen_[i].without_point |= (without_point >> i & 1U) != 0;
    }
    const auto& volumes = staged.values.back();
    saw_minus_one_ =
        saw_minus_one_ ||
        (plan_.at.back() && std::find(volumes.begin(), volumes.begin() + static_cast<std::ptrdiff_t>(rows),
                                      Bars::no_volume) != volumes.begin() + static_cast<std::ptrdiff_t>(rows));
    move_to(bars_, staged, rows);
    return rows;
}

bool CsvReader::take_usual_row(const char*& at, const char* end) {
    const char* const first = at;
    const char* next = at;
    std::int64_t stamp = 0;
    std::array<double, bar_column_count> values{};
    std::array<std::string_view, bar_column_count> texts{};
    values.back() = Bars::no_volume;
    for (std::size_t i = 0; i < columns_; ++i) {
        if (i > 0 && (next == end || *next++ != separator_)) {
            return false;
        }
        const char* const begin = next;
        if (usual_columns_[i] == BarColumn::time) {
            // Longer ones are no stamps.
            next = std::find(begin, begin + std::min<std::ptrdiff_t>(end - begin, 40), separator_);
            const auto time = stamps_.read({begin, static_cast<std::size_t>(next - begin)});
            if (!time) {
                return false;
            }
            stamp = *time;
            continue;
        }
        bool is_integer = false;
        next = read_decimal(begin, end, values[index_of(usual_columns_[i])], is_integer);
        if (next == nullptr) {
            return false;
        }
        texts[index_of(usual_columns_[i])] = {begin, static_cast<std::size_t>(next - begin)};
    }
    next += next != end && *next == '\r' ? 1 : 0;
    if (next == end || *next != '\n' || static_cast<std::size_t>(next - first) > limits_.longest_line) {
        return false;
    }
    at = next + 1;
    if (bars_.empty()) {
        make_room(static_cast<std::size_t>(at - first));
    }
    for (std::size_t i = 1; i < bar_column_count; ++i) {
        if (plan_.at[i]) {
            note_style(i, texts[i], values[i]);
        }
    }
    saw_minus_one_ = saw_minus_one_ || (plan_.at.back() && values.back() == Bars::no_volume);
    bars_.push_back(stamp, values[1], values[2], values[3], values[4], values[5]);
    return true;
}

}  // namespace ktrdr
