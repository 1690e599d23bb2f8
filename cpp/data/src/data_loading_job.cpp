#include <ktrdr/data/data_loading_job.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/planner.hpp>
#include <ktrdr/market/time_text.hpp>

#include "answer_errors.hpp"
#include "range_sets.hpp"
#include "segment_loader.hpp"
#include "series_grid.hpp"
#include "source_warnings.hpp"

namespace ktrdr {
namespace {

namespace asio = boost::asio;

/// Symbols and first timestamps change rarely; a month is early enough to hear of it.
constexpr std::chrono::days facts_keep{30};

/// After so many refused segments in a row the rest is not asked for.
constexpr int most_failures_in_row = 3;

bool is_fresh(UtcTime asked_at, UtcTime now) {
    return now - asked_at < facts_keep;
}

/// The first bar only spares requests: whatever the source says that is no end of the load, the load goes on without.
bool may_go_without(Errc code) {
    return is_answer(code) || code == Errc::service_timeout || code == Errc::no_data || code == Errc::not_found ||
           code == Errc::not_available || code == Errc::invalid_argument;
}

bool is_storage(Errc code) {
    return code == Errc::storage || code == Errc::storage_full || code == Errc::storage_schema;
}

/// What a tail of a series without bars begins with.
constexpr std::chrono::days first_tail{30};

/// Clocks that differ by more are told of.
constexpr std::chrono::seconds most_apart{90};

/// So many ranges and rows are named in a warning.
constexpr std::size_t most_named = 20;

std::string text_of(TimeRange range) {
    return fmt::format("{} to {}", format_short(range.start), format_short(range.end));
}

template <class Texts>
std::string listed(Texts texts) {
    std::sort(texts.begin(), texts.end());
    const std::size_t count = texts.size();
    texts.resize(std::min(count, most_named));
    return fmt::format("{}{}", fmt::join(texts, "; "), count > most_named ? "; …" : "");
}

std::vector<TimeRange> ranges_of(const std::vector<LedgerEntry>& ledger) {
    std::vector<TimeRange> ranges(ledger.size());
    std::transform(ledger.begin(), ledger.end(), ranges.begin(), [](const LedgerEntry& entry) { return entry.range; });
    return ranges;
}

std::vector<std::string> texts_of(const std::vector<TimeRange>& ranges) {
    std::vector<std::string> texts(ranges.size());
    std::transform(ranges.begin(), ranges.end(), texts.begin(), text_of);
    return texts;
}

/// The newest bar, or before it what an earlier tail was to bring and did not: it begins at the newest end, and may
/// have been stopped.
UtcTime tail_start(UtcTime newest, const SeriesFacts& facts, const BarGrid& grid, UtcTime now) {
    std::vector<TimeRange> failed;
    for (const LedgerEntry& entry : facts.ledger) {
        if (entry.outcome == AskOutcome::failed) {
            failed.push_back(entry.range);
        }
    }
    std::sort(failed.begin(), failed.end(), [](TimeRange a, TimeRange b) { return a.end > b.end; });
    UtcTime start = newest;
    for (const TimeRange& range : failed) {
        if (range.end >= start || missing_ranges({range.end, start}, facts, grid, now).empty()) {
            start = std::min(start, range.start);
        }
    }
    return start;
}

LoadMeans with_traffic(LoadMeans means) {
    if (!means.traffic) {
        means.traffic = make_source_traffic();
    }
    return means;
}

}  // namespace

std::shared_ptr<SourceTraffic> make_source_traffic() {
    return std::make_shared<SourceTraffic>();
}

struct DataLoadingJob::Place {
    std::shared_ptr<RequestQueue::Member> member;
    Asker asker;
};

DataLoadingJob::DataLoadingJob(LoadTask task, LoadMeans means, std::shared_ptr<Operation> operation)
    : task_(std::move(task)),
      means_(with_traffic(std::move(means))),
      operation_(std::move(operation)),
      told_(std::make_shared<SourceWarnings>(operation_,
                                             fmt::format("{} {}", task_.key.symbol, task_.key.timeframe.name()))) {}

DataLoadingJob::~DataLoadingJob() = default;

asio::awaitable<Result<BarsPtr>> DataLoadingJob::run() {
    if (task_.mode != LoadMode::local) {
        auto member = means_.traffic->queue->join();
        const Asker asker{member->load(), means_.priority, means_.source->describe(task_.key.timeframe).max_in_flight};
        place_ = std::make_unique<Place>(std::move(member), asker);
        if (const auto asked = co_await ask_for_missing(); !asked) {
            co_return asked.error();
        }
    }
    auto bars = co_await read_bars();
    if (!bars || !task_.checks.any()) {
        co_return bars;
    }
    co_return co_await check_bars(std::move(*bars));
}

asio::awaitable<Result<void>> DataLoadingJob::ask_for_missing() {
    enter(LoadStep::validate_symbol);
    const std::function<Result<SeriesFacts>()> read_facts = [store = means_.store, key = task_.key] {
        return store->facts(key);
    };
    auto facts = co_await run_on(means_.compute, read_facts);
    if (!facts) {
        co_return facts.error();
    }
    auto grid = grid_of(task_.key, facts->contract, means_.calendars);
    if (!grid) {
        co_return grid.error();
    }
    // A range that is stored whole needs nobody: neither the symbol nor the first bar is asked for again.
    const auto known_range = range_to_ask(*facts, *grid);
    if (!known_range || task_.refresh || !missing_ranges(*known_range, *facts, *grid, means_.clock.utc_now()).empty()) {
        if (const auto known = co_await learn_symbol(*facts); !known) {
            co_return known.error();
        }
        if (const auto alive = check_alive("its symbol"); !alive) {
            co_return alive.error();
        }
        if (const auto settled = co_await settle_series(); !settled) {
            co_return settled.error();
        }
        if (const auto alive = check_alive("its first bar"); !alive) {
            co_return alive.error();
        }
        enter(LoadStep::first_timestamp);
        if (const auto known = co_await learn_first_timestamp(*facts); !known) {
            co_return known.error();
        }
    }
    enter(LoadStep::read_local);
    if (const auto alive = check_alive("what is stored"); !alive) {
        co_return alive.error();
    }
    // Again: another load of the series may have stored something in the meantime.
    facts = co_await run_on(means_.compute, read_facts);
    if (!facts) {
        co_return facts.error();
    }
    grid = grid_of(task_.key, facts->contract, means_.calendars);
    if (!grid) {
        co_return grid.error();
    }
    const auto range = range_to_ask(*facts, *grid);
    if (!range) {
        co_return range.error();
    }
    asked_ = *range;
    enter(LoadStep::plan);
    auto loaded = co_await load_segments(missing_of(*range, *facts, *grid), *facts, *grid);
    while (loaded && first_ && oldest_ && *oldest_ < grid->floor(*first_)) {
        if (const auto corrected = co_await correct_first_timestamp(*oldest_); !corrected) {
            co_return corrected.error();
        }
        facts = co_await run_on(means_.compute, read_facts);
        if (!facts) {
            co_return facts.error();
        }
        std::vector<TimeRange> missing = missing_of(asked_, *facts, *grid);
        std::erase_if(missing, [this](const TimeRange& one) { return one.start >= *first_; });
        if (missing.empty()) {
            break;
        }
        loaded = co_await load_segments(std::move(missing), *facts, *grid);
    }
    co_return loaded;
}

Result<TimeRange> DataLoadingJob::range_to_ask(const SeriesFacts& facts, const BarGrid& grid) const {
    TimeRange range = task_.range;
    const bool open = range.start == UtcTime::min();
    if (task_.mode == LoadMode::tail) {
        range.start = facts.newest_bar ? tail_start(*facts.newest_bar, facts, grid, means_.clock.utc_now())
                                       : (open ? means_.clock.utc_now() - first_tail : range.start);
        return range;
    }
    if (open && !first_) {
        return fail(
            Errc::invalid_argument,
            fmt::format("mode {} without start_date needs a source that says where its bars begin, and {} does "
                        "not for {} {}: give start_date",
                        to_string(task_.mode), task_.key.provider, task_.key.symbol, task_.key.timeframe.name()),
            {{"field", "start_date"}});
    }
    if (open) {
        range.start = grid.floor(*first_);
    }
    if (task_.mode == LoadMode::backfill && facts.newest_bar) {
        range.end = std::min(range.end, *facts.newest_bar);
    }
    return range;
}

std::vector<TimeRange> DataLoadingJob::missing_of(TimeRange range, const SeriesFacts& facts,
                                                  const BarGrid& grid) const {
    std::vector<TimeRange> ranges;
    if (!task_.refresh) {
        ranges = missing_ranges(range, facts, grid, means_.clock.utc_now());
    } else if (!range.empty()) {
        ranges = {range};
    }
    if (first_) {
        // A hint, no more: it may lie inside its bar's period (14:30 of the first day), or be wrong. One request before
        // it is made once; the ledger knows then.
        const SourceLimits limits = means_.source->describe(task_.key.timeframe);
        const auto span = limits.first_span > std::chrono::nanoseconds{0} ? limits.first_span : limits.max_span;
        const UtcTime earliest = std::max(*first_, UtcTime::min() + span) - span;
        for (TimeRange& one : ranges) {
            one.start = std::max(one.start, earliest);
        }
        std::erase_if(ranges, [](const TimeRange& one) { return one.empty(); });
    }
    return ranges;
}

asio::awaitable<Result<void>> DataLoadingJob::learn_symbol(SeriesFacts facts) {
    const UtcTime now = means_.clock.utc_now();
    if (facts.symbol_checked_at && is_fresh(*facts.symbol_checked_at, now)) {
        co_return Result<void>{};
    }
    auto turn = co_await means_.traffic->queue->enter(place_->asker, operation_->token());
    if (!turn) {
        co_return turn.error();
    }
    auto valid = co_await means_.source->validate_symbol(task_.key.symbol, task_.key.timeframe, call());
    turn->reset();
    if (!valid) {
        co_return valid.error();
    }
    if (const auto alive = check_alive("its symbol"); !alive) {
        co_return alive.error();
    }
    if (const auto same = completed(task_.key, task_.words, *valid); !same) {
        co_return same.error();
    }
    std::function<Result<void>()> remember = [store = means_.store, key = task_.key, now,
                                              contract = std::move(*valid)] {
        return store->remember_symbol(key, now, contract);
    };
    co_return co_await run_on(means_.store_executor, std::move(remember));
}

asio::awaitable<Result<void>> DataLoadingJob::learn_first_timestamp(SeriesFacts facts) {
    const UtcTime now = means_.clock.utc_now();
    if (facts.first_timestamp && is_fresh(facts.first_timestamp->asked_at, now)) {
        first_ = facts.first_timestamp->time;
        co_return Result<void>{};
    }
    auto turn = co_await means_.traffic->queue->enter(place_->asker, operation_->token());
    if (!turn) {
        co_return turn.error();
    }
    const auto first = co_await means_.source->first_timestamp(task_.key.symbol, task_.key.timeframe, call());
    turn->reset();
    if (!first && may_go_without(first.error().code)) {
        warn(fmt::format("where its bars begin is not known, and all of the range is asked for: {}",
                         first.error().message));
        co_return Result<void>{};
    }
    if (!first) {
        co_return first.error();
    }
    if (const auto alive = check_alive("its first bar"); !alive) {
        co_return alive.error();
    }
    first_ = *first;
    if (first_ && *first_ > now) {
        warn(fmt::format("{} says that its bars begin at {}, which has not come yet: all of the range is asked for",
                         task_.key.provider, format_time(*first_)));
        first_.reset();
    }
    // What bars have shown to begin sooner does not begin later because it is said again.
    if (const auto known = facts.first_timestamp; first_ && known && known->time && known->time <= now) {
        first_ = std::min(*first_, *known->time);
    }
    co_return co_await remember_first_timestamp({first_, now});
}

asio::awaitable<Result<void>> DataLoadingJob::correct_first_timestamp(UtcTime oldest) {
    warn(
        fmt::format("{} says that its bars begin at {}, and has some from {} on: it is asked for what lies before them",
                    task_.key.provider, format_time(*first_), format_time(oldest)));
    first_ = oldest;
    co_return co_await remember_first_timestamp({first_, means_.clock.utc_now()});
}

asio::awaitable<Result<void>> DataLoadingJob::remember_first_timestamp(FirstTimestamp known) {
    std::function<Result<void>()> remember = [store = means_.store, key = task_.key, known] {
        return store->remember_first_timestamp(key, known);
    };
    co_return co_await run_on(means_.store_executor, std::move(remember));
}

asio::awaitable<Result<void>> DataLoadingJob::load_segments(std::vector<TimeRange> missing, SeriesFacts known,
                                                            BarGrid grid) {
    enter(LoadStep::segments);
    SourceCall asks = call();
    asks.grid = grid;
    const auto loader = std::make_shared<SegmentLoader>(
        SegmentLoader::Means{.known = known,
                             .task = task_,
                             .load = means_,
                             .operation = operation_,
                             .grid = grid,
                             .call = std::move(asks),
                             .limits = means_.source->describe(task_.key.timeframe),
                             .asker = place_->asker,
                             .traffic = means_.traffic,
                             .announce = [this](const LoadedSegments& loaded) { announce(loaded); },
                             .warn = [this](const std::string& text) { warn(text); }});
    announce(loader->loaded());
    co_await loader->load(std::move(missing));
    segment_error_ = loader->loaded().first_error;
    oldest_ = loader->loaded().oldest;
    if (auto ended = summarise(loader->loaded(), grid); !ended) {
        co_return ended;
    }
    std::vector<TimeRange> noted = loader->loaded().noted;
    const std::vector<TimeRange> before = ranges_of(known.ledger);
    noted.insert(noted.end(), before.begin(), before.end());
    co_return co_await warn_of_the_store(joined(std::move(noted)));
}

Result<void> DataLoadingJob::summarise(const LoadedSegments& loaded, const BarGrid& grid) const {
    if (loaded.fatal) {
        return *loaded.fatal;
    }
    if (const auto alive = check_alive("its segments"); !alive) {
        return alive.error();
    }
    warn_of_shortfall(loaded, grid);
    if (!loaded.first_error) {
        return {};
    }
    const auto committed = static_cast<std::size_t>(loaded.committed);
    if (committed == 0 || is_storage(loaded.first_error->code) || is_stop(loaded.first_error->code)) {
        return *loaded.first_error;
    }
    const std::vector<TimeRange> missing = joined(loaded.missing);
    warn(fmt::format("{} of {} segments did not come ({}); missing: {}. Load again to ask for them",
                     std::max<std::size_t>(loaded.planned, committed + 1) - committed, loaded.planned,
                     loaded.first_error->message, fmt::join(texts_of(missing), ", ")));
    return {};
}

void DataLoadingJob::warn_of_shortfall(const LoadedSegments& loaded, const BarGrid& grid) const {
    if (!loaded.partial.empty()) {
        std::vector<std::string> parts;
        for (const auto& [range, why] : loaded.partial) {
            parts.push_back(fmt::format("{} ({})", text_of(range), why));
        }
        warn(fmt::format("{} {}: {}. Load again to ask for them", parts.size(),
                         parts.size() == 1 ? "answer may lack bars" : "answers may lack bars", listed(parts)));
    }
    if (!loaded.dropped.empty()) {
        std::vector<std::string> rows;
        for (const auto& row : loaded.dropped) {
            rows.push_back(fmt::format("{} {}", format_time(row.start), row.why));
        }
        warn(fmt::format("{} {}: {}. Load again to ask for them", rows.size(),
                         rows.size() == 1 ? "row was left out" : "rows were left out", listed(rows)));
    }
    if (!loaded.mended.empty()) {
        warn(fmt::format("answers were put right: {}",
                         listed(std::vector<std::string>(loaded.mended.begin(), loaded.mended.end()))));
    }
    if (loaded.brought_late > 0) {
        warn(fmt::format("answers {}: {} bars came by further requests for the rest",
                         loaded.refused_once ? "were refused, too late, or short of what was asked for"
                                             : "came short of what was asked for",
                         loaded.brought_late));
    }
    if (loaded.revised > 0) {
        warn(
            fmt::format("{} stored bars beside what was missing have other numbers at the provider. Nothing stored was "
                        "changed; load with refresh=True to take the provider's",
                        loaded.revised));
    }
    if (!loaded.off_grid.empty()) {
        warn(
            fmt::format("{} bars begin where the calendar of {} has none, the first at {}: what is missing beside "
                        "them was told without it",
                        loaded.off_grid.size(), task_.key.symbol,
                        format_time(*std::min_element(loaded.off_grid.begin(), loaded.off_grid.end()))));
    }
    if (const auto apart = std::chrono::abs(loaded.clocks_apart); apart > most_apart) {
        warn(
            fmt::format("the clock of {} is {:.0f} s {} this machine's: which bars are closed is told by this one, so "
                        "set the one that is wrong",
                        task_.key.provider, std::chrono::duration<double>(apart).count(),
                        loaded.clocks_apart.count() > 0 ? "ahead of" : "behind"));
    }
    if (loaded.stamped_inside) {
        warn(
            fmt::format("bars came stamped inside of their periods ({} for example) and are stored under 00:00 UTC of "
                        "their date: the source should convert its stamps",
                        format_time(*loaded.stamped_inside)));
    }
    // Without a calendar nobody knows whether anything should be there, nor does anybody before the first bar.
    const UtcTime begin = first_ ? grid.floor(*first_) : UtcTime::min();
    std::vector<TimeRange> absent = loaded.unconfirmed;
    for (TimeRange& range : absent) {
        range.start = std::max(range.start, begin);
    }
    std::erase_if(absent, [&grid](TimeRange range) { return range.empty() || !grid.expected(range); });
    if (!absent.empty()) {
        warn(fmt::format("bars that should exist did not come: {}. The next load asks for them again",
                         listed(texts_of(absent))));
    }
}

asio::awaitable<Result<void>> DataLoadingJob::warn_of_the_store(std::vector<TimeRange> noted) {
    std::function<Result<SeriesFacts>()> read = [store = means_.store, key = task_.key] { return store->facts(key); };
    const auto facts = co_await run_on(means_.compute, std::move(read));
    if (!facts) {
        co_return facts.error();
    }
    for (const BasisBreak& one : facts->breaks) {
        if (task_.range.contains(one.at)) {
            warn(fmt::format(
                "prices from {} on are {:.6g} times what those before are on: the provider has re-based its "
                "history (a split, a dividend). Nothing stored was changed; load the whole range with "
                "refresh=True to have it on one basis",
                format_time(one.at), one.ratio));
        }
    }
    std::vector<TimeRange> gone = without(noted, joined(ranges_of(facts->ledger)));
    std::erase_if(gone, [this](TimeRange range) { return range.end <= asked_.start || asked_.end <= range.start; });
    if (!gone.empty()) {
        warn(
            fmt::format("what was stored was deleted or forgotten meanwhile, and is not in the result: {}. Load again "
                        "to ask for it",
                        listed(texts_of(gone))));
    }
    co_return Result<void>{};
}

void DataLoadingJob::warn(const std::string& text) const {
    operation_->add_warning(fmt::format("{} {}: {}", task_.key.symbol, task_.key.timeframe.name(), text));
}

asio::awaitable<Result<BarsPtr>> DataLoadingJob::read_bars() {
    enter(task_.mode == LoadMode::local ? LoadStep::read_local : LoadStep::read_bars);
    if (const auto alive = check_alive("its bars"); !alive) {
        co_return alive.error();
    }
    std::function<Result<Bars>()> read = [this, store = means_.store, key = task_.key, range = task_.range] {
        return store->read(key, range, [this] { return check_alive("its bars"); }, &means_.compute);
    };
    auto bars = co_await run_on(means_.compute, std::move(read));
    if (!bars) {
        co_return bars.error();
    }
    if (const auto alive = check_alive("its bars"); !alive) {
        co_return alive.error();
    }
    if (bars->empty() && task_.mode != LoadMode::local) {
        co_return segment_error_.value_or(no_data());
    }
    const auto count = static_cast<std::int64_t>(bars->size());
    operation_->progress().set_context({{"bars_processed", count}});
    operation_->progress().outer().store({.current = 1, .total = 1, .items = count});
    co_return std::make_shared<const Bars>(std::move(*bars));
}

void DataLoadingJob::enter(LoadStep step) {
    const bool local = task_.mode == LoadMode::local;
    operation_->progress().enter(local ? (step == LoadStep::quality ? 1 : 0) : static_cast<std::size_t>(step));
}

void DataLoadingJob::announce(const LoadedSegments& loaded) {
    operation_->progress().set_context(
        {{"current_segment", loaded.committed}, {"total_segments", loaded.planned}, {"bars_processed", loaded.bars}});
    operation_->progress().outer().store(
        {.current = loaded.committed, .total = static_cast<std::int64_t>(loaded.planned), .items = loaded.bars});
}

Result<void> DataLoadingJob::check_alive(std::string_view where) const {
    return operation_->token().check(
        fmt::format("loading {} {}, {}", task_.key.symbol, task_.key.timeframe.name(), where));
}

SourceCall DataLoadingJob::call() const {
    return {.token = operation_->token(),
            .operation_id = operation_->id(),
            .operation = operation_,
            .kind = kind_of(task_.key),
            .warn = [told = told_](const std::string& text) { told->add(text); }};
}

Error DataLoadingJob::no_data() const {
    const std::string start = format_time(asked_.start);
    const std::string end = format_time(asked_.end);
    const auto of_range = [&](std::string said) {
        return fail(
            Errc::no_data, std::move(said),
            {{"symbol", task_.key.symbol}, {"timeframe", task_.key.timeframe.name()}, {"start", start}, {"end", end}});
    };
    if (asked_.empty()) {
        // Only a backfill's range may be: it ends with the newest bar.
        return of_range(
            fmt::format("mode {} asks for what is older than the newest stored bar of {} {}, {}, and start_date {} "
                        "lies behind that: choose an earlier start_date, or mode full or tail for what is newer",
                        to_string(task_.mode), task_.key.symbol, task_.key.timeframe.name(), end, start));
    }
    const std::string first = first_ ? fmt::format("; its first bar starts at {}", format_time(*first_)) : "";
    return of_range(fmt::format("{} has no {} bars of {} from {}{}: choose other dates", task_.key.provider,
                                task_.key.timeframe.name(), task_.key.symbol, text_of(asked_), first));
}

}  // namespace ktrdr
