#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <ktrdr/base/files.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Owns a file descriptor.
class PosixFile final {
public:
    PosixFile(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
    PosixFile(PosixFile&& other) noexcept;
    PosixFile& operator=(PosixFile&&) = delete;
    ~PosixFile();

    /// A small file of ours that is kept: made where it is missing, refused where it is a link, no plain file, or has
    /// other names, by which somebody else's content would be overwritten.
    [[nodiscard]] static Result<PosixFile> open_own(const std::filesystem::path& path, FileAccess access);

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    /// Wait for an exclusive lock; it goes with the descriptor. While another has it `check` is asked, some fifty times
    /// a second.
    [[nodiscard]] Result<void> lock(const std::function<Result<void>()>& check) const;
    /// Write all of it in slices, asking `check` before each.
    [[nodiscard]] Result<void> write(std::string_view content, const std::function<Result<void>()>& check) const;
    /// The beginning of a small file.
    [[nodiscard]] Result<std::string> read_all() const;
    /// Replace what is in a small file.
    [[nodiscard]] Result<void> replace(std::string_view content) const;
    [[nodiscard]] Result<void> sync() const;

private:
    [[nodiscard]] Error failed(std::string_view what) const;

    int descriptor_;
    std::filesystem::path path_;
};

}  // namespace ktrdr
