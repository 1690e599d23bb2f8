#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bar_columns.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/csv_style.hpp>
#include <ktrdr/market/stamp_reader.hpp>

namespace ktrdr {

/// What a file may be at most.
struct CsvLimits {
    /// Bytes of one line. At least 1.
    std::size_t longest_line{64 * 1024};
    /// 20 million minutes are 38 years without a pause. At least 1.
    std::size_t most_rows{20'000'000};
};

/// Reads bars from the text of a CSV file, handed over in pieces of any size.
///
/// The first line names the columns (see `plan_columns`); they are parted by commas, semicolons or tabs, whichever the
/// first line has. UTF-8 with or without its mark, lines end with LF or CRLF, empty lines count for nothing, values may
/// stand in double quotes. Stamps are ISO 8601, without an offset UTC; prices have a decimal point; a volume may be
/// empty. Nothing is guessed: what cannot be read is an error.
///
/// Errors: `invalid_argument`, which begins with `name` and says line and column. Nothing is read after one.
/// Cost: one pass; at most one line is kept beside the bars.
///
/// A long file can be read by several readers at once: `reader_below` makes one for lines further down, `take_below`
/// joins what it has read. Where one of them finds an error, only a reader of all lines can say in which one.
class KTRDR_EXPORT CsvReader final {
public:
    /// `name` stands for the file in messages.
    explicit CsvReader(std::string name, CsvLimits limits = {});

    /// About so many bytes will come, so that room is made for their bars at once. May be wrong.
    void expect(std::size_t bytes);
    [[nodiscard]] Result<void> feed(std::string_view piece);
    /// The file has ended. Without a single bar it is an error.
    [[nodiscard]] Result<Bars> finish();
    /// True once the line of names is read: the lines below it can be read by others.
    [[nodiscard]] bool knows_columns() const noexcept { return has_header_; }
    /// A reader of lines below, which knows the columns of this one.
    [[nodiscard]] CsvReader reader_below() const;
    /// The text of a part has ended; its last line need not end with a newline.
    [[nodiscard]] Result<void> end_part();
    /// Take what the reader of the lines that follow these has read; false, and nothing is taken, for more rows than a
    /// file may have.
    [[nodiscard]] bool take_below(CsvReader&& below);
    /// In which line of the file a bar stands, from 1.
    [[nodiscard]] std::size_t line_of(std::size_t row) const noexcept;
    /// How the file writes numbers, as far as it writes them alike; else the default.
    [[nodiscard]] CsvStyle style() const noexcept;
    /// The columns that no bar has.
    [[nodiscard]] const std::vector<std::string>& ignored() const noexcept { return plan_.ignored; }

private:
    [[nodiscard]] Result<void> take_line(std::string_view line);
    [[nodiscard]] Result<void> read_header(std::string_view line);
    [[nodiscard]] Result<void> read_row(std::string_view line);
    /// Take the rows from the front of `piece` that are written as nearly all are, without quotes, blanks and columns
    /// that no bar has, up to the first that is not or whose end has not come.
    void take_usual_rows(std::string_view& piece);
    /// One of them, behind whose end `at` is then; false, and nothing is taken, for another.
    [[nodiscard]] bool take_usual_row(const char*& at, const char* end);
    /// Which column each value of a row belongs to.
    void note_columns();
    void make_room(std::size_t row_bytes);
    /// Part the line into `fields_`; false for quotes that do not fit.
    [[nodiscard]] bool split(std::string_view line);
    [[nodiscard]] Result<std::int64_t> read_stamp();
    [[nodiscard]] Result<double> read_number(BarColumn column);
    void note_style(std::size_t index, std::string_view text, double value) noexcept;
    [[nodiscard]] std::string_view field(BarColumn column) const { return fields_[*plan_.at[index_of(column)]]; }
    [[nodiscard]] Error bad(std::string_view what) const;
    [[nodiscard]] Error bad_value(BarColumn column, std::string_view value, std::string_view what) const;
    static std::size_t index_of(BarColumn column) { return static_cast<std::size_t>(column); }

    const std::string name_;
    const CsvLimits limits_;
    /// The beginning of a line whose end has not come.
    std::string rest_{};
    std::size_t line_{0};
    char separator_{','};
    bool has_header_{false};
    ColumnPlan plan_{};
    std::size_t columns_{0};
    /// The columns in the order of a row, where each is a bar's.
    std::array<BarColumn, bar_column_count> usual_columns_{};
    bool has_usual_columns_{false};
    std::size_t expected_bytes_{0};
    std::vector<std::string_view> fields_{};
    std::string joined_{};
    StampReader stamps_{};
    Bars bars_{};
    /// By column: whole numbers came without a point, with `.0`, or otherwise.
    struct SeenNumbers {
        bool without_point{false};
        bool with_point{false};
    };
    std::array<SeenNumbers, bar_column_count> seen_{};
    bool saw_minus_one_{false};
    bool saw_no_volume_{false};
    /// Before which rows empty lines stood, a row once for each.
    std::vector<std::size_t> skipped_{};
};

}  // namespace ktrdr
