#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>

#include <ktrdr/storage/database.hpp>

namespace ktrdr {

/// Pages that the write-ahead log holds before a commit puts them into the file: SQLite's own number.
inline constexpr int pages_in_log = 1000;

/// Where SQLite keeps the log of a file.
[[nodiscard]] std::filesystem::path log_of(const std::filesystem::path& file);

/// What a transaction has put into the log, to the disk in pieces: the commit, which nobody can end, has then little to
/// wait for.
[[nodiscard]] Result<void> write_log_out(SQLite::Database& connection, const std::filesystem::path& file,
                                         const Database::Poll& poll);

/// While it lives, no commit of a connection goes on to put the log into the file.
class LogLeftAlone final {
public:
    explicit LogLeftAlone(SQLite::Database& connection);
    LogLeftAlone(const LogLeftAlone&) = delete;
    LogLeftAlone& operator=(const LogLeftAlone&) = delete;
    ~LogLeftAlone();

private:
    sqlite3* const handle_;
};

}  // namespace ktrdr
