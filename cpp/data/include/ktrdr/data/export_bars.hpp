#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/new_file.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/data/load_request.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// Which stored bars are to be written where.
struct ExportRequest {
    std::string symbol{};
    std::string timeframe{};
    SeriesWords series{};
    /// As in `LoadRequest`; unset: all there are.
    std::optional<std::string> start_date{};
    std::optional<std::string> end_date{};
    /// The file, or a folder that is there: then `{SYMBOL}_{timeframe}` in it, see `series_file_name`.
    std::filesystem::path path{};
    /// A plain file in its place is replaced.
    bool overwrite{false};
    /// The operation that this belongs to, and is cancelled with; or empty.
    std::string parent_id{};
};

/// An export that was found sound.
struct ExportTask {
    SeriesKey key;
    TimeRange range{};
    NewFilePlace place{};
};

/// `extension` (`.csv`) is that of a file that is named here.
/// Errors: `invalid_argument` of the request, those of `series_file_name` and `NewFilePlace::check`.
[[nodiscard]] KTRDR_EXPORT Result<ExportTask> check_export(const ExportRequest& request, std::string_view extension,
                                                           const FoundSeries& series, UtcTime now);
[[nodiscard]] inline SeriesRequest series_of(const ExportRequest& request) {
    return {request.symbol, request.timeframe, request.series};
}

/// What an export works with; executor and clock must outlive it.
struct ExportMeans {
    Executor& compute;
    const Clock& clock;
    std::shared_ptr<BarStore> store;
    std::shared_ptr<Operation> operation;
    FileAccess access{FileAccess::owner_only};
};

/// Read the bars, write them as CSV (see `append_csv_rows`) in the style of the file that was imported last. The value:
/// path, symbol, timeframe, bars, bytes, first, last.
///
/// Errors: `no_data`, and those of reading and writing; then no file is left. Cancellation: between pieces of about a
/// megabyte; then neither.
[[nodiscard]] boost::asio::awaitable<Result<boost::json::object>> export_csv(ExportMeans means, ExportTask task);

}  // namespace ktrdr
