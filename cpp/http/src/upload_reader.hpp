#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <ktrdr/base/result.hpp>
#include <ktrdr/http/upload.hpp>

namespace ktrdr {

/// Reads an upload from its beginning to its end, once. At most one of its files is open at a time.
///
/// Errors: those of `FileToSend`. What a file has lost or got behind its end is found before its last bytes are handed
/// out, so that nobody has been sent a whole body then.
/// Thread safety: none; on a thread that may wait for a disk.
class UploadReader final {
public:
    /// What is read in one go: enough for a disk, and little beside other bodies in memory.
    static constexpr std::size_t slice_bytes = 128UL * 1024;

    explicit UploadReader(std::shared_ptr<const Upload> upload) noexcept : upload_(std::move(upload)) {}

    /// Replace `slice` by what comes next: `slice_bytes`, less at the end and nothing behind it.
    [[nodiscard]] Result<void> read(std::string& slice);

private:
    /// How many bytes it was.
    [[nodiscard]] Result<std::size_t> read_part(std::span<char> into);
    [[nodiscard]] Result<std::size_t> read_file(const FileToSend& file, std::span<char> into);
    [[nodiscard]] Result<void> end_file(const FileToSend& file);

    std::shared_ptr<const Upload> upload_;
    std::size_t part_{0};
    /// How much of the part was read.
    std::uint64_t at_{0};
    std::shared_ptr<const Descriptor> open_{};
};

}  // namespace ktrdr
