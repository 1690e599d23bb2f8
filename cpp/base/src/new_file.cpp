#include <ktrdr/base/new_file.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <ktrdr/base/ids.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/base/write_out.hpp>

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& path) {
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

Error is_there(const fs::path& path, std::string_view advice) {
    const std::string shown = shown_utf8(path.native());
    return fail(Errc::conflict, fmt::format("{} is there already: {}", shown, advice), {{"path", shown}});
}

/// Some file systems take `aapl_1d.csv` for `AAPL_1d.csv`, and one would replace the other.
bool has_exactly(const fs::path& folder, const fs::path& name) {
    std::error_code error;
    const fs::directory_iterator entries(folder, error);
    // What cannot be listed is not known to be another's.
    return error || std::any_of(begin(entries), end(entries),
                                [&name](const fs::directory_entry& entry) { return entry.path().filename() == name; });
}

/// False where one is in its place already.
bool rename_to_nothing(const fs::path& from, const fs::path& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return false;
    }
    // A file system that does not know this refuses a second name for what is there, too.
    return ::link(from.c_str(), to.c_str()) == 0 && ::unlink(from.c_str()) == 0;
}

}  // namespace

Result<void> NewFilePlace::check() const {
    const std::string shown = shown_utf8(path.native());
    const auto no_file = [&shown](std::string_view why) {
        return fail(Errc::invalid_argument, fmt::format("cannot write {}: {}", shown, why),
                    {{"field", "path"}, {"path", shown}});
    };
    if (!path.has_filename() || path.native().find('\0') != std::string::npos) {
        return no_file("that is no name of a file");
    }
    if (!is_utf8(path.native())) {
        return no_file("that is not UTF-8");
    }
    struct ::stat found{};
    const fs::path folder = folder_of(path);
    if (::stat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
        return fail(Errc::not_found,
                    fmt::format("cannot write {}: there is no folder {}", shown, shown_utf8(folder.native())),
                    {{"path", shown}});
    }
    if (::stat(path.c_str(), &found) != 0) {
        return errno == ENOENT ? Result<void>() : file_error("write", path, errno);
    }
    if (!S_ISREG(found.st_mode)) {
        return no_file("there is something else than a plain file");
    }
    if (!overwrite) {
        return is_there(path, "give overwrite=True to replace it, or another path");
    }
    if (!has_exactly(folder, path.filename())) {
        return is_there(path,
                        "under a name in other letters, between which this file system sees no difference; give "
                        "another path");
    }
    return {};
}

Result<std::unique_ptr<NewFile>> NewFile::open(NewFilePlace place, const Clock& clock, FileAccess access) {
    if (const auto checked = place.check(); !checked) {
        return checked.error();
    }
    // Short, whatever the length of its name.
    fs::path hidden = folder_of(place.path) / fmt::format(".{}.part", make_uuid7(clock));
    const bool owner_only = access == FileAccess::owner_only;
    const int descriptor =
        ::open(hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, owner_only ? 0600 : 0666);
    if (descriptor < 0) {
        return file_error("write", place.path, errno);
    }
    return std::unique_ptr<NewFile>(new NewFile(std::move(place), std::move(hidden), descriptor));
}

NewFile::NewFile(NewFilePlace place, fs::path hidden, int descriptor)
    : place_(std::move(place)), hidden_(std::move(hidden)), descriptor_(descriptor) {}

NewFile::~NewFile() {
    discard();
    ::close(descriptor_);
}

void NewFile::discard() noexcept {
    if (!ended_) {
        ended_ = true;
        ::unlink(hidden_.c_str());
    }
}

Result<void> NewFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return file_error("write", place_.path, errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<void> NewFile::commit(const std::function<Result<void>()>& poll) {
    if (poll) {
        if (const auto wanted = write_out(descriptor_, poll); !wanted) {
            return wanted;
        }
    }
    if (::fsync(descriptor_) != 0) {
        return file_error("write", place_.path, errno);
    }
    const bool renamed = place_.overwrite ? ::rename(hidden_.c_str(), place_.path.c_str()) == 0
                                          : rename_to_nothing(hidden_, place_.path);
    if (!renamed) {
        return errno == EEXIST ? is_there(place_.path, "it came while the file was written; give another path")
                               : file_error("write", place_.path, errno);
    }
    ended_ = true;
    // The name, too, is on the disk.
    const int folder = ::open(folder_of(place_.path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        ::fsync(folder);
        ::close(folder);
    }
    return {};
}

}  // namespace ktrdr
