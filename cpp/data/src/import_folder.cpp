#include <ktrdr/data/import_folder.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include <ktrdr/base/text.hpp>
#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/check_import.hpp>

#include "commit_own.hpp"

namespace ktrdr {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;

bool is_csv(const fs::path& file) {
    return lower_ascii(file.extension().string()) == ".csv" && !file.filename().string().starts_with('.');
}

std::string name_of(const fs::path& file) {
    return shown_utf8(file.filename().native());
}

/// The timeframe is for files whose names say none.
ImportRequest named(const fs::path& file, const std::optional<std::string>& timeframe, const std::string& provider) {
    ImportRequest request{.file = file};
    if (timeframe && !check_series(request, provider)) {
        request.timeframe = timeframe;
    }
    return request;
}

/// A file that was read and found sound.
struct ReadFile {
    SeriesKey key;
    OwnBars bars{};
};

/// Which series the file is of, by what the store knows. Blocks on the disk.
Result<FoundSeries> series_in_store(const StoreMeans& means, const ImportRequest& request, const std::string& provider,
                                    const CalendarRulesPtr& calendars) {
    const auto series = series_of(request);
    if (!series) {
        return series.error();
    }
    auto found = find_series(*series, provider, *means.store, SeriesUse::load, calendars);
    if (found) {
        return found;
    }
    Error told = found.error();
    told.message = fmt::format("{}: {}", name_of(request.file), told.message);
    return told;
}

/// The same by what the request says alone.
Result<FoundSeries> series_said(const ImportRequest& request, const std::string& provider) {
    const auto series = series_of(request);
    return series ? find_series(*series, provider, KnownSeries{}, SeriesUse::load)
                  : Result<FoundSeries>(series.error());
}

Result<ReadFile> read_one(const ImportRequest& request, const Result<FoundSeries>& series, UtcTime now,
                          const CancellationToken& token, Executor* helpers = nullptr) {
    if (!series) {
        return series.error();
    }
    const auto file = CsvFile::open(request.file);
    if (!file) {
        return file.error();
    }
    auto bars = (*file)->read(series->grid, now, token, [](std::int64_t) {}, helpers);
    return bars ? Result<ReadFile>(ReadFile{series->key, std::move(*bars)}) : Result<ReadFile>(bars.error());
}

json::object failure_of(const fs::path& file, const Error& error) {
    json::object failed{{"file", name_of(file)}, {"code", to_string(error.code)}, {"message", error.message}};
    for (const std::string_view fact : {"line", "column"}) {
        const json::value* const known = error.context.if_contains(fact);
        failed[fact] = known != nullptr ? *known : json::value();
    }
    return failed;
}

/// What has become of the files so far.
struct Tally {
    json::array stored{};
    json::array failed{};
    std::set<std::string> ignored{};
    std::int64_t bars{0};
    std::int64_t added{0};
    std::int64_t replaced{0};

    void add(const fs::path& file, json::object one) {
        bars += one.at("bars").to_number<std::int64_t>();
        added += one.at("added").to_number<std::int64_t>();
        replaced += one.at("replaced").to_number<std::int64_t>();
        one["file"] = name_of(file);
        stored.push_back(std::move(one));
    }
};

Error nothing_stored(const fs::path& folder, json::array failed) {
    const std::string shown = shown_utf8(folder.native());
    std::string words = fmt::format("not one of the {} files of {} could be stored; the first: {}", failed.size(),
                                    shown, std::string_view(failed.front().at("message").get_string()));
    return fail(Errc::invalid_argument, std::move(words), {{"folder", shown}, {"failed", std::move(failed)}});
}

Result<json::object> outcome_of(const StoreMeans& means, const fs::path& folder, Tally tally) {
    const std::size_t files = tally.stored.size() + tally.failed.size();
    const std::string shown = shown_utf8(folder.native());
    if (!tally.ignored.empty()) {
        means.operation->add_warning(
            fmt::format("columns that no bar has are not stored: {}", fmt::join(tally.ignored, ", ")));
    }
    if (tally.stored.empty()) {
        return nothing_stored(folder, std::move(tally.failed));
    }
    if (!tally.failed.empty()) {
        means.operation->add_warning(fmt::format("{} of {} files are not stored", tally.failed.size(), files));
    }
    return json::object{{"folder", shown},
                        {"files", files},
                        {"bars", tally.bars},
                        {"added", tally.added},
                        {"replaced", tally.replaced},
                        {"stored", std::move(tally.stored)},
                        {"failed", std::move(tally.failed)}};
}

}  // namespace

Result<std::vector<fs::path>> csv_files_of(const fs::path& folder) {
    const std::string shown = shown_utf8(folder.native());
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
        return fail(Errc::not_found, fmt::format("cannot import {}: there is no such folder", shown),
                    {{"folder", shown}});
    }
    std::vector<fs::path> files;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code unknown;
        if (is_csv(entry->path()) && !entry->is_directory(unknown)) {
            files.push_back(entry->path());
        }
    }
    if (error) {
        return file_error("import the folder", folder, error.value());
    }
    if (files.empty()) {
        return fail(Errc::invalid_argument,
                    fmt::format("cannot import {}: it has no CSV file; name them SYMBOL_timeframe.csv, for example "
                                "AAPL_1d.csv",
                                shown),
                    {{"folder", shown}});
    }
    std::ranges::sort(files);
    return files;
}

asio::awaitable<Result<json::object>> import_csv_files(StoreMeans means, ImportFolderRequest request,
                                                       std::vector<fs::path> files, std::string provider,
                                                       CalendarRulesPtr calendars) {
    Tally tally;
    means.operation->progress().enter(0);
    for (std::size_t i = 0; i < files.size(); ++i) {
        const fs::path& file = files[i];
        const auto done = static_cast<std::int64_t>(i);
        means.operation->progress().set_context({{"file", name_of(file)}});
        means.operation->progress().outer().store(
            {.current = done, .total = static_cast<std::int64_t>(files.size()), .items = done});
        std::function<Result<ReadFile>()> read = [means, one = named(file, request.timeframe, provider), provider,
                                                  calendars] {
            return read_one(one, series_in_store(means, one, provider, calendars), means.clock.utc_now(),
                            means.operation->token(), &means.compute);
        };
        auto came = co_await run_on(means.compute, std::move(read));
        if (const auto alive = means.operation->token().check("importing"); !alive) {
            co_return alive.error();
        }
        if (!came) {
            tally.failed.push_back(failure_of(file, came.error()));
            continue;
        }
        tally.ignored.insert(came->bars.ignored.begin(), came->bars.ignored.end());
        std::function<Result<json::object>()> store = [means, one = std::move(*came)] {
            return commit_own(means, one.key, one.bars, [](std::size_t) {});
        };
        auto stored = co_await run_on(means.store_executor, std::move(store));
        settle_behind(means);
        if (!stored) {
            co_return stored.error();
        }
        tally.add(file, std::move(*stored));
    }
    co_return outcome_of(means, request.folder, std::move(tally));
}

Result<void> check_import(const ImportRequest& request, UtcTime now, const CancellationToken& token) {
    const auto read = read_one(request, series_said(request, {}), now, token);
    return read ? Result<void>() : Result<void>(read.error());
}

Result<void> check_import_folder(const ImportFolderRequest& request, UtcTime now, const CancellationToken& token) {
    if (request.timeframe) {
        if (const auto known = Timeframe::parse(*request.timeframe); !known) {
            return known.error();
        }
    }
    const auto files = csv_files_of(request.folder);
    if (!files) {
        return files.error();
    }
    json::array failed;
    for (const fs::path& file : *files) {
        const ImportRequest one = named(file, request.timeframe, {});
        const auto read = read_one(one, series_said(one, {}), now, token);
        if (read) {
            return {};
        }
        if (const auto alive = token.check("reading the folder"); !alive) {
            return alive;
        }
        failed.push_back(failure_of(file, read.error()));
    }
    return nothing_stored(request.folder, std::move(failed));
}

}  // namespace ktrdr
