#include "owner_lock.hpp"

#include <fmt/format.h>

namespace ktrdr {

Result<std::unique_ptr<OwnerLock>> OwnerLock::take(std::shared_ptr<HeldFile> file, const std::string& owner) {
    const std::int64_t byte = HeldFile::byte_of(HeldFile::Range::owners, owner);
    const auto locked = file->lock(byte, false);
    if (!locked) {
        return locked.error();
    }
    if (!*locked) {
        return fail(Errc::storage,
                    fmt::format("cannot lock byte {} of the database's file, by which other processes see that this "
                                "one is alive: another program holds it",
                                byte));
    }
    return std::unique_ptr<OwnerLock>(new OwnerLock(std::move(file), byte));
}

OwnerLock::~OwnerLock() {
    file_->unlock(byte_);
}

bool owner_lives(const HeldFile& file, const std::string& owner) {
    return file.others_hold(HeldFile::byte_of(HeldFile::Range::owners, owner)).value_or(true);
}

}  // namespace ktrdr
