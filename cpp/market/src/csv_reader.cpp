#include <ktrdr/market/csv_reader.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "beyond_years.hpp"

namespace ktrdr {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr const char* cr_alone =
    "its lines end with CR alone: save it as a CSV file whose lines end with LF, or with CRLF";

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

bool is_utf16(std::string_view line) {
    return line.starts_with("\xff\xfe") || line.starts_with("\xfe\xff") || line.find('\0') != std::string_view::npos;
}

}  // namespace

CsvReader::CsvReader(std::string name, CsvLimits limits) : name_(std::move(name)), limits_(limits) {}

void CsvReader::expect(std::size_t bytes) {
    expected_bytes_ = bytes;
}

Result<void> CsvReader::feed(std::string_view piece) {
    while (!piece.empty()) {
        if (rest_.empty() && has_usual_columns_) {
            take_usual_rows(piece);
        }
        const std::size_t end = piece.find('\n');
        const std::size_t length = std::min(end, piece.size());
        if (rest_.size() + length > limits_.longest_line) {
            ++line_;
            rest_.append(piece.substr(0, limits_.longest_line - rest_.size()));
            return !has_header_ && rest_.find('\r') != std::string::npos
                       ? bad(cr_alone)
                       : bad(fmt::format("it is longer than {} bytes: this is no table of bars", limits_.longest_line));
        }
        if (end == std::string_view::npos) {
            rest_.append(piece);
            return {};
        }
        Result<void> taken;
        if (rest_.empty()) {
            taken = take_line(piece.substr(0, end));
        } else {
            rest_.append(piece.substr(0, end));
            taken = take_line(rest_);
            rest_.clear();
        }
        if (!taken) {
            return taken;
        }
        piece.remove_prefix(end + 1);
    }
    return {};
}

Result<void> CsvReader::end_part() {
    if (!rest_.empty()) {
        if (const auto taken = take_line(rest_); !taken) {
            return taken;
        }
        rest_.clear();
    }
    return {};
}

CsvReader CsvReader::reader_below() const {
    CsvReader below(name_, limits_);
    below.separator_ = separator_;
    below.has_header_ = true;
    below.plan_ = plan_;
    below.columns_ = columns_;
    below.usual_columns_ = usual_columns_;
    below.has_usual_columns_ = has_usual_columns_;
    // It stands behind a first line, which alone has a mark of the byte order.
    below.line_ = 1;
    return below;
}

bool CsvReader::take_below(CsvReader&& below) {
    const std::size_t rows = bars_.size();
    if (rows + below.bars_.size() > limits_.most_rows) {
        return false;
    }
    const auto behind = [](auto& column, const auto& more) { column.insert(column.end(), more.begin(), more.end()); };
    behind(bars_.time, below.bars_.time);
    behind(bars_.open, below.bars_.open);
    behind(bars_.high, below.bars_.high);
    behind(bars_.low, below.bars_.low);
    behind(bars_.close, below.bars_.close);
    behind(bars_.volume, below.bars_.volume);
    for (const std::size_t row : below.skipped_) {
        skipped_.push_back(rows + row);
    }
    for (std::size_t i = 0; i < seen_.size(); ++i) {
        seen_[i].without_point |= below.seen_[i].without_point;
        seen_[i].with_point |= below.seen_[i].with_point;
    }
    saw_minus_one_ = saw_minus_one_ || below.saw_minus_one_;
    saw_no_volume_ = saw_no_volume_ || below.saw_no_volume_;
    line_ += below.line_ - 1;
    below.bars_ = {};
    return true;
}

Result<Bars> CsvReader::finish() {
    if (const auto ended = end_part(); !ended) {
        return ended.error();
    }
    if (bars_.empty()) {
        return fail(Errc::invalid_argument,
                    fmt::format("{} has {}: give a file with bars in it", name_,
                                has_header_ ? "a line of names and no bars" : "nothing in it"),
                    {{"file", name_}});
    }
    return std::move(bars_);
}

std::size_t CsvReader::line_of(std::size_t row) const noexcept {
    const auto before = std::upper_bound(skipped_.begin(), skipped_.end(), row) - skipped_.begin();
    return row + 2 + static_cast<std::size_t>(before);
}

Result<void> CsvReader::take_line(std::string_view line) {
    if (++line_ == 1 && line.starts_with(byte_order_mark)) {
        line.remove_prefix(byte_order_mark.size());
    }
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    if (trimmed(line).empty()) {
        skipped_.push_back(bars_.size());
        return {};
    }
    return has_header_ ? read_row(line) : read_header(line);
}

Result<void> CsvReader::read_header(std::string_view line) {
    if (is_utf16(line)) {
        return bad("the file is not UTF-8: save it as CSV UTF-8");
    }
    if (trimmed(line).find('\r') != std::string_view::npos) {
        return bad(cr_alone);
    }
    for (const char candidate : {';', '\t', ','}) {
        if (line.find(candidate) != std::string_view::npos) {
            separator_ = candidate;
            break;
        }
    }
    if (!split(line)) {
        return bad("its double quotes do not fit: put them around whole values");
    }
    columns_ = fields_.size();
    auto plan = plan_columns(fmt::format("{}: line {}: ", name_, line_),
                             std::vector<std::string>(fields_.begin(), fields_.end()));
    if (!plan) {
        Error error = plan.error();
        error.context["file"] = name_;
        error.context["line"] = line_;
        return error;
    }
    plan_ = std::move(*plan);
    note_columns();
    has_header_ = true;
    return {};
}

Result<void> CsvReader::read_row(std::string_view line) {
    if (bars_.size() == limits_.most_rows) {
        return bad(fmt::format("it is the bar after {}, which is as many as one file may have: cut the file into years",
                               limits_.most_rows));
    }
    if (!split(line)) {
        return bad("its double quotes do not fit: put them around whole values");
    }
    if (fields_.size() != columns_) {
        return bad(fmt::format("it has {} values, the first line names {} columns", fields_.size(), columns_));
    }
    const auto stamp = read_stamp();
    if (!stamp) {
        return stamp.error();
    }
    std::array<double, bar_column_count> values{};
    for (std::size_t i = 1; i < bar_column_count; ++i) {
        const auto number = read_number(static_cast<BarColumn>(i));
        if (!number) {
            return number.error();
        }
        values[i] = *number;
    }
    bars_.push_back(*stamp, values[1], values[2], values[3], values[4], values[5]);
    return {};
}

bool CsvReader::split(std::string_view line) {
    fields_.clear();
    for (;;) {
        std::string_view value;
        const std::string_view from = separator_ == '\t' ? line : trimmed(line);
        if (!from.empty() && from.front() == '"') {
            const std::size_t end = from.find('"', 1);
            if (end == std::string_view::npos) {
                return false;
            }
            value = from.substr(1, end - 1);
            line = from.substr(end + 1);
            const std::size_t next = std::min(line.find(separator_), line.size());
            if (!trimmed(line.substr(0, next)).empty()) {
                return false;
            }
            line.remove_prefix(next);
        } else {
            const std::size_t next = std::min(line.find(separator_), line.size());
            value = line.substr(0, next);
            line.remove_prefix(next);
        }
        fields_.push_back(trimmed(value));
        if (line.empty()) {
            return true;
        }
        line.remove_prefix(1);
    }
}

Result<std::int64_t> CsvReader::read_stamp() {
    std::string_view text = field(BarColumn::time);
    if (plan_.time_of_day) {
        joined_.assign(text).append("T").append(fields_[*plan_.time_of_day]);
        text = joined_;
    }
    const auto time = stamps_.read(text);
    if (!time) {
        return bad_value(BarColumn::time, text,
                         is_beyond_years(text) ? "lies outside of the years 1678 to 2261"
                                               : "is no date: write it like 2024-01-31T09:30:00Z");
    }
    return *time;
}

void CsvReader::note_style(std::size_t index, std::string_view text, double value) noexcept {
    constexpr double most_whole = 1e15;
    SeenNumbers& seen = seen_[index];
    if (seen.with_point) {
        // They are not all written without one, whatever else comes.
        return;
    }
    if (text.ends_with(".0")) {
        seen.with_point = true;
    } else if (!seen.without_point && value < most_whole && value > -most_whole) {
        seen.without_point = static_cast<double>(static_cast<std::int64_t>(value)) == value;
    }
}

CsvStyle CsvReader::style() const noexcept {
    CsvStyle style;
    for (std::size_t i = 0; i < style.without_point.size(); ++i) {
        style.without_point[i] = seen_[i + 1].without_point && !seen_[i + 1].with_point;
    }
    style.minus_one = saw_minus_one_ && !saw_no_volume_;
    return style;
}

Result<double> CsvReader::read_number(BarColumn column) {
    if (!plan_.at[index_of(column)]) {
        return Bars::no_volume;
    }
    const std::string_view text = field(column);
    if (text.empty() && column == BarColumn::volume) {
        saw_no_volume_ = true;
        return Bars::no_volume;
    }
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [read, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || read != end) {
        return bad_value(column, text,
                         text.empty()                               ? "is empty: every bar has its four prices"
                         : error == std::errc::result_out_of_range  ? "is out of the range of doubles"
                         : text.find(',') != std::string_view::npos ? "is no number: write it with a decimal point"
                                                                    : "is no number");
    }
    if (!std::isfinite(value)) {
        return bad_value(column, text, "is not finite: drop the row or correct it");
    }
    note_style(index_of(column), text, value);
    saw_minus_one_ = saw_minus_one_ || (column == BarColumn::volume && value == Bars::no_volume);
    return value;
}

Error CsvReader::bad(std::string_view what) const {
    return fail(Errc::invalid_argument, fmt::format("{}: line {}: {}", name_, line_, what),
                {{"file", name_}, {"line", line_}});
}

Error CsvReader::bad_value(BarColumn column, std::string_view value, std::string_view what) const {
    const std::string_view shown = value.substr(0, 64);
    return fail(Errc::invalid_argument,
                fmt::format("{}: line {}, column {}: {:?} {}", name_, line_, to_string(column), shown, what),
                {{"file", name_}, {"line", line_}, {"column", to_string(column)}, {"value", shown}});
}

}  // namespace ktrdr
