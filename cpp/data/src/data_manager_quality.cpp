// What a data manager does for checks and repairs of what is stored.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <future>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/calendar/request_times.hpp>
#include <ktrdr/data/data_manager.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

EvidenceKind kind_of(AskOutcome outcome) {
    switch (outcome) {
        case AskOutcome::bars: return EvidenceKind::bars;
        case AskOutcome::empty: return EvidenceKind::empty;
        case AskOutcome::unconfirmed:
        case AskOutcome::silent: return EvidenceKind::unconfirmed;
        case AskOutcome::failed: return EvidenceKind::failed;
        case AskOutcome::denied: break;
    }
    return EvidenceKind::denied;
}

/// The range asked for, `stored` where nobody says, and never what has not closed.
Result<TimeRange> range_to_check(const CheckRequest& request, const BarGrid& grid, TimeRange stored, UtcTime now) {
    const auto asked = parse_dates(request.start_date, request.end_date, grid, stored);
    if (!asked) {
        return asked.error();
    }
    TimeRange range = *asked;
    if (range.empty() && (request.start_date || request.end_date)) {
        return fail(Errc::invalid_argument,
                    fmt::format("the range to check is empty: it starts at {} and ends at {}; bars are stored from {} "
                                "to {}",
                                format_time(range.start), format_time(range.end), format_time(stored.start),
                                format_time(stored.end)),
                    {{"field", "start_date"}});
    }
    range.end = std::max(range.start, std::min(range.end, grid.closed_end(now)));
    return range;
}

bool same_bytes(const Bars& one, const Bars& other) {
    const auto same = [](const auto& a, const auto& b) {
        return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0);
    };
    return same(one.time, other.time) && same(one.open, other.open) && same(one.high, other.high) &&
           same(one.low, other.low) && same(one.close, other.close) && same(one.volume, other.volume);
}

/// Those rows of a series whose stamps others have.
Bars rows_at(const Bars& stored, const Bars& wanted) {
    Bars rows;
    for (std::size_t i = 0, at = 0; i < stored.size() && at < wanted.size(); ++i) {
        while (at < wanted.size() && wanted.time[at] < stored.time[i]) {
            ++at;
        }
        if (at < wanted.size() && wanted.time[at] == stored.time[i]) {
            rows.push_back(stored.time[i], stored.open[i], stored.high[i], stored.low[i], stored.close[i],
                           stored.volume[i]);
        }
    }
    return rows;
}

Result<void> exchange(BarStore& store, const SeriesKey& key, const Bars& before, const Bars& after) {
    const TimeRange range{before.start_of(0), before.start_of(before.size() - 1) + std::chrono::nanoseconds{1}};
    const auto stored = store.read(key, range);
    if (!stored) {
        return stored.error();
    }
    if (!same_bytes(rows_at(*stored, before), before)) {
        return fail(Errc::conflict,
                    fmt::format("the stored bars of {} {} have changed since they were checked: check them again",
                                key.symbol, key.timeframe.name()),
                    {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}});
    }
    const auto done = store.commit_segment(key, {.range = range, .bars = after, .cause = ChangeCause::stored});
    return done ? Result<void>{} : Result<void>(done.error());
}

Result<Revisions> revisions_of(BarStore& store, const SeriesKey& key, const Bars& bars, const SeriesFacts& facts,
                               const CancellationToken& token) {
    auto revised = store.revisions(key, bars, [&token] { return token.check("reading what was revised"); });
    if (!revised) {
        return revised.error();
    }
    Revisions told{.bars = std::move(*revised)};
    for (const BasisBreak& one : facts.breaks) {
        told.rebased.push_back({one.at, one.ratio});
    }
    return told;
}

}  // namespace

std::vector<Evidence> evidence_of(const std::vector<LedgerEntry>& ledger) {
    std::vector<Evidence> evidence;
    for (const LedgerEntry& entry : ledger) {
        evidence.push_back({entry.range, kind_of(entry.outcome), entry.asked_at});
    }
    return evidence;
}

Result<BarGrid> DataManager::grid_of(const SeriesRequest& request) const {
    auto series = find(request, SeriesUse::read);
    return series ? Result<BarGrid>(std::move(series->grid)) : Result<BarGrid>(series.error());
}

Result<SeriesKey> DataManager::key_of(const SeriesRequest& request) const {
    auto series = find(request, SeriesUse::read);
    return series ? Result<SeriesKey>(std::move(series->key)) : Result<SeriesKey>(series.error());
}

SessionCalendarPtr DataManager::calendar(std::string_view name) const {
    return calendars_ ? calendars_->find(name) : nullptr;
}

Result<SeriesToCheck> DataManager::series_to_check(const CheckRequest& request, const BarGrid& grid,
                                                   const CancellationToken& token) const {
    const std::string timeframe(grid.timeframe().name());
    const auto series = find({request.symbol, timeframe, request.series}, SeriesUse::read);
    if (!series) {
        return series.error();
    }
    const SeriesKey* const key = &series->key;
    const auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    const auto facts = (*open_store)->facts(*key);
    if (!facts) {
        return facts.error();
    }
    auto bars = (*open_store)->read(*key, {UtcTime::min(), UtcTime::max()}, [&token] {
        return token.check("reading what is to be checked");
    });
    if (!bars) {
        return bars.error();
    }
    if (bars->empty()) {
        return fail(Errc::no_data,
                    fmt::format("no {} bars of {} are stored in {}: there is nothing to check", timeframe, key->symbol,
                                database_path_.string()),
                    {{"symbol", key->symbol}, {"timeframe", timeframe}});
    }
    const TimeRange stored{bars->start_of(0), grid.end_of(bars->start_of(bars->size() - 1))};
    const auto range = range_to_check(request, grid, stored, services_.clock.utc_now());
    if (!range) {
        return range.error();
    }
    auto told = revisions_of(**open_store, *key, *bars, *facts, token);
    if (!told) {
        return told.error();
    }
    const BarsView all(std::make_shared<const Bars>(std::move(*bars)), key->symbol, timeframe);
    return SeriesToCheck{all.slice(*range), *range, evidence_of(facts->ledger), std::move(*told)};
}

Result<void> DataManager::exchange_rows(const SeriesRequest& request, const Bars& before, const Bars& after) const {
    const auto series = find(request, SeriesUse::read);
    if (!series) {
        return series.error();
    }
    if (before.time != after.time || before.empty()) {
        return fail(Errc::invalid_argument, "rows are exchanged for others of the same stamps, at least one",
                    {{"field", "after"}});
    }
    for (const Bars* const rows : {&before, &after}) {
        if (auto checked = rows->check(); !checked) {
            return checked.error();
        }
    }
    const auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    std::promise<Result<void>> done;
    auto exchanged = done.get_future();
    services_.store.post([&] {
        try {
            done.set_value(exchange(**open_store, series->key, before, after));
        } catch (...) {
            done.set_value(caught("exchanging stored rows"));
        }
    });
    return exchanged.get();
}

}  // namespace ktrdr
