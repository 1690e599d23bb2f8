#include <ktrdr/base/write_out.hpp>

#include <fcntl.h>
#include <sys/stat.h>

namespace ktrdr {

Result<void> write_out(int descriptor, const std::function<Result<void>()>& poll) {
    // A disk that takes 5 MB a second has one of them in a tenth of a second.
    constexpr off_t piece = off_t{512} << 10;
    constexpr unsigned whole = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    struct ::stat about{};
    const off_t size = ::fstat(descriptor, &about) == 0 ? about.st_size : 0;
    for (off_t at = 0; at < size; at += piece) {
        if (const auto wanted = poll(); !wanted) {
            return wanted;
        }
        // Where a file system does not know this, or fails, the sync of all of it says so.
        (void)::sync_file_range(descriptor, at, piece, whole);
    }
    return poll();
}

}  // namespace ktrdr
