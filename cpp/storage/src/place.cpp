#include "place.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <optional>
#include <string>

#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

/// Whether the file may have other names whose folder is another one: hard links, or a mount of the file alone.
bool has_other_names(const fs::path& file) {
    struct statx found{};
    if (::statx(AT_FDCWD, file.c_str(), 0, STATX_NLINK, &found) != 0) {
        return false;
    }
    return found.stx_nlink > 1 || (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

std::optional<fs::path> written_name(SQLite::Database& connection) {
    SQLite::Statement row(connection, "SELECT path FROM place");
    return row.executeStep() ? std::optional<fs::path>(row.getColumn(0).getString()) : std::nullopt;
}

/// As a URI takes it.
std::string uri_of(const fs::path& file) {
    std::string uri = "file:";
    for (const char c : file.native()) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
                           c == '.' || c == '_' || c == '-';
        uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return uri + "?immutable=1";
}

}  // namespace

fs::path agreed_name(const fs::path& file, const FileId& id) {
    if (!has_other_names(file)) {
        return file;
    }
    try {
        // Without a look at the log, which lies beside the other name, and without making one here.
        SQLite::Database connection(uri_of(file), SQLite::OPEN_READONLY | SQLite::OPEN_URI);
        const auto written = written_name(connection);
        return written && is_utf8(written->native()) && file_id(*written) == id ? *written : file;
    } catch (const SQLite::Exception&) {
        return file;  // A new file, or one that is being written: `hold_name` tells whether others have it.
    }
}

Result<void> hold_name(HeldFile& held, const fs::path& file) {
    const FileId folder = file_id(file.parent_path());
    const std::int64_t byte = HeldFile::byte_of(
        HeldFile::Range::places, fmt::format("{}:{}:{}", folder.device, folder.inode, file.filename().string()));
    const auto locked = held.lock(byte, true);
    if (!locked) {
        return locked.error();
    }
    if (held.others_hold_beside(HeldFile::Range::places, byte).value_or(false)) {
        const std::string shown = shown_utf8(file.native());
        return fail(Errc::storage,
                    fmt::format("cannot open {}: another process has this file open by another name (a hard link, a "
                                "mount of the file alone, or its name before it was moved), beside which lies what it "
                                "wrote last; open it by that name, or mount its folder",
                                shown),
                    {{"file", shown}});
    }
    return {};
}

void keep_name(SQLite::Database& connection, const fs::path& file, const FileId& id) {
    if (const auto written = written_name(connection); written && file_id(*written) == id) {
        return;
    }
    SQLite::Transaction transaction(connection, SQLite::TransactionBehavior::IMMEDIATE);
    connection.exec("DELETE FROM place");
    SQLite::Statement row(connection, "INSERT INTO place VALUES (?)");
    row.bind(1, file.string());
    row.exec();
    transaction.commit();
    // Who comes by another name reads it from the file, not from the log.
    connection.exec("PRAGMA wal_checkpoint(PASSIVE)");
}

}  // namespace ktrdr
