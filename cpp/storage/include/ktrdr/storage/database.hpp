#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <thread>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/files.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>

namespace SQLite {
class Database;
}

namespace ktrdr {

class HeldFile;

/// The tables of one room, with a version of their own.
struct Schema {
    /// Names the room in the file; never changes.
    std::string_view component{};
    /// `migrations[n]` is the SQL that leads from version n to n + 1.
    std::span<const std::string_view> migrations{};
};

/// What a transaction survives. The process may die after either.
enum class Durability {
    /// A power cut may undo it, whole.
    relaxed,
    /// Written through to the disk.
    synced,
};

struct DatabaseOptions {
    /// How long a statement waits for another process that holds the lock. Must not be negative.
    std::chrono::milliseconds busy_timeout{std::chrono::seconds{2}};
    /// Most pages (of 4 KiB) the file may have; 0 for no limit of ours. A write beyond it is `storage_full`.
    std::int64_t max_page_count{0};
    /// Most reads at once, each on a connection of its own; more wait. At least 1. By default one for each thread that
    /// computes, and never a single one, behind which a short read would wait for a long one.
    std::size_t max_readers{std::max(2U, std::thread::hardware_concurrency())};
    /// An older file of up to 4 MiB, which cannot give space back, is written anew where that takes no longer. What is
    /// not done by then is left to a later opening, and larger files to `compact`. Not negative.
    std::chrono::milliseconds rewrite_within{250};
    /// Asked meanwhile as `Database::Poll` is: an error leaves it to a later opening, too, and is none of this one.
    std::function<Result<void>()> rewrite_wanted{};
    /// Whose file and folder are, where they are made here.
    FileAccess access{FileAccess::owner_only};
};

/// The project's one SQLite file: opening it, keeping its schema, and transactions. Knows nothing of what is in it.
///
/// One connection writes and others read, so that a read never waits for a write (write-ahead log) nor for another
/// read, up to `max_readers`. What was written before a read begins is in it. A transaction is there whole or not at
/// all, after a crash of the process or the machine too.
///
/// Errors: `storage_schema` for a file that is not ours or was made by a newer version, `storage_full` when there is no
/// room, else `storage`. What was stored before is still there after any of them.
/// Thread safety: every member from any thread; several processes may use one file.
class KTRDR_EXPORT Database final : private Counted<Database> {
public:
    /// SQLite's `application_id` of our files ("KTRD").
    static constexpr std::int32_t application_id = 0x4b545244;

    /// Runs inside a transaction. An error it answers, or a SQLite exception it lets out, undoes what it did.
    using Work = std::function<Result<void>(SQLite::Database&)>;
    /// Asked every few steps of SQLite's, on the thread that works, so it must be quick; an error it answers ends what
    /// is being done, which is undone and answers that error. May be empty.
    using Poll = std::function<Result<void>()>;
    /// Given, when a read begins, what ends it from any other thread, where SQLite asks nobody for long (the check of
    /// its own pages). What it answers is let go before the read is over; from then on that may not be called any more.
    /// May be empty.
    using OnReading = std::function<std::shared_ptr<void>(std::function<void()> interrupt)>;

    /// Open or make the file and its folder, and bring these schemas up to date. A schema that is newer than the one
    /// given is refused, naming both versions.
    ///
    /// All names of a file (links, hard links, other mounts) are one database: it is opened by the name that the file
    /// says, and `storage` where another process has it open by a name that cannot be reached from here.
    [[nodiscard]] static Result<std::shared_ptr<Database>> open(const std::filesystem::path& name,
                                                                std::vector<Schema> schemas,
                                                                DatabaseOptions options = {});
    ~Database();

    /// One transaction on the writing connection, there when this answers. `what` completes "cannot …" in messages.
    /// Undone, and `storage`, where the file was moved, removed or replaced since it was opened: what is written there
    /// is gone with the last who has it open.
    /// `patience`: how long it waits for another process's lock, at most `busy_timeout`, which is what it is without
    /// one. With a `poll` what is synced goes to the disk in pieces between which that is asked, and stays in the log:
    /// call `put_log_away` when nobody waits any more.
    Result<void> write(std::string_view what, const Work& work, Durability durability = Durability::synced,
                       std::optional<std::chrono::milliseconds> patience = std::nullopt, const Poll& poll = {});
    /// One consistent snapshot on a reading connection, which cannot write. `work` must not read again.
    Result<void> read(std::string_view what, const Work& work, const Poll& poll = {}, const OnReading& on_reading = {});
    /// The same at once or not at all: false where every connection is in use.
    Result<bool> read_if_free(std::string_view what, const Work& work, const Poll& poll = {});
    /// Give pages that nothing uses back to the file system, at most so many; true while there are more. A file that
    /// was made before this was possible keeps them for what is written next.
    [[nodiscard]] Result<bool> give_back(std::size_t pages);
    /// Give all that nothing uses back to the file system, a few megabytes at a time; others write in between. What is
    /// given back when `poll` ends it stays so. A file that was made before this was possible is written anew in its
    /// place, which takes room for a copy of it; `storage` while another process writes to it then.
    Result<void> compact(const Poll& poll = {});
    /// Put the write-ahead log into the file where it has grown; others write meanwhile, and begin it anew then. Where
    /// every reading connection is in use it is left to the next commit.
    Result<void> put_log_away();
    /// Put the write-ahead log into the file and make it empty, as far as readers and others let it.
    Result<void> empty_log();
    /// From the root, without links.
    [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }
    [[nodiscard]] FileId id() const noexcept;
    /// False where the file was moved, removed or replaced since it was opened.
    [[nodiscard]] bool in_place() const noexcept;
    /// For locks on the file itself.
    [[nodiscard]] const std::shared_ptr<HeldFile>& held() const noexcept { return held_; }

private:
    struct Writer;
    class Readers;
    Database(std::filesystem::path file, std::shared_ptr<HeldFile> held, std::unique_ptr<Writer> writer,
             std::unique_ptr<Readers> readers);
    Result<void> read_on(SQLite::Database& connection, std::string_view what, const Work& work, const Poll& poll) const;
    /// On the writing connection, outside a transaction.
    Result<void> on_writer(std::string_view what, Durability durability, std::chrono::milliseconds patience,
                           const Work& work, const Poll& poll = {});
    /// SQLite's own errors (`disk I/O error`) say little of a file that was taken away.
    [[nodiscard]] Result<void> with_cause(Result<void> done, std::string_view what) const;
    /// True while there are more.
    Result<bool> give_back(std::size_t pages, std::chrono::milliseconds patience, const Poll& poll);

    const std::filesystem::path file_;
    /// Closed after SQLite's own.
    const std::shared_ptr<HeldFile> held_;
    const std::unique_ptr<Writer> writer_;
    const std::unique_ptr<Readers> readers_;
};

}  // namespace ktrdr
