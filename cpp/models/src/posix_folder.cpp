#include "posix_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

namespace ktrdr {
namespace {

constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::string_view advice_for(int number) {
    return number == ELOOP || number == ENOTDIR
               ? "a link or a file is in its place; remove it or choose another models_dir"
               : "choose another models_dir";
}

}  // namespace

Result<PosixFolder> PosixFolder::open(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), folder_flags);
    if (descriptor < 0) {
        return file_error("open the folder", path, errno, advice_for(errno));
    }
    return PosixFolder(PosixFile(descriptor, path));
}

Result<PosixFolder> PosixFolder::enter(const std::string& name, FileAccess access) const {
    const bool owner_only = access == FileAccess::owner_only;
    const std::filesystem::path whole = path() / name;
    if (::mkdirat(file_.descriptor(), name.c_str(), owner_only ? 0700 : 0777) == 0) {
        // A umask may have taken even what the owner needs.
        if (owner_only && ::fchmodat(file_.descriptor(), name.c_str(), 0700, 0) != 0) {
            return file_error("make the folder", whole, errno);
        }
    } else if (errno != EEXIST) {
        return file_error("make the folder", whole, errno, advice_for(errno));
    }
    const int descriptor = ::openat(file_.descriptor(), name.c_str(), folder_flags);
    if (descriptor < 0) {
        return file_error("open the folder", whole, errno, advice_for(errno));
    }
    return PosixFolder(PosixFile(descriptor, whole));
}

Result<PosixFile> PosixFolder::create(const std::string& name, FileAccess access) const {
    const bool owner_only = access == FileAccess::owner_only;
    const int descriptor = ::openat(file_.descriptor(), name.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, owner_only ? 0600 : 0666);
    if (descriptor < 0 || (owner_only && ::fchmod(descriptor, 0600) != 0)) {
        const int number = errno;
        const PosixFile closing(descriptor, {});
        return file_error("make", path() / name, number);
    }
    return PosixFile(descriptor, path() / name);
}

Result<void> PosixFolder::rename(const std::string& from, const std::string& to) const {
    const int folder = file_.descriptor();
    int failed = ::renameat2(folder, from.c_str(), folder, to.c_str(), RENAME_NOREPLACE);
    if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {
        // A file system without this: an empty folder in the place would be replaced, nothing else.
        failed = ::renameat(folder, from.c_str(), folder, to.c_str());
    }
    return failed == 0 ? Result<void>() : file_error("give the finished model the name", path() / to, errno);
}

FolderLock PosixFolder::try_lock() const {
    if (::flock(file_.descriptor(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? FolderLock::taken : FolderLock::unknown;
    }
    const FileId locked = file_id(file_.descriptor());
    return locked != FileId{} && locked == file_id(path()) ? FolderLock::held : FolderLock::taken;
}

}  // namespace ktrdr
