#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include <ktrdr/base/files.hpp>
#include <ktrdr/base/result.hpp>

struct flock;

namespace ktrdr {

/// The database's file held open beside SQLite's own descriptors: what the file is, and locks on bytes far behind its
/// end, which nobody writes.
///
/// The locks belong to the file, so all its names have the same ones: links, hard links, other mounts. They are those
/// of an open file description (`F_OFD_SETLK`), gone with the process, and a forked child lets go of its copy.
/// Lifetime: opened before SQLite opens the file and destroyed after SQLite has closed it. Closing any descriptor of a
/// file takes from the process all locks that SQLite holds on it, so ours stays open as long as any of the process
/// does. Thread safety: every member from any thread.
class HeldFile final {
public:
    /// Makes the file where it is missing. Errors: `storage`, `storage_full`.
    [[nodiscard]] static Result<std::shared_ptr<HeldFile>> open(const std::filesystem::path& file, FileAccess access);
    HeldFile(const HeldFile&) = delete;
    HeldFile& operator=(const HeldFile&) = delete;
    ~HeldFile();

    [[nodiscard]] const FileId& id() const noexcept { return id_; }
    /// A byte for a name, in one of the ranges of bytes.
    enum class Range : std::uint8_t { owners, places, leases };
    [[nodiscard]] static std::int64_t byte_of(Range range, std::string_view name) noexcept;
    /// Hold a byte alone, or with others who share it. False when others hold it otherwise, an errno when the system
    /// has no such locks.
    [[nodiscard]] Result<bool> lock(std::int64_t byte, bool shared);
    void unlock(std::int64_t byte);
    /// Whether others hold any byte in the range but `byte`; nothing when the system does not say.
    [[nodiscard]] std::optional<bool> others_hold_beside(Range range, std::int64_t byte) const;
    /// Whether others hold this byte; nothing when the system does not say.
    [[nodiscard]] std::optional<bool> others_hold(std::int64_t byte) const;

    /// Hold bytes `[first, last)` of the range of leases alone. False while others hold any of them, through this very
    /// descriptor too, which the system does not tell from us.
    [[nodiscard]] Result<bool> hold_run(std::int64_t first, std::int64_t last);
    void let_go_of_run(std::int64_t first, std::int64_t last);

private:
    HeldFile(int descriptor, FileId id, std::filesystem::path file);
    [[nodiscard]] std::optional<bool> held_within(std::int64_t first, std::int64_t count) const;

    [[nodiscard]] Result<bool> lock_bytes(struct flock range) const;

    const int descriptor_;
    const FileId id_;
    const std::filesystem::path file_;
    std::mutex runs_mutex_{};
    /// First to last.
    std::map<std::int64_t, std::int64_t> runs_{};
};

}  // namespace ktrdr
