// What a load makes of its series: which one it is, and what is to be said of its bars.

#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/data_loading_job.hpp>

#include "load_quality.hpp"
#include "series_grid.hpp"

namespace ktrdr {

namespace asio = boost::asio;

asio::awaitable<Result<void>> DataLoadingJob::settle_series() {
    std::function<Result<SeriesFacts>()> read = [store = means_.store, key = task_.key] { return store->facts(key); };
    const auto facts = co_await run_on(means_.compute, std::move(read));
    if (!facts) {
        co_return facts.error();
    }
    const auto key = completed(task_.key, task_.words, facts->contract);
    if (!key) {
        co_return key.error();
    }
    if (const auto alive = check_alive("its series"); !alive) {
        co_return alive.error();
    }
    if (*key != task_.key) {
        std::function<Result<void>()> rename = [store = means_.store, from = task_.key, to = *key] {
            return store->rename(from, to);
        };
        if (const auto done = co_await run_on(means_.store_executor, std::move(rename)); !done) {
            co_return done.error();
        }
        task_.key = *key;
    }
    const auto grid = grid_of(task_.key, facts->contract, means_.calendars);
    if (!grid) {
        co_return grid.error();
    }
    const auto range = range_by(task_, *grid, means_.clock.utc_now());
    if (!range) {
        co_return range.error();
    }
    task_.range = *range;
    co_return Result<void>{};
}

asio::awaitable<Result<BarsPtr>> DataLoadingJob::check_bars(BarsPtr bars) {
    enter(LoadStep::quality);
    if (const auto alive = check_alive("its quality"); !alive) {
        co_return alive.error();
    }
    std::function<Result<CheckedBars>()> check = [bars, store = means_.store, calendars = means_.calendars,
                                                  task = task_, asked = asked_, now = means_.clock.utc_now(),
                                                  token = operation_->token()]() -> Result<CheckedBars> {
        auto facts = store->facts(task.key);
        if (!facts) {
            return facts.error();
        }
        auto grid = grid_of(task.key, facts->contract, calendars);
        if (!grid) {
            return grid.error();
        }
        const bool local = task.mode == LoadMode::local;
        return check_loaded({bars, local ? task.range : asked, std::move(*grid), std::move(*facts), now, !local},
                            task.checks, token);
    };
    auto checked = co_await run_on(means_.compute, std::move(check));
    if (!checked) {
        co_return checked.error();
    }
    for (const std::string& text : checked->warnings) {
        warn(text);
    }
    co_return std::move(checked->bars);
}

}  // namespace ktrdr
