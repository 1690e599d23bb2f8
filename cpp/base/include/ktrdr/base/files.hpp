#pragma once

#include <sys/types.h>

#include <compare>
#include <filesystem>
#include <string>
#include <string_view>

#include <ktrdr/base/env.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Who may read and write the files and folders that we make. What was there before keeps the rights it has.
enum class FileAccess {
    /// Their owner alone: 0600 and 0700, whatever the umask says.
    owner_only,
    /// Whom the umask lets.
    by_umask,
};

/// `KTRDR_SHARED_FILES`: true leaves it to the umask; unset or false is `owner_only`.
[[nodiscard]] KTRDR_EXPORT Result<FileAccess> file_access(const Env& env);

/// A file by what it is and not by its name: all its names have the same.
struct FileId {
    dev_t device{};
    ino_t inode{};
    friend auto operator<=>(const FileId&, const FileId&) = default;
};

/// Of a descriptor; -1 and errors give the zero one.
[[nodiscard]] KTRDR_EXPORT FileId file_id(int descriptor) noexcept;
/// Of what the path leads to; the zero one where there is nothing.
[[nodiscard]] KTRDR_EXPORT FileId file_id(const std::filesystem::path& path) noexcept;

/// The path from the root, every link in it followed, so that it means the same after a change of the working
/// directory. What does not exist yet stays as it is named. `what` is the subject of messages.
///
/// Errors: `storage` for a path that is empty, not UTF-8 or has a zero byte, for links in a circle, and when the
/// working directory is gone.
[[nodiscard]] KTRDR_EXPORT Result<std::filesystem::path> settled_path(std::string_view what,
                                                                      const std::filesystem::path& path);

/// Make a folder and those above it that are missing. Errors: `storage`, `storage_full`.
[[nodiscard]] KTRDR_EXPORT Result<void> make_folders(const std::filesystem::path& folder, FileAccess access);

/// Open a plain file for reading and writing, made where it is missing; a descriptor that no child inherits. Never
/// follows a link in its place, nor waits for a FIFO. Errors: `storage`, `storage_full`.
[[nodiscard]] KTRDR_EXPORT Result<int> open_plain_file(const std::filesystem::path& file, FileAccess access);

/// `storage_full` or `storage` for an errno, naming what was tried on which path.
[[nodiscard]] KTRDR_EXPORT Error file_error(std::string_view what, const std::filesystem::path& path, int number,
                                            std::string_view advice = "");

}  // namespace ktrdr
