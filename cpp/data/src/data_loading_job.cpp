#include <ktrdr/data/data_loading_job.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/coroutines/gate.hpp>
#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/planner.hpp>
#include <ktrdr/market/time_text.hpp>

#include "spawned.hpp"

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

bool is_storage(Errc code) {
    return code == Errc::storage || code == Errc::storage_full || code == Errc::storage_schema;
}

/// The service answered, and the answer was no good: worth a ledger entry, and the next segment may do better. With any
/// other error of a source there is no point in going on.
bool is_answer(Errc code) {
    return code == Errc::host_service || code == Errc::status || code == Errc::protocol ||
           code == Errc::response_too_large;
}

AskOutcome outcome_of(const Error& error) {
    const boost::json::value* const status = error.context.if_contains("status");
    const bool forbidden =
        status != nullptr && status->is_int64() && ((status->get_int64() == 401 || status->get_int64() == 403));
    return error.code == Errc::status && forbidden ? AskOutcome::denied : AskOutcome::failed;
}

/// The ledger has a place of its own for the period of each; of more the whole segment is asked for again.
constexpr std::size_t most_dropped_rows = 16;

/// So many ranges and rows are named in a warning.
constexpr std::size_t most_named = 20;

std::string text_of(TimeRange range) {
    return fmt::format("{} to {}", format_short(range.start), format_short(range.end));
}

/// What an answer proves of its segment: nothing where it may lack bars, nor for the periods of rows that were dropped.
std::vector<LedgerEntry> ledger_parts(const SourceAnswer& answer, TimeRange range, const BarGrid& grid,
                                      UtcTime asked_at) {
    if (!answer.partial.empty() || answer.dropped.size() > most_dropped_rows) {
        return {{range, AskOutcome::failed, asked_at}};
    }
    const AskOutcome outcome = answer.bars.empty() ? AskOutcome::empty : AskOutcome::bars;
    std::vector<UtcTime> holes(answer.dropped.size());
    std::transform(answer.dropped.begin(), answer.dropped.end(), holes.begin(),
                   [](const SourceAnswer::DroppedRow& row) { return row.start; });
    std::sort(holes.begin(), holes.end());
    std::vector<LedgerEntry> parts;
    UtcTime reached = range.start;
    const auto add = [&parts, asked_at](TimeRange part, AskOutcome what) {
        if (!part.empty()) {
            parts.push_back({part, what, asked_at});
        }
    };
    for (const UtcTime hole : holes) {
        const TimeRange period{std::max(hole, reached), std::min(grid.end_of(hole), range.end)};
        add({reached, period.start}, outcome);
        add(period, AskOutcome::failed);
        reached = std::max(reached, period.end);
    }
    add({reached, range.end}, outcome);
    return parts;
}

}  // namespace

/// The segments of one load: which is next, what came of them, and who waits for the end.
struct DataLoadingJob::Segments {
    std::vector<TimeRange> ranges{};
    std::size_t next{0};
    std::int64_t committed{0};
    std::int64_t bars{0};
    std::vector<TimeRange> missing{};
    /// Those that may lack bars, and why.
    std::vector<std::pair<TimeRange, std::string>> partial{};
    std::vector<SourceAnswer::DroppedRow> dropped{};
    int failures_in_row{0};
    /// No further segment is begun.
    bool stopped{false};
    std::optional<Error> first_error{};
    /// The store or the code failed: whatever else came, the load ends with this.
    std::optional<Error> fatal{};
    std::size_t lanes{0};
    Gate all_done{};

    void fail_with(Error error) {
        stopped = true;
        if (!fatal) {
            fatal = std::move(error);
        }
    }

    void miss(TimeRange range, Error error) {
        missing.push_back(range);
        ++failures_in_row;
        stopped = stopped || !is_answer(error.code) || failures_in_row >= most_failures_in_row;
        if (!first_error) {
            first_error = std::move(error);
        }
    }

    void note(TimeRange range, const SourceAnswer& answer) {
        if (!answer.partial.empty()) {
            partial.emplace_back(range, answer.partial);
        }
        dropped.insert(dropped.end(), answer.dropped.begin(), answer.dropped.end());
    }

    void lane_ended() {
        if (--lanes == 0) {
            all_done.open();
        }
    }
};

DataLoadingJob::DataLoadingJob(LoadTask task, LoadMeans means, std::shared_ptr<Operation> operation)
    : task_(std::move(task)), means_(std::move(means)), operation_(std::move(operation)) {}

DataLoadingJob::~DataLoadingJob() = default;

asio::awaitable<Result<BarsPtr>> DataLoadingJob::run() {
    if (task_.mode == LoadMode::full) {
        if (const auto asked = co_await ask_for_missing(); !asked) {
            co_return asked.error();
        }
    }
    co_return co_await read_bars();
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
    const auto missing = [this](const SeriesFacts& known) {
        return missing_ranges(task_.range, known, BarGrid(task_.key.timeframe), means_.clock.utc_now());
    };
    // A range that is stored whole needs nobody: neither the symbol nor the first bar is asked for again.
    if (!missing(*facts).empty()) {
        if (const auto known = co_await learn_symbol(*facts); !known) {
            co_return known.error();
        }
        enter(LoadStep::first_timestamp);
        if (const auto known = co_await learn_first_timestamp(*facts); !known) {
            co_return known.error();
        }
    }
    enter(LoadStep::read_local);
    // Again: another load of the series may have stored something in the meantime.
    facts = co_await run_on(means_.compute, read_facts);
    if (!facts) {
        co_return facts.error();
    }
    enter(LoadStep::plan);
    std::vector<TimeRange> ranges = missing(*facts);
    const SourceLimits limits = means_.source->describe(task_.key.timeframe);
    if (first_) {
        // A hint, no more: it may lie inside its bar's period (14:30 of the first day), or be wrong. One request before
        // it is made once; the ledger knows then.
        const UtcTime earliest = std::max(*first_, UtcTime::min() + limits.max_span) - limits.max_span;
        for (TimeRange& range : ranges) {
            range.start = std::max(range.start, earliest);
        }
        std::erase_if(ranges, [](const TimeRange& range) { return range.empty(); });
    }
    co_return co_await load_segments(cut_into_segments(ranges, limits.max_span));
}

asio::awaitable<Result<void>> DataLoadingJob::learn_symbol(SeriesFacts facts) {
    const UtcTime now = means_.clock.utc_now();
    if (facts.symbol_checked_at && is_fresh(*facts.symbol_checked_at, now)) {
        co_return Result<void>{};
    }
    const auto valid = co_await means_.source->validate_symbol(task_.key.symbol, task_.key.timeframe, call());
    if (!valid) {
        co_return valid.error();
    }
    std::function<Result<void>()> remember = [store = means_.store, key = task_.key, now] {
        return store->remember_symbol(key, now);
    };
    co_return co_await run_on(means_.store_executor, std::move(remember));
}

asio::awaitable<Result<void>> DataLoadingJob::learn_first_timestamp(SeriesFacts facts) {
    const UtcTime now = means_.clock.utc_now();
    if (facts.first_timestamp && is_fresh(facts.first_timestamp->asked_at, now)) {
        first_ = facts.first_timestamp->time;
        co_return Result<void>{};
    }
    const auto first = co_await means_.source->first_timestamp(task_.key.symbol, task_.key.timeframe, call());
    if (!first && is_answer(first.error().code)) {
        // The first bar only spares requests; a service that cannot say, or says what nobody can read, goes without.
        operation_->add_warning(
            fmt::format("{} {}: where its bars begin is not known, and all of the range is asked "
                        "for: {}",
                        task_.key.symbol, task_.key.timeframe.name(), first.error().message));
        co_return Result<void>{};
    }
    if (!first) {
        co_return first.error();
    }
    first_ = *first;
    std::function<Result<void>()> remember = [store = means_.store, key = task_.key,
                                              known = FirstTimestamp{*first, now}] {
        return store->remember_first_timestamp(key, known);
    };
    co_return co_await run_on(means_.store_executor, std::move(remember));
}

asio::awaitable<Result<void>> DataLoadingJob::load_segments(std::vector<TimeRange> ranges) {
    enter(LoadStep::segments);
    const auto segments = std::make_shared<Segments>();
    segments->ranges = std::move(ranges);
    announce(*segments);
    const std::size_t limit = means_.source->describe(task_.key.timeframe).max_in_flight;
    segments->lanes = std::min(std::max<std::size_t>(limit, 1), segments->ranges.size());
    if (segments->lanes > 0) {
        const auto io = co_await asio::this_coro::executor;
        const std::size_t lanes = segments->lanes;
        for (std::size_t i = 0; i < lanes; ++i) {
            asio::co_spawn(io, lane(segments), [segments](const std::exception_ptr& thrown) {
                if (thrown) {
                    segments->fail_with(escaped(thrown, "loading a segment"));
                }
                segments->lane_ended();
            });
        }
        co_await segments->all_done.wait();
    }
    segment_error_ = segments->first_error;
    co_return summarise(*segments);
}

asio::awaitable<void> DataLoadingJob::lane(std::shared_ptr<Segments> segments) {
    while (!segments->stopped && segments->next < segments->ranges.size() && !operation_->token().is_cancelled()) {
        co_await load_one(segments, segments->ranges[segments->next++]);
    }
}

asio::awaitable<void> DataLoadingJob::load_one(std::shared_ptr<Segments> segments, TimeRange range) {
    const UtcTime asked_at = means_.clock.utc_now();
    auto fetched = co_await means_.source->fetch(task_.key.symbol, task_.key.timeframe, range, call());
    if (!fetched && !is_answer(fetched.error().code)) {
        segments->miss(range, fetched.error());
        co_return;
    }
    const auto answer = std::make_shared<const SourceAnswer>(fetched ? std::move(*fetched) : SourceAnswer{});
    auto parts = fetched ? ledger_parts(*answer, range, BarGrid(task_.key.timeframe), asked_at)
                         : std::vector<LedgerEntry>{{range, outcome_of(fetched.error()), asked_at}};
    std::function<Result<void>()> commit = [store = means_.store, key = task_.key, range, answer,
                                            parts = std::move(parts)] {
        const auto stored = store->commit_segment(key, range, answer->bars, parts);
        return stored ? Result<void>{} : Result<void>(stored.error());
    };
    if (const auto stored = co_await run_on(means_.store_executor, std::move(commit)); !stored) {
        segments->fail_with(stored.error());
        co_return;
    }
    if (!fetched) {
        segments->miss(range, fetched.error());
        co_return;
    }
    segments->failures_in_row = 0;
    ++segments->committed;
    segments->bars += static_cast<std::int64_t>(answer->bars.size());
    segments->note(range, *answer);
    announce(*segments);
}

Result<void> DataLoadingJob::summarise(const Segments& segments) const {
    if (segments.fatal) {
        return *segments.fatal;
    }
    if (const auto alive = check_alive("its segments"); !alive) {
        return alive.error();
    }
    warn_of_shortfall(segments);
    if (!segments.first_error) {
        return {};
    }
    if (segments.committed == 0 || is_storage(segments.first_error->code) || is_stop(segments.first_error->code)) {
        return *segments.first_error;
    }
    std::vector<TimeRange> missing = segments.missing;
    missing.insert(missing.end(), segments.ranges.begin() + static_cast<std::ptrdiff_t>(segments.next),
                   segments.ranges.end());
    std::sort(missing.begin(), missing.end());
    std::vector<std::string> texts(missing.size());
    std::transform(missing.begin(), missing.end(), texts.begin(), text_of);
    operation_->add_warning(
        fmt::format("{} {}: {} of {} segments did not come ({}); missing: {}. Load again to ask for "
                    "them",
                    task_.key.symbol, task_.key.timeframe.name(), missing.size(), segments.ranges.size(),
                    segments.first_error->message, fmt::join(texts, ", ")));
    return {};
}

void DataLoadingJob::warn_of_shortfall(const Segments& segments) const {
    const auto name = [this](std::string_view what, std::vector<std::string> texts) {
        if (texts.empty()) {
            return;
        }
        std::sort(texts.begin(), texts.end());
        const std::size_t count = texts.size();
        texts.resize(std::min(count, most_named));
        operation_->add_warning(fmt::format("{} {}: {} {}: {}{}. Load again to ask for them", task_.key.symbol,
                                            task_.key.timeframe.name(), count, what, fmt::join(texts, "; "),
                                            count > most_named ? "; …" : ""));
    };
    std::vector<std::string> parts;
    for (const auto& [range, why] : segments.partial) {
        parts.push_back(fmt::format("{} ({})", text_of(range), why));
    }
    name(parts.size() == 1 ? "answer may lack bars" : "answers may lack bars", std::move(parts));
    std::vector<std::string> rows;
    for (const auto& row : segments.dropped) {
        rows.push_back(fmt::format("{} {}", format_time(row.start), row.why));
    }
    name(rows.size() == 1 ? "row was left out" : "rows were left out", std::move(rows));
}

asio::awaitable<Result<BarsPtr>> DataLoadingJob::read_bars() {
    enter(task_.mode == LoadMode::local ? LoadStep::read_local : LoadStep::read_bars);
    if (const auto alive = check_alive("its bars"); !alive) {
        co_return alive.error();
    }
    std::function<Result<Bars>()> read = [store = means_.store, key = task_.key, range = task_.range] {
        return store->read(key, range);
    };
    auto bars = co_await run_on(means_.compute, std::move(read));
    if (!bars) {
        co_return bars.error();
    }
    if (const auto alive = check_alive("its bars"); !alive) {
        co_return alive.error();
    }
    if (bars->empty() && task_.mode == LoadMode::full) {
        co_return segment_error_.value_or(no_data());
    }
    const auto count = static_cast<std::int64_t>(bars->size());
    operation_->progress().set_context({{"bars_processed", count}});
    operation_->progress().outer().store({.current = 1, .total = 1, .items = count});
    co_return std::make_shared<const Bars>(std::move(*bars));
}

void DataLoadingJob::enter(LoadStep step) {
    operation_->progress().enter(task_.mode == LoadMode::local ? 0 : static_cast<std::size_t>(step));
}

void DataLoadingJob::announce(const Segments& segments) {
    operation_->progress().set_context({{"current_segment", segments.committed},
                                        {"total_segments", segments.ranges.size()},
                                        {"bars_processed", segments.bars}});
    operation_->progress().outer().store({.current = segments.committed,
                                          .total = static_cast<std::int64_t>(segments.ranges.size()),
                                          .items = segments.bars});
}

Result<void> DataLoadingJob::check_alive(std::string_view where) const {
    return operation_->token().check(
        fmt::format("loading {} {}, {}", task_.key.symbol, task_.key.timeframe.name(), where));
}

SourceCall DataLoadingJob::call() const {
    return {.token = operation_->token(), .operation_id = operation_->id(), .operation = operation_};
}

Error DataLoadingJob::no_data() const {
    const std::string first = first_ ? fmt::format("; its first bar starts at {}", format_time(*first_)) : "";
    return fail(Errc::no_data,
                fmt::format("{} has no {} bars of {} from {}{}: choose other dates", task_.key.provider,
                            task_.key.timeframe.name(), task_.key.symbol, text_of(task_.range), first),
                {{"symbol", task_.key.symbol},
                 {"timeframe", task_.key.timeframe.name()},
                 {"start", format_time(task_.range.start)},
                 {"end", format_time(task_.range.end)}});
}

}  // namespace ktrdr
