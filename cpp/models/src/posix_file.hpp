#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Owns a file descriptor.
class PosixFile final {
public:
    [[nodiscard]] static Result<PosixFile> open(const std::filesystem::path& path, int flags);
    PosixFile(PosixFile&& other) noexcept;
    PosixFile& operator=(PosixFile&&) = delete;
    ~PosixFile();

    /// Wait for an exclusive lock; it goes with the descriptor.
    [[nodiscard]] Result<void> lock() const;
    /// Write all of it in slices, asking `check` before each.
    [[nodiscard]] Result<void> write(std::string_view content, const std::function<Result<void>()>& check) const;
    /// Everything that is in a small file.
    [[nodiscard]] Result<std::string> read_all() const;
    /// Replace what is in a small file.
    [[nodiscard]] Result<void> replace(std::string_view content) const;
    [[nodiscard]] Result<void> sync() const;

private:
    PosixFile(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
    [[nodiscard]] Error failed(std::string_view what) const;

    int descriptor_;
    std::filesystem::path path_;
};

/// `storage_full` or `storage` for an errno, naming what was tried on which path.
[[nodiscard]] Error file_error(std::string_view what, const std::filesystem::path& path, int number);

}  // namespace ktrdr
