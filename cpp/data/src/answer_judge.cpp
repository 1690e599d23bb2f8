#include "answer_judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <ktrdr/market/time_text.hpp>

#include "closed_rows.hpp"
#include "proof.hpp"
#include "seam.hpp"

namespace ktrdr {
namespace {

Error broken(const std::string& provider, const std::string& how) {
    return fail(Errc::protocol, fmt::format("the source {} answered {}", provider, how), {{"source", provider}});
}

/// No clock is further ahead of UTC, so a midnight anywhere lies no further before that date's in UTC.
constexpr std::chrono::hours furthest_east{14};

/// The stamp of the period that a bar of that time stands for; unset where it can be none.
std::optional<UtcTime> read_stamp(UtcTime came, StampKind::Kind kind, const BarGrid& grid) {
    switch (kind) {
        case StampKind::Kind::inside: {
            const UtcTime period = grid.stored_stamp(came);
            return period - came <= furthest_east ? std::optional(period) : std::nullopt;
        }
        case StampKind::Kind::by_date: return grid.stamp_by_date(came);
        case StampKind::Kind::eastern: {
            const UtcTime on_its_date = came + furthest_east;
            const auto stamp = grid.stamp_by_date(on_its_date);
            // A week or month may begin on a date without a session.
            const bool is_day = grid.timeframe().name() == "1d";
            return stamp || is_day ? stamp : std::optional(grid.floor(on_its_date));
        }
        case StampKind::Kind::by_start:
        case StampKind::Kind::by_end:
        case StampKind::Kind::unclear: break;
    }
    return came;
}

/// Bars that came under other times of their periods, under the periods' stamps, as far as they are closed.
Bars restamped(const Bars& bars, const BarGrid& grid, StampKind::Kind kind, UtcTime now) {
    Bars all;
    all.reserve(bars.size());
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const auto stamp = read_stamp(bars.start_of(i), kind, grid);
        if (stamp && grid.is_closed(*stamp, now)) {
            all.push_back(stamp->time_since_epoch().count(), bars.open[i], bars.high[i], bars.low[i], bars.close[i],
                          bars.volume[i]);
        }
    }
    return all;
}

/// By the periods that the bars turned out to stand for: a source cannot tell by one bar, and keeps what may be closed.
void drop_unclosed(Bars& bars, const BarGrid& grid, UtcTime now) {
    const std::size_t closed = closed_rows(bars, 0, bars.size(), [&](UtcTime at) { return grid.is_closed(at, now); });
    if (closed < bars.size()) {
        bars = bars.rows(0, closed);
    }
}

/// Whoever writes a source may be mistaken; only bars that are in order and were asked for are taken.
Result<void> check_and_trim(SourceAnswer& answer, TimeRange asked, const std::string& provider) {
    const std::size_t came = answer.bars.size();
    const UtcTime first = came == 0 ? UtcTime{} : answer.bars.start_of(0);
    answer.bars = answer.bars.slice(asked);
    if (came > 0 && answer.bars.empty()) {
        return broken(provider, fmt::format("with bars from {} on when it was asked for {} to {}", format_time(first),
                                            format_time(asked.start), format_time(asked.end)));
    }
    std::erase_if(answer.dropped, [asked](const auto& row) { return !asked.contains(row.start); });
    return {};
}

/// The bars of the holes, and of those beside them what is not stored.
Bars bars_to_store(const AskedSegment& asked, const Bars& came) {
    Bars bars;
    auto stored = asked.stored.begin();
    auto hole = asked.holes.begin();
    for (std::size_t i = 0; i < came.size(); ++i) {
        stored = std::lower_bound(stored, asked.stored.end(), came.time[i]);
        while (hole != asked.holes.end() && hole->range.end <= came.start_of(i)) {
            ++hole;
        }
        const bool asked_for = hole != asked.holes.end() && hole->range.contains(came.start_of(i));
        if (asked_for || stored == asked.stored.end() || *stored != came.time[i]) {
            bars.push_back(came.time[i], came.open[i], came.high[i], came.low[i], came.close[i], came.volume[i]);
        }
    }
    return bars;
}

/// The times of the bars to store that lie beside the holes: where a request is longer than what it is for. They are as
/// well known as those of the holes; else the next load asks for them, and puts what it hears in their place.
std::vector<TimeRange> beside_holes(const AskedSegment& asked, const Bars& bars, const Bars& came,
                                    const BarGrid& grid) {
    // Where nobody knows which bars should exist, an answer has all there are between any two of it.
    const bool expects = grid.calendar() && !grid.extended();
    std::vector<TimeRange> ranges;
    std::optional<UtcTime> next;
    auto hole = asked.holes.begin();
    auto hole_behind_last = hole;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const UtcTime stamp = bars.start_of(i);
        while (hole != asked.holes.end() && hole->range.end <= stamp) {
            ++hole;
        }
        if (hole != asked.holes.end() && hole->range.contains(stamp)) {
            continue;
        }
        UtcTime end = grid.end_of(stamp);
        if (hole != asked.holes.end()) {
            end = std::min(end, hole->range.start);
        }
        if (!grid.calendar() && grid.timeframe().is_intraday()) {
            // The first bar of a session may be shorter than its length says: the one behind it tells.
            const std::size_t behind = came.row_from(stamp) + 1;
            if (behind >= came.size()) {
                continue;
            }
            end = std::min(end, came.start_of(behind));
        }
        const bool goes_on = expects ? next == stamp : !ranges.empty() && hole == hole_behind_last;
        if (goes_on) {
            ranges.back().end = end;
        } else {
            ranges.push_back({stamp, end});
        }
        next = grid.next(stamp);
        hole_behind_last = hole;
    }
    return ranges;
}

/// Breaks of the basis at the ends of what is stored now, and where there are none any more.
void judge_basis(const AskedHole& hole, const Seam& before, const Seam& behind, UtcTime now, Segment& segment) {
    const Bars fresh = segment.bars.slice(hole.range);
    if (fresh.empty()) {
        return;
    }
    const UtcTime first = fresh.start_of(0);
    segment.told_anew.push_back({first, fresh.start_of(fresh.size() - 1) + std::chrono::nanoseconds{1}});
    const bool start_unknown = !hole.before.empty() && before.kind == Seam::Kind::unknown;
    TimeRange one{start_unknown ? first + std::chrono::nanoseconds{1} : hole.range.start, hole.range.end};
    if (before.kind == Seam::Kind::rebased) {
        segment.breaks.push_back({first, before.ratio, now});
    }
    if (behind.kind != Seam::Kind::unknown) {
        const UtcTime next = hole.behind.start_of(0);
        one.end = next + std::chrono::nanoseconds{1};
        if (behind.kind == Seam::Kind::rebased) {
            segment.breaks.push_back({next, 1 / behind.ratio, now});
        }
    }
    segment.one_basis.push_back(one);
}

/// What the provider says now of bars that are stored beside a hole.
void judge_stored(const Bars& stored, const Bars& came, const Seam& seam, UtcTime now, Segment& segment) {
    for (std::size_t i = 0; i < stored.size(); ++i) {
        const UtcTime stamp = stored.start_of(i);
        const std::size_t row = came.row_from(stamp);
        if (row == came.size() || came.time[row] != stored.time[i]) {
            continue;
        }
        segment.told_anew.push_back({stamp, stamp + std::chrono::nanoseconds{1}});
        const BarRevision said{stamp, numbers_of(came, row), now};
        if (seam.kind == Seam::Kind::revised && !same_numbers(said.numbers, numbers_of(stored, i))) {
            segment.revisions.push_back(said);
        }
    }
}

/// What of an answer says something of a hole: the bars in it, the next one behind it, and two before it, by which is
/// seen whether a session begins with the last one.
SourceAnswer around(const SourceAnswer& answer, TimeRange hole) {
    const Bars& bars = answer.bars;
    const std::size_t first = bars.row_from(hole.start);
    const std::size_t last = bars.row_from(hole.end);
    SourceAnswer near(bars.rows(first - std::min<std::size_t>(first, 2), std::min(last + 1, bars.size())));
    near.partial = answer.partial;
    std::copy_if(answer.dropped.begin(), answer.dropped.end(), std::back_inserter(near.dropped),
                 [hole](const auto& row) { return hole.contains(row.start); });
    return near;
}

/// Whether what did not come of a hole may have been cut off, by what else of the request came. Holes of which nothing
/// came, with nothing stored between them, are one.
bool may_be_cut_off(const AskedSegment& asked, std::size_t hole, const Bars& came) {
    const auto empty = [&](std::size_t i) {
        const TimeRange range = asked.holes[i].range;
        return came.row_from(range.start) == came.row_from(range.end);
    };
    std::size_t first = hole;
    while (first > 0 && asked.holes[first].before.empty() && empty(first - 1)) {
        --first;
    }
    std::size_t last = hole;
    while (last + 1 < asked.holes.size() && asked.holes[last].behind.empty() && empty(last + 1)) {
        ++last;
    }
    const Bars& before = asked.holes[first].before;
    const Bars& behind = asked.holes[last].behind;
    if (before.empty() && behind.empty()) {
        // Only where nothing was expected does an answer without anything tell of it.
        return !came.empty() || !asked.stored.empty();
    }
    const auto lacks = [&came](const Bars& stored) {
        return !stored.empty() && compare(stored, came).kind == Seam::Kind::unknown;
    };
    return lacks(before) || lacks(behind);
}

/// Whether an answer that holds only so many bars, the oldest, may have been filled before it got to the hole by those
/// that came because the request was widened.
bool may_not_reach(const AskedSegment& asked, TimeRange hole, const Bars& came) {
    // Of fewer no provider makes an answer that is full.
    constexpr std::size_t fewest = 10;
    const UtcTime needed = asked.asked.start + asked.widened;
    return asked.widened > std::chrono::nanoseconds{0} && came.size() >= fewest && came.start_of(0) < needed &&
           came.start_of(came.size() - 1) < hole.start;
}

void judge_hole(const AskedSegment& asked, std::size_t number, const SourceAnswer& answer, const BarGrid& grid,
                UtcTime asked_at, Judged& judged) {
    const AskedHole& hole = asked.holes[number];
    const Seam before = compare(hole.before, answer.bars);
    const Seam behind = compare(hole.behind, answer.bars);
    for (const Seam& seam : {before, behind}) {
        judged.revised += seam.kind == Seam::Kind::revised ? seam.different : 0;
    }
    judge_stored(hole.before, answer.bars, before, asked_at, judged.segment);
    judge_stored(hole.behind, answer.bars, behind, asked_at, judged.segment);
    judge_basis(hole, before, behind, asked_at, judged.segment);
    if (may_not_reach(asked, hole.range, answer.bars)) {
        judged.not_reached.push_back(hole.range);
        return;
    }
    Proof proof =
        prove(around(answer, hole.range), hole.range, grid, asked_at, may_be_cut_off(asked, number, answer.bars));
    std::move(proof.entries.begin(), proof.entries.end(), std::back_inserter(judged.segment.entries));
    judged.off_grid.insert(judged.off_grid.end(), proof.off_grid.begin(), proof.off_grid.end());
}

bool holds(const std::vector<UtcTime>& times, UtcTime time) {
    return std::binary_search(times.begin(), times.end(), time);
}

/// Clocks are set by quarters of an hour, so that a midnight anywhere is one in UTC.
constexpr std::chrono::minutes quarter{15};
constexpr std::array<StampKind::Kind, 3> readings{StampKind::Kind::inside, StampKind::Kind::by_date,
                                                  StampKind::Kind::eastern};

/// What stamps would mean by one of the readings: unset where they are not of expected periods that rise.
std::optional<std::vector<UtcTime>> periods_of(const Bars& bars, StampKind::Kind kind,
                                               const std::vector<UtcTime>& expected, const BarGrid& grid) {
    std::vector<UtcTime> periods;
    periods.reserve(bars.size());
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const auto period = read_stamp(bars.start_of(i), kind, grid);
        if (!period || (!periods.empty() && *period <= periods.back()) || !holds(expected, *period)) {
            return std::nullopt;
        }
        periods.push_back(*period);
    }
    return periods;
}

/// Whether each bar is stamped by the open of its period's first session, or inside a session that never closes.
bool are_of_sessions(const Bars& bars, const std::vector<UtcTime>& periods, const BarGrid& grid) {
    for (std::size_t i = 0; i < periods.size(); ++i) {
        const UtcTime stamp = bars.start_of(i);
        const bool always = grid.calendar()->around_the_clock() && grid.calendar()->is_open(stamp);
        if (!always && grid.period_of(periods[i]).start != stamp) {
            return false;
        }
    }
    return true;
}

/// How days, weeks and months are stamped that are not stamped by their periods' starts; by_start where no reading
/// fits.
StampKind::Kind kind_of_days(const Bars& bars, const std::vector<UtcTime>& expected, const BarGrid& grid) {
    bool midnights = true;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const UtcTime stamp = bars.start_of(i);
        if (holds(expected, stamp)) {
            return StampKind::Kind::by_start;
        }
        midnights = midnights && stamp.time_since_epoch() % quarter == std::chrono::nanoseconds{0};
    }
    std::vector<std::pair<StampKind::Kind, std::vector<UtcTime>>> fitting;
    for (const StampKind::Kind kind : readings) {
        auto periods = periods_of(bars, kind, expected, grid);
        if (periods && kind == StampKind::Kind::inside && are_of_sessions(bars, *periods, grid)) {
            return kind;
        }
        const bool known = std::any_of(fitting.begin(), fitting.end(),
                                       [&periods](const auto& one) { return periods && one.second == *periods; });
        if (periods && !known) {
            fitting.emplace_back(kind, std::move(*periods));
        }
    }
    if (fitting.size() <= 1) {
        return fitting.empty() ? StampKind::Kind::by_start : fitting.front().first;
    }
    // What is no midnight anywhere is a time of its own date.
    const bool has_date = std::any_of(fitting.begin(), fitting.end(),
                                      [](const auto& one) { return one.first == StampKind::Kind::by_date; });
    return midnights ? StampKind::Kind::unclear : has_date ? StampKind::Kind::by_date : fitting.front().first;
}

/// How many stored bars beside the holes came again, by these stamps.
std::size_t came_again(const AskedSegment& asked, const Bars& came) {
    std::size_t count = 0;
    for (const AskedHole& hole : asked.holes) {
        for (const Bars* stored : {&hole.before, &hole.behind}) {
            for (std::size_t i = 0; i < stored->size(); ++i) {
                const std::size_t row = came.row_from(stored->start_of(i));
                count += row < came.size() && came.time[row] == stored->time[i] &&
                                 same_numbers(numbers_of(came, row), numbers_of(*stored, i))
                             ? 1
                             : 0;
            }
        }
    }
    return count;
}

/// Put bars under the stamps of their periods, where they came otherwise.
Result<void> convert_stamps(Bars& bars, const AskedSegment& asked, const BarGrid& grid, UtcTime now,
                            const std::string& provider, Judged& judged) {
    using Kind = StampKind::Kind;
    const StampKind stamps = stamp_kind(bars, asked.asked, grid);
    switch (stamps.kind) {
        case Kind::by_start: return {};
        case Kind::by_end:
            return broken(provider,
                          fmt::format("with bars that are stamped by their end ({}), and bars are stored under their "
                                      "start: the source must convert its stamps",
                                      format_time(stamps.example)));
        case Kind::inside:
        case Kind::by_date:
        case Kind::eastern: bars = restamped(bars, grid, stamps.kind, now); break;
        case Kind::unclear: {
            Bars best;
            std::size_t most = 0;
            std::size_t others = 0;
            for (const Kind kind : readings) {
                Bars read = restamped(bars, grid, kind, now);
                const std::size_t again = read.check() && read != best ? came_again(asked, read) : 0;
                others = std::max(others, std::min(again, most));
                if (again > most) {
                    most = again;
                    best = std::move(read);
                }
            }
            if (most == others) {
                return broken(provider, fmt::format("with bars that are stamped so ({}) that each may be that of "
                                                    "either of two dates, and stored bars tell of neither: the source "
                                                    "must convert its stamps, or ask for longer ranges",
                                                    format_time(stamps.example)));
            }
            bars = std::move(best);
            break;
        }
    }
    judged.stamped_inside = stamps.example;
    return {};
}

}  // namespace

StampKind stamp_kind(const Bars& bars, TimeRange asked, const BarGrid& grid) {
    const bool intraday = grid.timeframe().is_intraday();
    // One bar at the close alone is an auction's.
    if (bars.size() < (intraday ? 2U : 1U)) {
        return {};
    }
    const std::chrono::days a_little{intraday ? 7 : 70};
    const TimeRange within{
        std::max(std::min(asked.start, bars.start_of(0)), UtcTime::min() + a_little) - a_little,
        std::min(std::max(asked.end, bars.start_of(bars.size() - 1)), UtcTime::max() - a_little) + a_little};
    const auto expected = grid.expected(within);
    if (!expected) {
        return {};
    }
    StampKind kind;
    std::size_t by_start = 0;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        const bool is_start = holds(*expected, bars.start_of(i));
        by_start += is_start ? 1 : 0;
        kind.example = is_start ? kind.example : bars.start_of(i);
    }
    if (by_start == bars.size()) {
        return kind;
    }
    kind.kind = intraday ? StampKind::Kind::by_start : kind_of_days(bars, *expected, grid);
    if (kind.kind != StampKind::Kind::by_start) {
        return kind;
    }
    const BarGrid always_open(grid.timeframe());
    std::vector<UtcTime> ends;
    ends.reserve(2 * expected->size());
    for (const UtcTime stamp : *expected) {
        ends.push_back(grid.end_of(stamp));
        if (!intraday) {
            ends.push_back(always_open.end_of(stamp));
        }
    }
    std::sort(ends.begin(), ends.end());
    std::size_t by_end = 0;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        by_end += holds(ends, bars.start_of(i)) ? 1 : 0;
    }
    if (by_end == bars.size()) {
        kind.kind = StampKind::Kind::by_end;
    }
    return kind;
}

Result<Judged> judge(SourceAnswer answer, const AskedSegment& asked, const BarGrid& grid, UtcTime asked_at,
                     const std::string& provider) {
    if (const auto sound = answer.bars.check(); !sound) {
        return broken(provider, "with bars that cannot be: " + sound.error().message);
    }
    Judged judged;
    if (const auto converted = convert_stamps(answer.bars, asked, grid, asked_at, provider, judged); !converted) {
        return converted.error();
    }
    drop_unclosed(answer.bars, grid, asked_at);
    if (const auto trimmed = check_and_trim(answer, asked.asked, provider); !trimmed) {
        return trimmed.error();
    }
    judged.bars_came = answer.bars.size();
    if (!answer.bars.empty()) {
        judged.came = {answer.bars.start_of(0), grid.end_of(answer.bars.start_of(answer.bars.size() - 1))};
    }
    judged.segment.range = asked.asked;
    judged.segment.bars = bars_to_store(asked, answer.bars);
    for (std::size_t hole = 0; hole < asked.holes.size(); ++hole) {
        judge_hole(asked, hole, answer, grid, asked_at, judged);
    }
    if (answer.partial.empty()) {
        for (const TimeRange& known : beside_holes(asked, judged.segment.bars, answer.bars, grid)) {
            judged.segment.entries.push_back({known, AskOutcome::bars, asked_at});
        }
    }
    judged.dropped = std::move(answer.dropped);
    judged.partial = std::move(answer.partial);
    judged.mended = std::move(answer.mended);
    return judged;
}

}  // namespace ktrdr
