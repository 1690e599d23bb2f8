#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/data/request_planner.hpp>

namespace ktrdr {

/// What an answer means for what is stored.
struct Judged {
    /// Ready to be stored: the bars of the holes and of those beside them what is not stored, what they prove, and
    /// where the history is on another basis.
    Segment segment{};
    std::vector<SourceAnswer::DroppedRow> dropped{};
    /// Bars where the calendar has none.
    std::vector<UtcTime> off_grid{};
    /// Holes of which nothing is known now: the answer was filled by bars that nobody needed, before it got to them.
    std::vector<TimeRange> not_reached{};
    /// Stored bars that are others at the provider.
    std::size_t revised{0};
    /// From the first bar that came to the end of the last.
    TimeRange came{};
    std::size_t bars_came{0};
    std::string partial{};
    /// What was mended of the answer.
    std::string mended{};
    /// A stamp as it came, where the bars were stamped inside of their periods.
    std::optional<UtcTime> stamped_inside{};
};

/// How the stamps of an answer go with those of a grid.
struct StampKind {
    enum class Kind {
        /// By the periods' starts, or nobody can tell: without a calendar, and where one period's end is the start of
        /// the next one.
        by_start,
        /// Days, weeks or months by another time of their period: a local midnight, the last day.
        inside,
        /// Days, weeks or months by a time of their date behind the session: its close, 23:59:59.
        by_date,
        /// Days, weeks or months by a midnight east of Greenwich that lies before their date in UTC.
        eastern,
        /// Days, weeks or months of which each may be that of either of two dates.
        unclear,
        by_end,
    };
    Kind kind{Kind::by_start};
    /// One that is not where the grid has it.
    UtcTime example{};
};

[[nodiscard]] StampKind stamp_kind(const Bars& bars, TimeRange asked, const BarGrid& grid);

/// Days, weeks and months that are stamped otherwise are stored under the stamp of their period, where there is one
/// that all of them can mean; of two the one by which stored bars came again. Errors: `protocol` naming the source for
/// bars that cannot be, for some that all lie outside of what was asked for, for bars that are stamped by their end,
/// and for those whose periods nobody can tell.
[[nodiscard]] Result<Judged> judge(SourceAnswer answer, const AskedSegment& asked, const BarGrid& grid,
                                   UtcTime asked_at, const std::string& provider);

}  // namespace ktrdr
