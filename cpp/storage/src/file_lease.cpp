#include <ktrdr/storage/file_lease.hpp>

#include "held_file.hpp"

namespace ktrdr {

Result<std::unique_ptr<FileLease>> FileLease::take(const Database& database, std::int64_t first, std::int64_t last) {
    const auto held = database.held()->hold_run(first, last);
    if (!held) {
        return held.error();
    }
    return std::unique_ptr<FileLease>(*held ? new FileLease(database.held(), first, last) : nullptr);
}

FileLease::~FileLease() {
    file_->let_go_of_run(first_, last_);
}

}  // namespace ktrdr
