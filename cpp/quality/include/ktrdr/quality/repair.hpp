#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/quality/quality_report.hpp>

namespace ktrdr {

/// What was done, and what says that it may be.
struct RepairChange {
    enum class Kind {
        /// One number was replaced.
        value,
        /// A row that was there twice was dropped.
        row,
        /// A row was put where its stamp belongs.
        place,
    };
    Kind kind{Kind::value};
    /// The row of the bars that were given.
    std::size_t index{0};
    /// Of a value; of rows the stamp.
    BarColumn column{BarColumn::time};
    /// Of a value the numbers; of a dropped row the rows it was and was like; of a place the rows before and after.
    double before{0};
    double after{0};
    /// Which finding of the report names it.
    std::size_t finding{0};
    /// Why, for a person.
    std::string why{};

    friend KTRDR_EXPORT bool operator==(const RepairChange& one, const RepairChange& other);
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(RepairChange::Kind kind) noexcept;

struct KTRDR_EXPORT Repair {
    Bars bars{};
    /// By row.
    std::vector<RepairChange> changes{};
    /// Which row of the bars that were given each one is; empty where all are where they were.
    std::vector<std::size_t> origin{};

    /// The bars as they were given, to the byte.
    [[nodiscard]] Bars undone() const;
};

/// Mend what findings name, where what is right follows from the bar itself:
///
/// - rows out of order are put where their stamps belong;
/// - of rows that are the same to the bit one stays;
/// - high and low change places where they are each other's;
/// - a high or low that misses the open, close or other by rounding becomes it;
/// - a volume that is no number becomes -1, the one that nobody has given.
///
/// Nothing else is touched: no price is made up, no row filled in. Each number is looked at once more, so a report of
/// other bars repairs nothing that is right.
///
/// Errors: `invalid_argument` for a report of so many other bars, and columns of different lengths. Cancellation: an
/// error of `poll`.
[[nodiscard]] KTRDR_EXPORT Result<Repair> repair(const Bars& bars, const QualityReport& report,
                                                 const QualityPoll& poll = {});

}  // namespace ktrdr
