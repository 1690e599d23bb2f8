#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Says to other processes that this one is alive: a file that is locked (flock) as long as the process lives.
///
/// A forked child lets go of its copy, so that it does not keep a dead parent's lock.
class OwnerLock final {
public:
    /// Make and lock `<folder>/<owner>.lock`.
    [[nodiscard]] static Result<std::unique_ptr<OwnerLock>> take(const std::filesystem::path& folder,
                                                                 const std::string& owner);
    /// Lock the file of a process that has died and remove it. Null when the process is alive; an owner without a file
    /// is dead.
    [[nodiscard]] static std::unique_ptr<OwnerLock> of_dead(const std::filesystem::path& folder,
                                                            const std::string& owner);
    OwnerLock(const OwnerLock&) = delete;
    OwnerLock& operator=(const OwnerLock&) = delete;
    /// Gives the lock back and removes the file.
    ~OwnerLock();

private:
    OwnerLock(std::filesystem::path file, int fd);

    const std::filesystem::path file_;
    const int fd_;
};

}  // namespace ktrdr
