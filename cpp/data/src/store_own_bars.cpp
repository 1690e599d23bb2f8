// The work of storing bars that somebody brings.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/own_bars.hpp>
#include <ktrdr/market/time_text.hpp>

#include "commit_own.hpp"

namespace ktrdr {
namespace {

namespace asio = boost::asio;

Result<boost::json::object> commit(const StoreMeans& means, const SeriesKey& key, const OwnBars& given) {
    const auto total = static_cast<std::int64_t>(given.bars->size());
    return commit_own(means, key, given, [&](std::size_t written) {
        const auto count = static_cast<std::int64_t>(written);
        means.operation->progress().outer().store({.current = count, .total = total, .items = count});
    });
}

Result<OwnBars> read_file(const StoreMeans& means, const BarGrid& grid, const CsvFile& file) {
    const auto tell = [&](std::int64_t bytes) {
        means.operation->progress().outer().store({.current = bytes, .total = std::max(bytes, file.size())});
    };
    return file.read(grid, means.clock.utc_now(), means.operation->token(), tell, &means.compute);
}

}  // namespace

Result<boost::json::object> commit_own(const StoreMeans& means, const SeriesKey& key, const OwnBars& given,
                                       const std::function<void(std::size_t)>& on_rows) {
    const Bars& bars = *given.bars;
    const auto poll = [&](std::size_t written) {
        on_rows(written);
        return means.operation->token().check(fmt::format("storing {} {}", key.symbol, key.timeframe.name()));
    };
    if (const auto alive = poll(0); !alive) {
        return alive.error();
    }
    const auto rows = means.store->store_own(key, bars, covered_by(bars, key.timeframe, means.operation->token()),
                                             means.clock.utc_now(), poll);
    if (!rows) {
        return rows.error();
    }
    if (given.style) {
        // The bars are stored; how they were written is worth no failure.
        if (const auto kept = means.store->remember_csv_style(key, *given.style); !kept) {
            means.operation->add_warning(
                fmt::format("an export may write numbers otherwise: {}", kept.error().message));
        }
    }
    return boost::json::object{{"symbol", key.symbol},
                               {"timeframe", key.timeframe.name()},
                               {"bars", bars.size()},
                               {"added", rows->added},
                               {"replaced", rows->replaced},
                               {"first", format_time(bars.start_of(0))},
                               {"last", format_time(bars.start_of(bars.size() - 1))}};
}

void settle_behind(const StoreMeans& means) {
    if (means.settling) {
        means.settling->settle(means.compute, means.store);
    }
}

asio::awaitable<Result<boost::json::object>> store_own_bars(StoreMeans means, SeriesKey key, OwnBars given) {
    if (!given.ignored.empty()) {
        means.operation->add_warning(
            fmt::format("columns that no bar has are not stored: {}", fmt::join(given.ignored, ", ")));
    }
    std::function<Result<boost::json::object>()> work = [means, key = std::move(key), given = std::move(given)] {
        return commit(means, key, given);
    };
    auto stored = co_await run_on(means.store_executor, std::move(work));
    if (stored && !means.operation->token().is_cancelled()) {
        settle_behind(means);
    }
    co_return stored;
}

asio::awaitable<Result<boost::json::object>> import_csv_file(StoreMeans means, FoundSeries series,
                                                             std::shared_ptr<CsvFile> file) {
    means.operation->progress().enter(0);
    std::function<Result<OwnBars>()> read = [means, grid = series.grid, file = std::move(file)] {
        return read_file(means, grid, *file);
    };
    auto given = co_await run_on(means.compute, std::move(read));
    if (!given) {
        co_return given.error();
    }
    means.operation->progress().enter(1);
    if (const auto alive = means.operation->token().check("storing what was read"); !alive) {
        co_return alive.error();
    }
    co_return co_await store_own_bars(std::move(means), std::move(series.key), std::move(*given));
}

}  // namespace ktrdr
