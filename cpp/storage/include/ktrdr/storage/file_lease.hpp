#pragma once

#include <cstdint>
#include <memory>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/storage/database.hpp>

namespace ktrdr {

/// A run of bytes far behind the end of the database's file, held alone: it keeps others from whatever they have agreed
/// that those bytes stand for. Nothing is written, and a holder that dies has let go.
///
/// Thread safety: it may be taken and let go on any thread.
class KTRDR_EXPORT FileLease final : private Counted<FileLease> {
public:
    /// There are so many bytes to hold.
    static constexpr std::int64_t count = std::int64_t{1} << 60;

    /// Bytes `[first, last)`; null while somebody else holds any of them, in this process or in another. Errors:
    /// `storage` where the file system has no such locks.
    [[nodiscard]] static Result<std::unique_ptr<FileLease>> take(const Database& database, std::int64_t first,
                                                                 std::int64_t last);
    FileLease(const FileLease&) = delete;
    FileLease& operator=(const FileLease&) = delete;
    ~FileLease();

private:
    FileLease(std::shared_ptr<HeldFile> file, std::int64_t first, std::int64_t last)
        : file_(std::move(file)), first_(first), last_(last) {}

    const std::shared_ptr<HeldFile> file_;
    const std::int64_t first_;
    const std::int64_t last_;
};

}  // namespace ktrdr
