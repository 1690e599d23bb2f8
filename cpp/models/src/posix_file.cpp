#include "posix_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace ktrdr {

Error file_error(std::string_view what, const std::filesystem::path& path, int number) {
    const bool full = number == ENOSPC || number == EDQUOT;
    return fail(full ? Errc::storage_full : Errc::storage,
                fmt::format("could not {} {}: {}{}", what, path.string(), std::generic_category().message(number),
                            full ? "; free some space or choose another models_dir" : ""),
                {{"path", path.string()}, {"errno", number}});
}

Result<PosixFile> PosixFile::open(const std::filesystem::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        return file_error("open", path, errno);
    }
    return PosixFile(descriptor, path);
}

PosixFile::PosixFile(PosixFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

PosixFile::~PosixFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

Error PosixFile::failed(std::string_view what) const {
    return file_error(what, path_, errno);
}

Result<void> PosixFile::lock() const {
    while (::flock(descriptor_, LOCK_EX) != 0) {
        if (errno != EINTR) {
            return failed("lock");
        }
    }
    return {};
}

Result<void> PosixFile::write(std::string_view content, const std::function<Result<void>()>& check) const {
    constexpr std::size_t slice = 1 << 20;
    while (!content.empty()) {
        if (auto go = check(); !go) {
            return go;
        }
        const ssize_t written = ::write(descriptor_, content.data(), std::min(content.size(), slice));
        if (written < 0 && errno != EINTR) {
            return failed("write");
        }
        content.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return {};
}

Result<std::string> PosixFile::read_all() const {
    std::string content(64, '\0');
    const ssize_t count = ::pread(descriptor_, content.data(), content.size(), 0);
    if (count < 0) {
        return failed("read");
    }
    content.resize(static_cast<std::size_t>(count));
    return content;
}

Result<void> PosixFile::replace(std::string_view content) const {
    const ssize_t written = ::pwrite(descriptor_, content.data(), content.size(), 0);
    if (written != static_cast<ssize_t>(content.size()) ||
        ::ftruncate(descriptor_, static_cast<off_t>(content.size())) != 0) {
        return failed("write");
    }
    return sync();
}

Result<void> PosixFile::sync() const {
    if (::fsync(descriptor_) != 0) {
        return failed("sync");
    }
    return {};
}

}  // namespace ktrdr
