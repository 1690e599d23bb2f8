#pragma once

#include <memory>
#include <string>

#include <ktrdr/base/result.hpp>

#include "held_file.hpp"

namespace ktrdr {

/// Says to other processes that this one is alive: a locked byte of the database's file, as long as the process lives.
///
/// The byte comes from the owner's name, so whatever a file says an owner is called, no path is made of it.
class OwnerLock final {
public:
    /// Errors: `storage` where the byte cannot be locked.
    [[nodiscard]] static Result<std::unique_ptr<OwnerLock>> take(std::shared_ptr<HeldFile> file,
                                                                 const std::string& owner);
    OwnerLock(const OwnerLock&) = delete;
    OwnerLock& operator=(const OwnerLock&) = delete;
    ~OwnerLock();

private:
    OwnerLock(std::shared_ptr<HeldFile> file, std::int64_t byte) : file_(std::move(file)), byte_(byte) {}

    const std::shared_ptr<HeldFile> file_;
    const std::int64_t byte_;
};

/// False only when it is certain that no other process holds the owner's lock.
[[nodiscard]] bool owner_lives(const HeldFile& file, const std::string& owner);

}  // namespace ktrdr
