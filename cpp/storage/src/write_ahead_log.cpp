#include "write_ahead_log.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <ktrdr/base/write_out.hpp>

namespace ktrdr {

std::filesystem::path log_of(const std::filesystem::path& file) {
    return file.native() + "-wal";
}

Result<void> write_log_out(SQLite::Database& connection, const std::filesystem::path& file,
                           const Database::Poll& poll) {
    // What is still in memory only; where that fails, the commit says so.
    (void)sqlite3_db_cacheflush(connection.getHandle());
    const int log = ::open(log_of(file).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (log < 0) {
        return poll();
    }
    // SQLite has its locks on other files: closing this one drops none.
    const auto done = write_out(log, poll);
    ::close(log);
    return done;
}

LogLeftAlone::LogLeftAlone(SQLite::Database& connection) : handle_(connection.getHandle()) {
    sqlite3_wal_autocheckpoint(handle_, 0);
}

LogLeftAlone::~LogLeftAlone() {
    sqlite3_wal_autocheckpoint(handle_, pages_in_log);
}

}  // namespace ktrdr
