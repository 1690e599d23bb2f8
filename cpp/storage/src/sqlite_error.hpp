#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <functional>
#include <string_view>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// What an exception of SQLite means to a caller. `connection` may be null when there is none yet.
[[nodiscard]] Error sqlite_error(const SQLite::Exception& error, std::string_view what,
                                 const std::filesystem::path& file, SQLite::Database* connection);

/// Run `work`, turning what it throws into errors.
[[nodiscard]] Result<void> guarded(std::string_view what, const std::filesystem::path& file,
                                   SQLite::Database* connection, const std::function<Result<void>()>& work);

}  // namespace ktrdr
