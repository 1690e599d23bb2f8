#include "posix_file.hpp"

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace ktrdr {

Result<PosixFile> PosixFile::open_own(const std::filesystem::path& path, FileAccess access) {
    const auto descriptor = open_plain_file(path, access);
    if (!descriptor) {
        return descriptor.error();
    }
    PosixFile file(*descriptor, path);
    struct stat found{};
    if (::fstat(*descriptor, &found) != 0) {
        return file.failed("look at");
    }
    if (found.st_nlink != 1) {
        return fail(Errc::storage,
                    fmt::format("cannot use {}: it has {} names, and what belongs to another would be overwritten; "
                                "remove it",
                                path.string(), found.st_nlink),
                    {{"path", path.string()}});
    }
    return file;
}

PosixFile::PosixFile(PosixFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

PosixFile::~PosixFile() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

Error PosixFile::failed(std::string_view what) const {
    return file_error(what, path_, errno, errno == ENOSPC || errno == EDQUOT ? "" : "choose another models_dir");
}

Result<void> PosixFile::lock(const std::function<Result<void>()>& check) const {
    constexpr auto slice = std::chrono::milliseconds{20};
    while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EINTR && errno != EWOULDBLOCK) {
            return failed("lock");
        }
        if (auto go = check(); !go) {
            return go;
        }
        std::this_thread::sleep_for(slice);
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
