#include "owner_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <vector>

namespace ktrdr {
namespace {

/// Descriptors that a forked child must not keep. Never destroyed: a fork may come at any time.
struct Held {
    std::mutex mutex{};
    std::vector<int> fds{};
};

Held& held() {
    static auto* const all = [] {
        pthread_atfork([] { held().mutex.lock(); }, [] { held().mutex.unlock(); },
                       [] {
                           for (const int fd : held().fds) {
                               ::close(fd);
                           }
                           held().fds.clear();
                           held().mutex.unlock();
                       });
        return new Held;
    }();
    return *all;
}

std::filesystem::path lock_file(const std::filesystem::path& folder, const std::string& owner) {
    return folder / fmt::format("{}.lock", owner);
}

}  // namespace

Result<std::unique_ptr<OwnerLock>> OwnerLock::take(const std::filesystem::path& folder, const std::string& owner) {
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    const auto file = lock_file(folder, owner);
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int why = errno;
        if (fd >= 0) {
            ::close(fd);
        }
        return fail(why == ENOSPC ? Errc::storage_full : Errc::storage,
                    fmt::format("cannot make the lock file {}, by which other processes see that this one is alive: "
                                "{}; check the folder's permissions",
                                file.string(), std::strerror(why)),
                    {{"file", file.string()}});
    }
    return std::unique_ptr<OwnerLock>(new OwnerLock(file, fd));
}

std::unique_ptr<OwnerLock> OwnerLock::of_dead(const std::filesystem::path& folder, const std::string& owner) {
    const auto file = lock_file(folder, owner);
    const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? std::unique_ptr<OwnerLock>(new OwnerLock(file, -1)) : nullptr;
    }
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ::close(fd);
        return nullptr;
    }
    return std::unique_ptr<OwnerLock>(new OwnerLock(file, fd));
}

OwnerLock::OwnerLock(std::filesystem::path file, int fd) : file_(std::move(file)), fd_(fd) {
    const std::scoped_lock lock(held().mutex);
    held().fds.push_back(fd);
}

OwnerLock::~OwnerLock() {
    const std::scoped_lock lock(held().mutex);
    // A forked child has let go already: the file is its parent's.
    if (std::erase(held().fds, fd_) > 0 && fd_ >= 0) {
        ::unlink(file_.c_str());
        ::close(fd_);
    }
}

}  // namespace ktrdr
