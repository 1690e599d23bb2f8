// Rows of a CSV file as nearly all of them are written, in one pass over their characters: a row that is not is left to
// the reader of lines, which knows all ways, and what to say of what is none.

#include <algorithm>

#include <ktrdr/market/csv_reader.hpp>
#include <ktrdr/market/decimal.hpp>

namespace ktrdr {

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
    while (bars_.size() < limits_.most_rows && take_usual_row(at, end)) {
        ++line_;
    }
    piece.remove_prefix(static_cast<std::size_t>(at - piece.data()));
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
