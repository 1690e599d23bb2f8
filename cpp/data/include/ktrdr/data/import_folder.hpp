#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/data/own_bars.hpp>

namespace ktrdr {

/// A folder of CSV files that somebody brings, each named for its series (see `ImportRequest`).
struct ImportFolderRequest {
    std::filesystem::path folder{};
    /// Of files whose names do not say one.
    std::optional<std::string> timeframe{};
    std::string parent_id{};
};

/// The CSV files of the folder itself, by name; hidden ones and folders in it are left out.
/// Errors: `not_found` for no such folder, `invalid_argument` for one without such files, `storage`.
[[nodiscard]] KTRDR_EXPORT Result<std::vector<std::filesystem::path>> csv_files_of(const std::filesystem::path& folder);

/// Import the files one after the other, each whole or not at all; what is wrong with one does not stop the others.
/// The value: folder, files (how many), bars, added and replaced (sums), stored (one object a file, as
/// `store_own_bars`, with `file`), failed (file, code, message, and line and column where they are known).
///
/// Errors: `invalid_argument` where not one could be stored, `storage` and `storage_full` when the database does not
/// take them. Cancellation: as for each file; those stored before stay.
[[nodiscard]] boost::asio::awaitable<Result<boost::json::object>> import_csv_files(
    StoreMeans means, ImportFolderRequest request, std::vector<std::filesystem::path> files, std::string provider,
    CalendarRulesPtr calendars);

}  // namespace ktrdr
