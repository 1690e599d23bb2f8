#include <ktrdr/base/files.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

constexpr mode_t owner_file = 0600;
constexpr mode_t owner_folder = 0700;

bool make_folder(const fs::path& folder, FileAccess access) {
    if (::mkdir(folder.c_str(), access == FileAccess::owner_only ? owner_folder : 0777) != 0) {
        return errno == EEXIST;
    }
    // A umask may have taken even what the owner needs.
    return access == FileAccess::by_umask || ::chmod(folder.c_str(), owner_folder) == 0;
}

std::string_view kind_of(mode_t mode) {
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISCHR(mode)  ? "a device"
           : S_ISBLK(mode)  ? "a device"
                            : "no plain file";
}

}  // namespace

Result<FileAccess> file_access(const Env& env) {
    const auto shared = env.get_bool("KTRDR_SHARED_FILES");
    if (!shared) {
        return shared.error();
    }
    return shared->value_or(false) ? FileAccess::by_umask : FileAccess::owner_only;
}

FileId file_id(int descriptor) noexcept {
    struct stat found{};
    return ::fstat(descriptor, &found) == 0 ? FileId{found.st_dev, found.st_ino} : FileId{};
}

FileId file_id(const fs::path& path) noexcept {
    struct stat found{};
    return ::stat(path.c_str(), &found) == 0 ? FileId{found.st_dev, found.st_ino} : FileId{};
}

Error file_error(std::string_view what, const fs::path& path, int number, std::string_view advice) {
    const bool full = number == ENOSPC || number == EDQUOT;
    const std::string shown = shown_utf8(path.native());
    return fail(
        full ? Errc::storage_full : Errc::storage,
        fmt::format("cannot {} {}: {}{}{}", what, shown, std::generic_category().message(number),
                    full || !advice.empty() ? "; " : "", full ? "free some space or choose another folder" : advice),
        {{"path", shown}, {"errno", number}});
}

Result<fs::path> settled_path(std::string_view what, const fs::path& path) {
    const std::string shown = shown_utf8(path.native());
    const auto refuse = [&](std::string_view why) {
        return fail(Errc::storage, fmt::format("{} cannot be at {:?}: {}; choose another path", what, shown, why),
                    {{"path", shown}});
    };
    if (path.empty() || path.native().find('\0') != std::string::npos) {
        return refuse(path.empty() ? "it is empty" : "it has a zero byte");
    }
    if (!is_utf8(path.native())) {
        return refuse("it is not UTF-8");
    }
    std::error_code error;
    fs::path whole = fs::absolute(path, error);
    if (!error) {
        whole = fs::weakly_canonical(whole, error);
    }
    if (error) {
        return refuse(error.message());
    }
    if (!is_utf8(whole.native())) {
        return refuse(fmt::format("it leads to {:?}, which is not UTF-8", shown_utf8(whole.native())));
    }
    // "a/" names the folder a.
    return whole.has_filename() || whole == whole.root_path() ? whole : whole.parent_path();
}

Result<void> make_folders(const fs::path& folder, FileAccess access) {
    std::vector<fs::path> missing;
    std::error_code error;
    fs::path there = folder;
    while (!there.empty() && !fs::exists(there, error) && there != there.parent_path()) {
        missing.push_back(there);
        there = there.parent_path();
    }
    for (auto next = missing.rbegin(); next != missing.rend(); ++next) {
        if (!make_folder(*next, access)) {
            return file_error("make the folder", *next, errno, "choose another folder or remove what is in its way");
        }
    }
    if (!fs::is_directory(folder, error)) {
        return file_error("make the folder", folder, ENOTDIR, "a file is in its place; choose another folder");
    }
    return {};
}

Result<int> open_plain_file(const fs::path& file, FileAccess access) {
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const bool owner_only = access == FileAccess::owner_only;
    int descriptor = ::open(file.c_str(), flags | O_CREAT | O_EXCL, owner_only ? owner_file : 0666);
    const bool made = descriptor >= 0;
    if (!made && errno == EEXIST) {
        descriptor = ::open(file.c_str(), flags);
    }
    if (descriptor < 0) {
        return file_error(
            "open", file, errno,
            errno == ELOOP ? "it is a link, which is not followed" : "check the path and its permissions");
    }
    struct stat found{};
    if ((made && owner_only && ::fchmod(descriptor, owner_file) != 0) || ::fstat(descriptor, &found) != 0) {
        const int number = errno;
        ::close(descriptor);
        return file_error("open", file, number);
    }
    if (!S_ISREG(found.st_mode)) {
        ::close(descriptor);
        const std::string shown = shown_utf8(file.native());
        return fail(Errc::storage,
                    fmt::format("cannot open {}: it is {} where a plain file is needed; choose another path", shown,
                                kind_of(found.st_mode)),
                    {{"path", shown}});
    }
    return descriptor;
}

}  // namespace ktrdr
