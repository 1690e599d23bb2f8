#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// A descriptor that is closed with the last who holds it.
class KTRDR_EXPORT Descriptor final : private Counted<Descriptor> {
public:
    explicit Descriptor(int value) noexcept : value_(value) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
    [[nodiscard]] int value() const noexcept { return value_; }

private:
    int value_;
};

/// A plain file that a request sends, from its first byte to its last.
///
/// Errors: `storage` for what is no plain file, cannot be read, or is not as long as it was when this was made;
/// `out_of_resources` where no descriptor is left.
/// Thread safety: immutable. `open` may wait for a disk.
class KTRDR_EXPORT FileToSend final {
public:
    /// By its name. It is opened each time that it is sent and closed again, so that one that waits costs nothing.
    [[nodiscard]] static Result<std::shared_ptr<const FileToSend>> named(std::filesystem::path path);
    /// One that its owner has open for reading, and may close at once: the descriptor is duplicated, and read without
    /// moving anybody's place in the file. `name` is for messages.
    [[nodiscard]] static Result<std::shared_ptr<const FileToSend>> opened(int descriptor, std::filesystem::path name);

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] Result<std::shared_ptr<const Descriptor>> open() const;
    /// The refusal of what has become of it: "it ended after 5 of 9 bytes".
    [[nodiscard]] Error changed(const std::string& how) const;
    [[nodiscard]] Error unreadable(int number) const;

private:
    FileToSend(std::filesystem::path path, std::uint64_t size, std::shared_ptr<const Descriptor> descriptor)
        : path_(std::move(path)), size_(size), descriptor_(std::move(descriptor)) {}

    std::filesystem::path path_;
    std::uint64_t size_;
    /// Null for one that is opened by its name.
    std::shared_ptr<const Descriptor> descriptor_;
};

/// A stretch of a body: the file where there is one, else the bytes.
struct UploadPart {
    std::string bytes{};
    std::shared_ptr<const FileToSend> file{};

    [[nodiscard]] std::uint64_t size() const noexcept { return file ? file->size() : bytes.size(); }
};

/// A body that is read while it is sent: its parts, one after the other.
struct Upload {
    std::vector<UploadPart> parts{};

    [[nodiscard]] KTRDR_EXPORT std::uint64_t size() const noexcept;
};

}  // namespace ktrdr
