#include <ktrdr/data/resample_bars.hpp>

#include <fmt/format.h>

#include <ktrdr/calendar/resample.hpp>
#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/load_request.hpp>
#include <ktrdr/data/series_summary.hpp>

#include "commit_own.hpp"

namespace ktrdr {
namespace {

namespace asio = boost::asio;

/// Longer bars, and of which times they are all there are.
struct Made {
    Bars bars{};
    std::vector<TimeRange> covered{};
    std::size_t outside{0};
    std::size_t partial{0};
};

Error nothing_stored(const ResampleTask& task) {
    return fail(Errc::no_data,
                fmt::format("resample {} {}: no bars of it are stored in that range", task.from.symbol,
                            task.from.timeframe.name()),
                {{"symbol", task.from.symbol}, {"timeframe", task.from.timeframe.name()}});
}

Result<void> add(Made& made, const ResampleTask& task, const Bars& bars, TimeRange known, const Database::Poll& alive) {
    const Bars part = bars.slice(known);
    if (part.empty()) {
        return {};
    }
    auto longer = resample(part, task.from_grid, task.to_grid, known, alive);
    if (!longer) {
        return longer.error();
    }
    made.outside += longer->outside;
    made.partial += longer->partial;
    if (!longer->bars.empty()) {
        const UtcTime last = longer->bars.start_of(longer->bars.size() - 1);
        made.covered.push_back({longer->bars.start_of(0), task.to_grid.end_of(last)});
        made.bars = merge(made.bars, longer->bars);
    }
    return {};
}

Result<Made> make(const StoreMeans& means, const ResampleTask& task) {
    const auto facts = means.store->facts(task.from);
    if (!facts) {
        return facts.error();
    }
    const Database::Poll alive = [token = means.operation->token()] { return token.check("resampling"); };
    const auto bars = means.store->read(task.from, task.range, alive);
    if (!bars) {
        return bars.error();
    }
    if (bars->empty()) {
        return nothing_stored(task);
    }
    Made made;
    for (const TimeRange& known : known_ranges(facts->ledger)) {
        const TimeRange part{std::max(known.start, task.range.start), std::min(known.end, task.range.end)};
        if (part.empty()) {
            continue;
        }
        if (const auto added = add(made, task, *bars, part, alive); !added) {
            return added.error();
        }
    }
    if (made.bars.empty()) {
        return fail(Errc::no_data,
                    fmt::format("resample {} {}: not one {} period is known whole in that range: load more of it, or "
                                "choose a shorter timeframe",
                                task.from.symbol, task.from.timeframe.name(), task.to.timeframe.name()),
                    {{"symbol", task.from.symbol}, {"timeframe", task.to.timeframe.name()}});
    }
    return made;
}

void warn(const StoreMeans& means, const ResampleTask& task, const Made& made) {
    const std::string_view longer = task.to.timeframe.name();
    if (made.partial > 0) {
        means.operation->add_warning(
            fmt::format("{} bars are left out: they are of {} periods of which the store does not have the whole",
                        made.partial, longer));
    }
    if (made.outside > 0) {
        means.operation->add_warning(
            fmt::format("{} bars are left out: they lie outside of every {} period", made.outside, longer));
    }
}

}  // namespace

Result<ResampleTask> check_resample(const ResampleRequest& request, const FoundSeries& series, UtcTime now) {
    const auto from = check_request({.start_date = request.start_date, .end_date = request.end_date}, series, now);
    if (!from) {
        return from.error();
    }
    const auto timeframe = Timeframe::parse(request.to);
    if (!timeframe) {
        return timeframe.error();
    }
    if (timeframe->shortest() <= from->key.timeframe.shortest()) {
        return fail(Errc::invalid_argument,
                    fmt::format("{} bars cannot be made of {} bars: choose a longer timeframe to make",
                                timeframe->name(), from->key.timeframe.name()),
                    {{"field", "to_timeframe"}, {"value", timeframe->name()}});
    }
    SeriesKey to = from->key;
    to.timeframe = *timeframe;
    GridOptions options = request.grid;
    options.provider = from->key.provider;
    auto from_grid = BarGrid::make(from->key.timeframe, request.calendar, options);
    if (!from_grid) {
        return from_grid.error();
    }
    auto to_grid = BarGrid::make(*timeframe, request.calendar, options);
    if (!to_grid) {
        return to_grid.error();
    }
    return ResampleTask{from->key,           std::move(to), std::move(*from_grid),
                        std::move(*to_grid), from->range,   request.store};
}

asio::awaitable<Result<BarsView>> resample_stored(StoreMeans means, ResampleTask task) {
    means.operation->progress().enter(0);
    std::function<Result<Made>()> work = [means, task] { return make(means, task); };
    auto came = co_await run_on(means.compute, std::move(work));
    if (!came) {
        co_return came.error();
    }
    const auto made = std::make_shared<const Made>(std::move(*came));
    warn(means, task, *made);
    if (task.store) {
        means.operation->progress().enter(1);
        if (const auto alive = means.operation->token().check("storing longer bars"); !alive) {
            co_return alive.error();
        }
        std::function<Result<MergedRows>()> keep = [means, task, made] {
            const auto poll = [&means](std::size_t) { return means.operation->token().check("storing"); };
            return means.store->store_own(task.to, made->bars, made->covered, means.clock.utc_now(), poll);
        };
        const auto stored = co_await run_on(means.store_executor, std::move(keep));
        if (!stored) {
            co_return stored.error();
        }
        if (!means.operation->token().is_cancelled()) {
            settle_behind(means);
        }
    }
    co_return BarsView(BarsPtr(made, &made->bars), task.to.symbol, std::string(task.to.timeframe.name()),
                       task.to.what_to_show);
}

}  // namespace ktrdr
