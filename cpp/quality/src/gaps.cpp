#include <ktrdr/quality/gaps.hpp>

#include <fmt/format.h>

#include <algorithm>

#include "evidence_line.hpp"
#include "gap_texts.hpp"
#include "row_poll.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;
using std::chrono::nanoseconds;

/// Distances between times of this range fit 64 bits.
constexpr TimeRange countable{UtcTime{nanoseconds{-(std::int64_t{1} << 62)}},
                              UtcTime{nanoseconds{std::int64_t{1} << 62}}};

/// What lasts as long is not every time as long.
constexpr days shortest_month{28};

TimeRange common(TimeRange one, TimeRange other) noexcept {
    const TimeRange both{std::max(one.start, other.start), std::min(one.end, other.end)};
    return both.empty() ? TimeRange{both.start, both.start} : both;
}

std::int64_t nanos_of(UtcTime time) noexcept {
    return time.time_since_epoch().count();
}

/// When a session of that weekday closes that is not cut short, by the clock of this one's date.
std::optional<UtcTime> usual_close(const SessionCalendar& calendar, const Session& session) {
    for (const int weeks : {-1, 1, -2, 2, -3, 3}) {
        const auto other = calendar.session_on(session.date + days{7 * weeks});
        if (other && !other->early_close) {
            return session.midnight() + (other->close() - other->midnight());
        }
    }
    return std::nullopt;
}

/// Bars that are absent one after another for one reason.
struct Run {
    AbsenceReason reason{};
    UtcTime first{};
    UtcTime last{};
    std::size_t bars{0};
    std::size_t index{0};
};

class GapFinder final {
public:
    GapFinder(const Bars& bars, const BarGrid& grid, TimeRange range, std::span<const Evidence> evidence,
              const GapOptions& options)
        : bars_(bars),
          grid_(grid),
          calendar_(grid.calendar().get()),
          line_(evidence),
          evidence_(evidence),
          options_(options),
          wanted_(options_.poll),
          length_(grid.timeframe().shortest()),
          has_one_length_(length_ < shortest_month) {
        report_.range = range.empty() ? TimeRange{range.start, range.start} : range;
    }

    GapReport find() {
        const TimeRange range = common(report_.range, countable);
        if (calendar_ == nullptr) {
            between_bars(range);
            return std::move(report_);
        }
        report_.known = common(range, calendar_->coverage());
        if (grid_.extended() && grid_.timeframe().is_intraday()) {
            against(hours_of_sessions(report_.known));
            beside_sessions(report_.known);
            std::stable_sort(report_.gaps.begin(), report_.gaps.end(),
                             [](const Gap& one, const Gap& other) { return one.range.start < other.range.start; });
        } else {
            const auto stamps = grid_.expected(report_.known);
            wanted_.ask();
            against(stamps.value_or(std::vector<UtcTime>{}));
        }
        return std::move(report_);
    }

private:
    /// Compare with the bars that should exist.
    void against(const std::vector<UtcTime>& stamps) {
        // Minutes of a session that is open follow each other at their length, so only longer distances are looked at.
        const nanoseconds usual = length_ < std::chrono::hours{1} ? length_ : nanoseconds{0};
        report_.expected = stamps.size();
        std::size_t row = 0;
        UtcTime before = stamps.empty() ? UtcTime{} : stamps.front();
        std::size_t looked_for = 0;
        for (const UtcTime stamp : stamps) {
            wanted_.at(looked_for++);
            const std::int64_t wanted = nanos_of(stamp);
            while (row < bars_.size() && bars_.time[row] < wanted) {
                ++row;
            }
            const bool is_there = row < bars_.size() && bars_.time[row] == wanted;
            report_.present += is_there ? 1 : 0;
            const AbsenceReason reason = is_there ? AbsenceReason{} : reason_of(line_.at(stamp), GapClass::unknown);
            const bool goes_on = run_ && !is_there && run_->reason.same_as(reason);
            if (run_ && !goes_on) {
                finish_run();
            }
            if (stamp - before > usual && !goes_on && options_.closed && !grid_.extended()) {
                add_closure(before, stamp, row);
            }
            if (!is_there) {
                add_absent(stamp, reason, row, 1, stamp);
            }
            before = stamp;
        }
        finish_run();
    }

    void add_absent(UtcTime stamp, const AbsenceReason& reason, std::size_t row, std::size_t count, UtcTime last) {
        if (!run_) {
            run_ = Run{reason, stamp, last, 0, row};
        }
        run_->reason.add(reason);
        run_->last = last;
        run_->bars += count;
        run_->index = row;
    }

    void finish_run() {
        if (run_) {
            add({{run_->first, std::min(grid_.end_of(run_->last), grid_.next(run_->last))},
                 run_->reason.kind,
                 run_->bars,
                 run_->index},
                text_of(run_->reason));
            run_.reset();
        }
    }

    void add(Gap gap, std::string evidence) {
        gap.label = label_of(gap.kind, gap.range, calendar_);
        gap.evidence = std::move(evidence);
        report_.gaps.push_back(std::move(gap));
    }

    void add_closed(TimeRange range, std::size_t row) {
        if (!range.empty()) {
            add({range, GapClass::closed, 0, row}, closure_text(*calendar_, range));
        }
    }

    /// Between two bars that should exist, where the first ends before the second begins.
    void add_closure(UtcTime before, UtcTime stamp, std::size_t row) {
        if (!grid_.timeframe().is_intraday()) {
            add_closed({grid_.next_unbroken(before), stamp}, row);
            return;
        }
        TimeRange range{grid_.end_of(before), stamp};
        const auto session = calendar_->session_at(before);
        if (range.empty() || stamp == before) {
            return;
        }
        if (session && session->early_close && range.start >= session->close()) {
            const auto usual = usual_close(*calendar_, *session);
            if (usual && range.start < *usual && *usual < range.end) {
                add({{range.start, *usual}, GapClass::early_close, 0, row},
                    early_close_text(*calendar_, *session, *usual));
                range.start = *usual;
            }
        }
        add_closed(range, row);
    }

    /// Of extended hours: from the bar in which the session opens to the last that begins before it closes.
    std::vector<UtcTime> hours_of_sessions(TimeRange range) const {
        std::vector<UtcTime> stamps;
        for (const Session& session : calendar_->sessions()) {
            if (session.open() >= range.end) {
                break;
            }
            for (UtcTime stamp = grid_.floor(session.open()); stamp < session.close();
                 stamp = grid_.next_unbroken(stamp)) {
                if (range.contains(stamp)) {
                    stamps.push_back(stamp);
                }
            }
        }
        return stamps;
    }

    /// Of extended hours: before and after each session, on its date.
    void beside_sessions(TimeRange range) {
        EvidenceLine line(evidence_);
        UtcTime before = range.start;
        for (const Session& session : calendar_->sessions()) {
            if (session.midnight() >= range.end) {
                break;
            }
            wanted_.ask();
            if (before < session.midnight() && options_.closed && before != range.start) {
                add_closed({before, session.midnight()}, row_from(before));
            }
            before = std::max(before, session.midnight() + days{1});
            const UtcTime opening = grid_.floor(session.open());
            const UtcTime closing = grid_.end_of(grid_.floor(session.close() - nanoseconds{1}));
            for (const TimeRange part :
                 {TimeRange{session.midnight(), opening}, TimeRange{closing, session.midnight() + days{1}}}) {
                without_trades(common(part, range), session, line);
            }
        }
    }

    void without_trades(TimeRange part, const Session& session, EvidenceLine& line) {
        std::size_t row = row_from(part.start);
        UtcTime from = part.start;
        while (from < part.end) {
            const UtcTime to = row < bars_.size() ? std::min(bars_.start_of(row), part.end) : part.end;
            if (to > from) {
                const AbsenceReason reason = reason_of(line.at(from), GapClass::no_trade);
                const auto bars = static_cast<std::size_t>((to - from) / length_);
                if (reason.kind == GapClass::failed) {
                    add({{from, to}, GapClass::failed, bars, row}, text_of(reason));
                } else {
                    add({{from, to}, GapClass::no_trade, bars, row}, no_trade_text(*calendar_, session));
                }
            }
            from = row < bars_.size() ? std::max(to, grid_.end_of(bars_.start_of(row))) : part.end;
            ++row;
        }
    }

    /// Without a calendar: where a bar does not begin when the one before it ends.
    void between_bars(TimeRange range) {
        std::size_t row = row_from(range.start);
        UtcTime from = range.start;
        if (row < bars_.size() && has_one_length_) {
            const UtcTime next = std::min(bars_.start_of(row), range.end);
            from = next - (next - from) / length_ * length_;
        }
        for (; row < bars_.size() && bars_.start_of(row) < range.end; ++row) {
            wanted_.at(row);
            const UtcTime stamp = bars_.start_of(row);
            ++report_.present;
            if (stamp > from) {
                absent_between(from, stamp, row);
            }
            from = grid_.next(stamp);
        }
        absent_between(from, range.end, row);
    }

    void absent_between(UtcTime from, UtcTime to, std::size_t row) {
        UtcTime stamp = from;
        // One that has not the time to end is no bar: days by a local clock are 25 hours once a year.
        while (stamp < to && grid_.end_of(stamp) <= to) {
            const AbsenceReason reason = reason_of(line_.at(stamp), GapClass::no_trade);
            if (run_ && !run_->reason.same_as(reason)) {
                finish_run();
            }
            const auto [count, last] = stamps_until(stamp, std::min(to, line_.same_until(stamp)), to);
            add_absent(stamp, reason, row, count, last);
            stamp = grid_.next(last);
        }
        finish_run();
    }

    /// How many begin from `stamp` on before `until` and end by `to`, at least this one, and the last of them.
    std::pair<std::size_t, UtcTime> stamps_until(UtcTime stamp, UtcTime until, UtcTime to) const {
        if (!has_one_length_) {
            return {1, stamp};
        }
        const auto begin = (until - stamp + length_ - nanoseconds{1}) / length_;
        const auto end = (to - stamp) / length_;
        const auto count = std::max<std::int64_t>(1, std::min(begin, end));
        return {static_cast<std::size_t>(count), stamp + (count - 1) * length_};
    }

    [[nodiscard]] std::size_t row_from(UtcTime time) const {
        return static_cast<std::size_t>(std::lower_bound(bars_.time.begin(), bars_.time.end(), nanos_of(time)) -
                                        bars_.time.begin());
    }

    const Bars& bars_;
    const BarGrid& grid_;
    const SessionCalendar* calendar_;
    EvidenceLine line_;
    std::span<const Evidence> evidence_;
    const GapOptions options_;
    const RowPoll wanted_;
    const nanoseconds length_;
    const bool has_one_length_;
    GapReport report_{};
    std::optional<Run> run_{};
};

}  // namespace

std::string_view to_string(GapClass kind) noexcept {
    switch (kind) {
        case GapClass::closed: return "closed";
        case GapClass::early_close: return "early_close";
        case GapClass::no_trade: return "no_trade";
        case GapClass::provider_empty: return "provider_empty";
        case GapClass::failed: return "failed";
        case GapClass::unknown: break;
    }
    return "unknown";
}

std::size_t GapReport::absent(GapClass kind) const noexcept {
    std::size_t count = 0;
    for (const Gap& gap : gaps) {
        count += gap.kind == kind ? gap.bars : 0;
    }
    return count;
}

std::size_t GapReport::absent() const noexcept {
    std::size_t count = 0;
    for (const Gap& gap : gaps) {
        count += gap.kind == GapClass::no_trade ? 0 : gap.bars;
    }
    return count;
}

Result<GapReport> find_gaps(const Bars& bars, const BarGrid& grid, TimeRange range, std::span<const Evidence> evidence,
                            const GapOptions& options) {
    if (auto checked = bars.check(); !checked) {
        return checked.error();
    }
    return until_unwanted(
        [&]() -> Result<GapReport> { return GapFinder(bars, grid, range, evidence, options).find(); });
}

TimeRange range_of_bars(const Bars& bars, const BarGrid& grid) {
    return bars.empty() ? TimeRange{} : TimeRange{bars.start_of(0), grid.end_of(bars.start_of(bars.size() - 1))};
}

}  // namespace ktrdr
