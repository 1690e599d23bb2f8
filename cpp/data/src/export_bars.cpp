#include <ktrdr/data/export_bars.hpp>

#include <fmt/format.h>

#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/market/csv_writer.hpp>
#include <ktrdr/market/symbol.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

namespace asio = boost::asio;

/// About a megabyte.
constexpr std::size_t rows_in_piece = 16 * 1024;

Error nothing_to_export(const SeriesKey& key) {
    return fail(Errc::no_data,
                fmt::format("export {} {}: no bars of it are stored in that range", key.symbol, key.timeframe.name()),
                {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}});
}

std::function<Result<void>()> alive_of(const ExportMeans& means) {
    return [token = means.operation->token()] { return token.check("exporting"); };
}

/// Bytes that were written.
Result<std::int64_t> write_rows(const ExportMeans& means, NewFile& file, const Bars& bars, const CsvStyle& style) {
    const auto total = static_cast<std::int64_t>(bars.size());
    std::int64_t bytes = 0;
    std::string text;
    append_csv_header(text);
    for (std::size_t row = 0; row < bars.size(); row += rows_in_piece) {
        if (const auto alive = means.operation->token().check("exporting"); !alive) {
            return alive.error();
        }
        const std::size_t last = std::min(row + rows_in_piece, bars.size());
        append_csv_rows(text, bars, row, last, style);
        if (const auto written = file.write(text); !written) {
            return written.error();
        }
        bytes += static_cast<std::int64_t>(text.size());
        text.clear();
        const auto count = static_cast<std::int64_t>(last);
        means.operation->progress().outer().store({.current = count, .total = total, .items = count});
    }
    return bytes;
}

Result<boost::json::object> write_csv(const ExportMeans& means, const ExportTask& task, const Bars& bars) {
    if (bars.empty()) {
        return nothing_to_export(task.key);
    }
    const auto style = means.store->csv_style(task.key);
    if (!style) {
        return style.error();
    }
    auto file = NewFile::open(task.place, means.clock, means.access);
    if (!file) {
        return file.error();
    }
    const auto bytes = write_rows(means, **file, bars, *style);
    if (!bytes) {
        return bytes.error();
    }
    if (const auto done = (*file)->commit(alive_of(means)); !done) {
        return done.error();
    }
    return boost::json::object{{"path", task.place.path.string()},
                               {"symbol", task.key.symbol},
                               {"timeframe", task.key.timeframe.name()},
                               {"bars", bars.size()},
                               {"bytes", *bytes},
                               {"first", format_time(bars.start_of(0))},
                               {"last", format_time(bars.start_of(bars.size() - 1))}};
}

}  // namespace

Result<ExportTask> check_export(const ExportRequest& request, std::string_view extension, const FoundSeries& series,
                                UtcTime now) {
    const auto task = check_request({.start_date = request.start_date, .end_date = request.end_date}, series, now);
    if (!task) {
        return task.error();
    }
    NewFilePlace place{request.path, request.overwrite};
    std::error_code unknown;
    if (std::filesystem::is_directory(place.path, unknown)) {
        const auto name = series_file_name(task->key.symbol, task->key.timeframe.name(), extension);
        if (!name) {
            return name.error();
        }
        place.path /= *name;
    }
    if (const auto checked = place.check(); !checked) {
        return checked.error();
    }
    return ExportTask{task->key, task->range, std::move(place)};
}

asio::awaitable<Result<boost::json::object>> export_csv(ExportMeans means, ExportTask task) {
    means.operation->progress().enter(0);
    std::function<Result<Bars>()> read = [means, task] {
        return means.store->read(task.key, task.range, alive_of(means), &means.compute);
    };
    auto bars = co_await run_on(means.compute, std::move(read));
    if (!bars) {
        co_return bars.error();
    }
    means.operation->progress().enter(1);
    if (const auto alive = means.operation->token().check("exporting"); !alive) {
        co_return alive.error();
    }
    std::function<Result<boost::json::object>()> write =
        [means, task, all = std::make_shared<const Bars>(std::move(*bars))] { return write_csv(means, task, *all); };
    co_return co_await run_on(means.compute, std::move(write));
}

}  // namespace ktrdr
