#pragma once

#include <string>

#include "posix_file.hpp"

namespace ktrdr {

enum class FolderLock {
    held,
    /// Another has it, or has removed the folder by now.
    taken,
    /// The file system knows no such locks.
    unknown,
};

/// A folder held open: what is made in it is made there, wherever its name leads to meanwhile. Links are not followed.
class PosixFolder final {
public:
    [[nodiscard]] static Result<PosixFolder> open(const std::filesystem::path& path);
    /// A folder in it, made where it is missing.
    [[nodiscard]] Result<PosixFolder> enter(const std::string& name, FileAccess access) const;
    /// A new file in it, for writing.
    [[nodiscard]] Result<PosixFile> create(const std::string& name, FileAccess access) const;
    /// Give what is in it another name, which nothing has yet.
    [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) const;
    [[nodiscard]] Result<void> sync() const { return file_.sync(); }
    /// Take the folder's lock, which goes with this.
    [[nodiscard]] FolderLock try_lock() const;
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_.path(); }

private:
    explicit PosixFolder(PosixFile file) : file_(std::move(file)) {}
    PosixFile file_;
};

}  // namespace ktrdr
