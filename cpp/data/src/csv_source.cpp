#include <ktrdr/data/csv_source.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <vector>

#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/own_bars.hpp>
#include <ktrdr/data/source_check.hpp>
#include <ktrdr/market/symbol.hpp>

namespace ktrdr {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

/// So many files are named in an error.
constexpr std::size_t most_files_named = 10;

/// Files are read whole, whatever the range.
constexpr std::chrono::days whole_file{36'500};

/// What a name of a file cannot hold, and the sign by which that is written.
bool stands_in_a_name(char c) {
    return c != '/' && c != '%' && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
}

fs::path file_of(const fs::path& folder, const std::string& symbol, const Timeframe& timeframe) {
    std::string name;
    for (const char c : symbol) {
        if (stands_in_a_name(c)) {
            name.push_back(c);
        } else {
            name += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return folder / fmt::format("{}_{}.csv", name, timeframe.name());
}

/// For a person who looks for a file: those there are, in order.
std::string files_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
        if (entry->path().extension() == ".csv") {
            names.push_back(entry->path().filename().string());
        }
    }
    std::sort(names.begin(), names.end());
    const std::size_t count = names.size();
    names.resize(std::min(count, most_files_named));
    return count == 0 ? "no CSV file"
                      : fmt::format("{}{}", fmt::join(names, ", "), count > most_files_named ? ", …" : "");
}

Result<std::shared_ptr<CsvFile>> open_file(const fs::path& folder, const std::string& symbol,
                                           const Timeframe& timeframe) {
    const fs::path path = file_of(folder, symbol, timeframe);
    auto file = CsvFile::open(path);
    if (const auto exported = series_file_name(symbol, timeframe.name(), ".csv");
        !file && file.error().code == Errc::not_found && exported && *exported != path.filename()) {
        // As an export names it, with more signs as in a URL than a name needs.
        file = CsvFile::open(folder / *exported);
    }
    if (!file && file.error().code == Errc::not_found) {
        return fail(Errc::symbol_unknown,
                    fmt::format("{} has no {} bars of {}: put {} there; it has {}", folder.string(), timeframe.name(),
                                symbol, path.filename().string(), files_in(folder)),
                    {{"symbol", symbol}, {"file", path.string()}});
    }
    return file;
}

/// Every bar that is written down counts: the segment decides which are closed.
Result<BarsPtr> bars_in_file(const fs::path& folder, const std::string& symbol, const Timeframe& timeframe,
                             const CancellationToken& token) {
    const auto file = open_file(folder, symbol, timeframe);
    if (!file) {
        return file.error();
    }
    const auto read = (*file)->read(BarGrid(timeframe), UtcTime::max(), token, [](std::int64_t) {});
    if (!read) {
        return read.error();
    }
    return read->bars;
}

}  // namespace

Result<std::shared_ptr<CsvSource>> CsvSource::open(fs::path folder, std::string provider, Executor& compute,
                                                   const Clock& clock) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
        return fail(Errc::not_found, fmt::format("cannot read bars from {}: there is no such folder", folder.string()),
                    {{"folder", folder.string()}});
    }
    if (const auto checked = check_provider(provider); !checked) {
        return checked.error();
    }
    return std::shared_ptr<CsvSource>(new CsvSource(std::move(folder), std::move(provider), compute, clock));
}

SourceLimits CsvSource::describe(const Timeframe&) const {
    return {.max_span = whole_file, .max_in_flight = 2};
}

asio::awaitable<Result<Contract>> CsvSource::validate_symbol(std::string symbol, Timeframe timeframe, SourceCall) {
    std::function<Result<Contract>()> look = [folder = folder_, symbol = std::move(symbol),
                                              timeframe]() -> Result<Contract> {
        const auto file = open_file(folder, symbol, timeframe);
        if (!file) {
            return file.error();
        }
        return Contract{};
    };
    co_return co_await run_on<Contract>(compute_, std::move(look));
}

asio::awaitable<Result<std::optional<UtcTime>>> CsvSource::first_timestamp(std::string symbol, Timeframe timeframe,
                                                                           SourceCall call) {
    std::function<Result<std::optional<UtcTime>>()> read = [folder = folder_, symbol = std::move(symbol), timeframe,
                                                            token = call.token]() -> Result<std::optional<UtcTime>> {
        const auto bars = bars_in_file(folder, symbol, timeframe, token);
        if (!bars) {
            return bars.error();
        }
        return (*bars)->empty() ? std::optional<UtcTime>() : std::optional((*bars)->start_of(0));
    };
    co_return co_await run_on<std::optional<UtcTime>>(compute_, std::move(read));
}

asio::awaitable<Result<SourceAnswer>> CsvSource::fetch(std::string symbol, Timeframe timeframe, TimeRange segment,
                                                       SourceCall call) {
    std::function<Result<SourceAnswer>()> read = [folder = folder_, symbol = std::move(symbol), timeframe, segment,
                                                  token = call.token, grid = call.grid_of(timeframe),
                                                  now = clock_.utc_now()]() -> Result<SourceAnswer> {
        const auto bars = bars_in_file(folder, symbol, timeframe, token);
        if (!bars) {
            return bars.error();
        }
        return SourceAnswer(closed_part((*bars)->slice(segment), grid, now));
    };
    co_return co_await run_on<SourceAnswer>(compute_, std::move(read));
}

}  // namespace ktrdr
