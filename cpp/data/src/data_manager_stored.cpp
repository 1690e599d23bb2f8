// What a data manager says and does of bars that are stored.

#include <fmt/format.h>

#include <algorithm>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/data/data_manager.hpp>

#include "range_sets.hpp"

namespace ktrdr {
namespace {

/// `Resampling AAPL 1m to 1d`.
class ResampleProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override {
        return fmt::format("Resampling {} {} to {}{}", text_or_empty(state.context, "symbol"),
                           text_or_empty(state.context, "from"), text_or_empty(state.context, "timeframe"),
                           state.percentage >= 100 ? ": done" : "");
    }
};

Error not_stored(const SeriesKey& key, const std::filesystem::path& file) {
    return fail(Errc::no_data,
                fmt::format("no {} bars of {} are stored in {} in that range: load them with load_data({:?}, {:?}, "
                            "start_date=…, end_date=…, mode=\"full\")",
                            key.timeframe.name(), key.symbol, file.string(), key.symbol, key.timeframe.name()),
                {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}});
}

Result<std::optional<StoredSeries>> find_stored(BarStore& store, const SeriesKey& key) {
    const auto all = store.list();
    if (!all) {
        return all.error();
    }
    const auto one = std::ranges::find(*all, key, &StoredSeries::key);
    return one == all->end() ? std::optional<StoredSeries>() : std::optional(*one);
}

/// Which series the longer bars are to be of: that of the symbol's which the shorter ones would be, were they brought
/// now. Of shorter ones that were brought before anybody said what the symbol is, the key says less than that of longer
/// ones may.
SeriesRequest longer_series(const ResampleRequest& request, const SeriesKey& key) {
    SeriesRequest longer{key.symbol, std::string(key.timeframe.name()), request.series};
    const auto say = [](std::optional<std::string>& word, const std::string& part, std::string_view usual) {
        if (!word && part != usual) {
            word = part;
        }
    };
    const SeriesKind usual;
    say(longer.series.what_to_show, key.what_to_show, usual_show(key.asset_class));
    say(longer.series.session, key.session, usual.session);
    say(longer.series.instrument_type, key.asset_class, "");
    say(longer.series.exchange, key.exchange, "");
    say(longer.series.currency, key.currency, "");
    return longer;
}

/// The newest `limit` bars of a range, without reading what lies far before them.
Result<Bars> read_newest(BarStore& store, const StoredSeries& series, TimeRange range, std::size_t limit) {
    range.start = std::max(range.start, series.first);
    range.end = std::min(range.end, series.last + std::chrono::nanoseconds{1});
    // Sessions are a fifth of the week at the least that is usual; wider where that was not enough.
    constexpr std::chrono::nanoseconds longest = std::chrono::days{200 * 365};
    const auto bars = static_cast<std::int64_t>(std::min<std::size_t>(limit, series.bars));
    const auto usual = 5 * series.key.timeframe.shortest();
    std::chrono::nanoseconds span = bars < longest / usual ? std::chrono::days{7} + bars * usual : longest;
    for (;;) {
        const bool all = range.start + span >= range.end || span == longest;
        const TimeRange part{all ? range.start : range.end - span, range.end};
        auto read = store.read(series.key, part);
        if (!read || all || read->size() >= limit) {
            return read ? Result<Bars>(read->rows(read->size() - std::min(limit, read->size()), read->size())) : read;
        }
        span = span < longest / 4 ? 4 * span : longest;
    }
}

}  // namespace

std::vector<TimeRange> known_ranges(std::span<const LedgerEntry> ledger) {
    std::vector<TimeRange> all;
    for (const LedgerEntry& entry : ledger) {
        if (entry.outcome == AskOutcome::bars || entry.outcome == AskOutcome::empty) {
            all.push_back(entry.range);
        }
    }
    return joined(std::move(all));
}

Result<BarsView> DataManager::get_data(const LoadRequest& request, std::optional<std::size_t> limit,
                                       const CancellationToken& token) {
    const auto found = find(series_of(request), SeriesUse::read);
    if (!found) {
        return found.error();
    }
    const auto task = check_request({.start_date = request.start_date, .end_date = request.end_date}, *found,
                                    services_.clock.utc_now());
    if (!task) {
        return task.error();
    }
    if (limit == 0U) {
        return fail(Errc::invalid_argument, "limit must be at least 1, not 0", {{"field", "limit"}});
    }
    const auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    BarStore& bars_of = **open_store;
    Result<Bars> bars = Bars{};
    if (limit) {
        const auto series = find_stored(bars_of, task->key);
        if (!series) {
            return series.error();
        }
        if (*series) {
            bars = read_newest(bars_of, **series, task->range, *limit);
        }
    } else {
        bars = bars_of.read(task->key, task->range, [&token] { return token.check("reading stored bars"); });
    }
    if (!bars) {
        return bars.error();
    }
    if (bars->empty()) {
        return not_stored(task->key, database_path_);
    }
    return BarsView(std::make_shared<const Bars>(std::move(*bars)), task->key.symbol,
                    std::string(task->key.timeframe.name()), task->key.what_to_show);
}

Result<SeriesSummary> DataManager::get_summary(const SeriesRequest& request) {
    const auto found = find(request, SeriesUse::read);
    if (!found) {
        return found.error();
    }
    const SeriesKey& key = found->key;
    const auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    const auto series = find_stored(**open_store, key);
    if (!series) {
        return series.error();
    }
    if (!*series) {
        return not_stored(key, database_path_);
    }
    const auto bars = (*open_store)->read(key, {UtcTime::min(), UtcTime::max()});
    if (!bars) {
        return bars.error();
    }
    const auto facts = (*open_store)->facts(key);
    if (!facts) {
        return facts.error();
    }
    SeriesSummary summary{.series = **series};
    summary.lowest = *std::ranges::min_element(bars->low);
    summary.highest = *std::ranges::max_element(bars->high);
    summary.last_close = bars->close.back();
    for (const double volume : bars->volume) {
        if (volume == Bars::no_volume) {
            ++summary.without_volume;
        } else {
            summary.volume = summary.volume.value_or(0) + volume;
        }
    }
    summary.known = known_ranges(facts->ledger);
    return summary;
}

Result<SeriesKey> DataManager::stored_key(const std::string& provider, const SeriesRequest& request) const {
    const auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    const auto timeframe = Timeframe::parse(request.timeframe);
    if (!timeframe) {
        return timeframe.error();
    }
    const auto known = (*open_store)->known(provider, request.symbol, *timeframe);
    return known ? exact_key(request, provider, *known) : Result<SeriesKey>(known.error());
}

Result<StoredSeries> DataManager::delete_series(const SeriesKey& key) {
    const auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    const auto series = find_stored(**open_store, key);
    if (!series) {
        return series.error();
    }
    if (!*series) {
        return fail(
            Errc::not_found,
            fmt::format("nothing is deleted: {} has no series {}; series() lists those that there are, and each "
                        "part must be given as it stands there",
                        database_path_.string(), to_string(key)),
            {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}});
    }
    if (const auto gone = (*open_store)->remove(key); !gone) {
        return gone.error();
    }
    return **series;
}

Result<std::shared_ptr<Operation>> DataManager::resample(const ResampleRequest& request, CancellationToken token) {
    const auto series = find(series_of(request), SeriesUse::read);
    if (!series) {
        return series.error();
    }
    auto task = check_resample(request, *series, services_.clock.utc_now());
    if (!task) {
        return task.error();
    }
    if (task->store) {
        const auto longer = find(longer_series(request, task->to), SeriesUse::load);
        if (!longer) {
            return longer.error();
        }
        task->to = longer->key;
    }
    auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    OperationSpec spec;
    // A store, where it is one: who leaves the manager waits for it then.
    spec.type = task->store ? "data_store" : "data_resample";
    spec.parent_id = request.parent_id;
    spec.parameters = {
        {"symbol", task->from.symbol}, {"timeframe", task->to.timeframe.name()}, {"from", task->from.timeframe.name()}};
    spec.store = services_.registry.memory();
    ExecuteOptions options;
    options.cancellation_token = std::move(token);
    options.renderer = std::make_shared<ResampleProgressRenderer>();
    options.steps = {ProgressStep{.name = "resample"}, ProgressStep{.name = "store bars"}};
    options.context = spec.parameters;
    options.context["operation"] = spec.type;
    OperationWork run = [services = services_, store = std::move(*open_store), settling = settling_,
                         task = std::move(*task)](std::shared_ptr<Operation> operation, OperationDone done) {
        StoreMeans means{services.compute, services.store, services.clock, store, std::move(operation), settling};
        spawn_work(services.io, resample_stored(std::move(means), task), std::move(done), "resampling bars");
    };
    return run_operation(services_.registry, services_.io_executor, std::move(spec), std::move(run),
                         std::move(options));
}

}  // namespace ktrdr
