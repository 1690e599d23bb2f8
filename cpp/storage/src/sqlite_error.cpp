#include "sqlite_error.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>

namespace ktrdr {
namespace {

bool out_of_room(const SQLite::Exception& error, SQLite::Database* connection) {
    if (error.getErrorCode() == SQLITE_FULL) {
        return true;
    }
    if (connection == nullptr || error.getErrorCode() != SQLITE_IOERR) {
        return false;
    }
    const int refused_by = errno;
    // Of a commit that fails SQLite does not keep what the system said; that was its last word.
    const int known = sqlite3_system_errno(connection->getHandle());
    const int cause = known == 0 && error.getExtendedErrorCode() == SQLITE_IOERR_WRITE ? refused_by : known;
    // The last: the process may not make files of that size (`ulimit -f`).
    return cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
}

std::string advice(int code) {
    switch (code) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return "another process keeps it locked; try again when that is done";
        case SQLITE_CORRUPT: return "the file is damaged; restore it from a copy, or move it away and load again";
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH: return "it cannot be written; change its permissions or choose another folder";
        case SQLITE_CANTOPEN: return "the file cannot be opened; check the path and its permissions";
        default: return "what was stored before is still there";
    }
}

}  // namespace

Error sqlite_error(const SQLite::Exception& error, std::string_view what, const std::filesystem::path& file,
                   SQLite::Database* connection) {
    boost::json::object context{{"file", file.string()}, {"sqlite_code", error.getExtendedErrorCode()}};
    if (out_of_room(error, connection)) {
        return fail(Errc::storage_full,
                    fmt::format("cannot {}: there is no room left for {}; free some space and try again, what was "
                                "stored before is still there",
                                what, file.string()),
                    std::move(context));
    }
    if (error.getErrorCode() == SQLITE_NOTADB) {
        return fail(Errc::storage_schema,
                    fmt::format("cannot {}: {} is not a SQLite database; move it away or choose another folder", what,
                                file.string()),
                    std::move(context));
    }
    return fail(
        Errc::storage,
        fmt::format("cannot {} in {}: {} ({})", what, file.string(), error.what(), advice(error.getErrorCode())),
        std::move(context));
}

Result<void> guarded(std::string_view what, const std::filesystem::path& file, SQLite::Database* connection,
                     const std::function<Result<void>()>& work) {
    try {
        return work();
    } catch (const SQLite::Exception& error) {
        return sqlite_error(error, what, file, connection);
    } catch (const ErrorException& error) {
        return error.error();
    } catch (const std::exception& error) {
        return fail(Errc::storage, fmt::format("cannot {} in {}: {}", what, file.string(), error.what()),
                    {{"file", file.string()}});
    }
}

}  // namespace ktrdr
