#include <ktrdr/storage/database.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <ktrdr/base/log.hpp>

#include "held_file.hpp"
#include "place.hpp"
#include "polled.hpp"
#include "sqlite_error.hpp"
#include "write_ahead_log.hpp"

namespace ktrdr {

struct Database::Writer {
    Writer(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout)
        : handle(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, static_cast<int>(busy_timeout.count())),
          longest(busy_timeout) {}

    SQLite::Database handle;
    std::mutex mutex;
    const std::chrono::milliseconds longest;
    /// What the connection waits now.
    std::chrono::milliseconds patience{longest};
    Durability durability{Durability::synced};
};

namespace {

constexpr std::string_view opening = "open the database";

/// Bytes that the write-ahead log keeps on the disk between two uses.
constexpr std::int64_t largest_idle_log = std::int64_t{4} << 20;

std::int64_t pragma(SQLite::Database& connection, const char* sql) {
    return connection.execAndGet(sql).getInt64();
}

/// Whether free pages can go one by one; else only by writing all of the file anew.
bool gives_space_back(SQLite::Database& connection) {
    constexpr std::int64_t incremental = 2;
    return pragma(connection, "PRAGMA auto_vacuum") == incremental;
}

/// A file of ours, or one with nothing in it; never touches one that belongs to another program.
Result<void> check_owner(SQLite::Database& connection, const std::filesystem::path& file) {
    // One snapshot for both: another process may be making the file right now.
    const SQLite::Transaction snapshot(connection, SQLite::TransactionBehavior::DEFERRED);
    const std::int64_t owner = pragma(connection, "PRAGMA application_id");
    const std::int64_t tables = pragma(connection, "SELECT count(*) FROM sqlite_master");
    if (owner == Database::application_id || (owner == 0 && tables == 0)) {
        return {};
    }
    return fail(
        Errc::storage_schema,
        fmt::format("cannot open {}: it is a database of another program; choose another folder", file.string()),
        {{"file", file.string()}, {"application_id", owner}});
}

/// Switching a new file asks for the whole file, and SQLite does not wait for it as it does for other locks.
void use_write_ahead_log(SQLite::Database& connection, std::chrono::milliseconds busy_timeout) {
    constexpr int pause_ms = 10;
    for (auto waited = 0;; waited += pause_ms) {
        try {
            connection.exec("PRAGMA journal_mode = WAL");
            return;
        } catch (const SQLite::Exception& error) {
            if (error.getErrorCode() != SQLITE_BUSY || waited >= busy_timeout.count()) {
                throw;
            }
        }
        sqlite3_sleep(pause_ms);
    }
}

/// How the file says which tables it has: 1 counted the bars' migrations in `user_version` itself, 2 has a table.
constexpr std::int64_t layout = 2;

Error too_new(const std::filesystem::path& file, std::string_view what, std::int64_t version, std::int64_t known) {
    return fail(
        Errc::storage_schema,
        fmt::format("cannot open {}: {} has version {}, this build knows {} at most; install a newer ktrdr-core "
                    "or choose another folder",
                    file.string(), what, version, known),
        {{"file", file.string()}, {"component", what}, {"version", version}, {"known", known}});
}

Result<void> make_layout(SQLite::Database& connection, const std::filesystem::path& file) {
    const std::int64_t found = pragma(connection, "PRAGMA user_version");
    if (found < 0 || found > layout) {
        return too_new(file, "its layout", found, layout);
    }
    if (found < layout) {
        connection.exec("CREATE TABLE schema_version(component TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT");
        if (found == 1) {
            connection.exec("INSERT INTO schema_version VALUES ('bar_store', 1)");
        }
        connection.exec(fmt::format("PRAGMA application_id = {}", Database::application_id));
        connection.exec(fmt::format("PRAGMA user_version = {}", layout));
    }
    return {};
}

std::int64_t version_of(SQLite::Database& connection, std::string_view component) {
    SQLite::Statement row(connection, "SELECT version FROM schema_version WHERE component = ?");
    row.bind(1, std::string(component));
    return row.executeStep() ? row.getColumn(0).getInt64() : 0;
}

Result<void> migrate(SQLite::Database& connection, const std::filesystem::path& file, const Schema& schema) {
    const auto known = static_cast<std::int64_t>(schema.migrations.size());
    const std::int64_t version = version_of(connection, schema.component);
    if (version < 0 || version > known) {
        return too_new(file, schema.component, version, known);
    }
    for (const std::string_view step : schema.migrations.subspan(static_cast<std::size_t>(version))) {
        connection.exec(std::string(step));
    }
    SQLite::Statement row(connection, "INSERT OR REPLACE INTO schema_version VALUES (?, ?)");
    row.bind(1, std::string(schema.component));
    row.bind(2, known);
    row.exec();
    return {};
}

bool up_to_date(SQLite::Database& connection, const std::vector<Schema>& schemas) {
    const SQLite::Transaction snapshot(connection, SQLite::TransactionBehavior::DEFERRED);
    if (pragma(connection, "PRAGMA user_version") != layout ||
        pragma(connection, "PRAGMA application_id") != Database::application_id) {
        return false;
    }
    return std::all_of(schemas.begin(), schemas.end(), [&connection](const Schema& schema) {
        return version_of(connection, schema.component) == std::ssize(schema.migrations);
    });
}

Result<void> migrate_all(SQLite::Database& connection, const std::filesystem::path& file,
                         const std::vector<Schema>& schemas) {
    if (up_to_date(connection, schemas)) {
        return {};
    }
    SQLite::Transaction transaction(connection, SQLite::TransactionBehavior::IMMEDIATE);
    if (const auto made = make_layout(connection, file); !made) {
        return made;
    }
    for (const Schema& schema : schemas) {
        if (const auto done = migrate(connection, file, schema); !done) {
            return done;
        }
    }
    transaction.commit();
    return {};
}

/// Asked while a file is written anew.
Database::Poll while_quick(const DatabaseOptions& options) {
    const auto until = std::chrono::steady_clock::now() + options.rewrite_within;
    return [until, wanted = options.rewrite_wanted]() -> Result<void> {
        if (std::chrono::steady_clock::now() > until) {
            return fail(Errc::timed_out, "writing the file anew takes too long for an opening");
        }
        return wanted ? wanted() : Result<void>{};
    };
}

/// An older file learns it by being written anew, which is done while that is quick; a large one keeps its free pages.
void let_space_be_given_back(SQLite::Database& connection, const std::filesystem::path& file,
                             const DatabaseOptions& options) {
    // Nobody can end what goes to the disk at last, into the log and into the file: 4 MB each, a moment on a slow disk
    // too.
    constexpr std::int64_t most_pages = 1'024;
    if (pragma(connection, "PRAGMA auto_vacuum") != 0 || pragma(connection, "PRAGMA page_count") > most_pages) {
        return;
    }
    connection.exec("PRAGMA auto_vacuum = INCREMENTAL");
    connection.setBusyTimeout(0);
    const auto done = polled(connection, while_quick(options), [&] {
        return guarded("write the file anew", file, &connection, [&]() -> Result<void> {
            connection.exec("VACUUM");
            return {};
        });
    });
    if (!done) {
        // In use, slow, ended, or no room for the copy: nothing is lost, and the next opening tries again.
        log(LogLevel::debug, "storage", fmt::format("space is not given back yet: {}", done.error().message));
    }
    connection.setBusyTimeout(static_cast<int>(options.busy_timeout.count()));
}

Error taken_away(std::string_view what, const std::filesystem::path& file) {
    return fail(Errc::storage,
                fmt::format("cannot {}: {} was removed or replaced since this process opened it; close what uses it "
                            "here, or end the process, and begin anew",
                            what, file.string()),
                {{"file", file.string()}});
}

Result<void> prepare_writer(SQLite::Database& connection, const std::filesystem::path& file,
                            const std::vector<Schema>& schemas, const DatabaseOptions& options) {
    const auto owner = check_owner(connection, file);
    if (!owner) {
        return owner.error();
    }
    // Of a new file only, before its first table: what is forgotten can be given back to the disk. Of another it asks
    // for the lock, and opening waits for nobody who writes.
    if (pragma(connection, "PRAGMA page_count") == 0) {
        connection.exec("PRAGMA auto_vacuum = INCREMENTAL");
    }
    use_write_ahead_log(connection, options.busy_timeout);
    connection.exec(fmt::format("PRAGMA journal_size_limit = {}", largest_idle_log));
    // Bars that were announced must survive a power cut.
    connection.exec("PRAGMA synchronous = FULL");
    if (options.max_page_count > 0) {
        connection.exec(fmt::format("PRAGMA max_page_count = {}", options.max_page_count));
    }
    // A migration that makes a table anew would take all with it that belongs to its rows.
    connection.exec("PRAGMA foreign_keys = OFF");
    if (const auto migrated = migrate_all(connection, file, schemas); !migrated) {
        return migrated;
    }
    connection.exec("PRAGMA foreign_keys = ON");
    let_space_be_given_back(connection, file, options);
    return {};
}

Result<void> in_transaction(SQLite::Database& connection, SQLite::TransactionBehavior behavior,
                            const Database::Work& work, std::string_view what, const std::filesystem::path& file) {
    SQLite::Transaction transaction(connection, behavior);
    try {
        const auto done = work(connection);
        if (!done) {
            return done.error();
        }
        transaction.commit();
        return {};
    } catch (const SQLite::Exception& error) {
        // Before it is undone, after which nobody knows any more why the system refused it.
        return sqlite_error(error, what, file, &connection);
    }
}

}  // namespace

/// The connections that read: the first is there from the start, another is opened when all are in use.
class Database::Readers final {
public:
    Readers(const std::filesystem::path& file, const FileId& id, const DatabaseOptions& options)
        : path_(file),
          id_(id),
          busy_timeout_(options.busy_timeout),
          most_(std::max<std::size_t>(1, options.max_readers)) {
        idle_.push_back(connect());
    }

    /// A connection until the end of a scope.
    class Lease final {
    public:
        explicit Lease(Readers& readers, bool waits = true) : readers_(readers), connection_(readers.take(waits)) {}
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease() {
            if (connection_) {
                readers_.give_back(std::move(connection_));
            }
        }
        [[nodiscard]] bool has_one() const noexcept { return connection_ != nullptr; }
        [[nodiscard]] SQLite::Database& connection() const { return *connection_; }

    private:
        Readers& readers_;
        std::unique_ptr<SQLite::Database> connection_;
    };

private:
    [[nodiscard]] std::unique_ptr<SQLite::Database> connect() const {
        // SQLite writes the log's index for a reader too; what it must not write is refused.
        auto connection = std::make_unique<SQLite::Database>(path_.string(), SQLite::OPEN_READWRITE,
                                                             static_cast<int>(busy_timeout_.count()));
        connection->exec("PRAGMA query_only = ON");
        return connection;
    }

    /// Null where all are in use, and it does not wait for one.
    std::unique_ptr<SQLite::Database> take(bool waits) {
        std::unique_lock lock(mutex_);
        if (idle_.empty() && open_ < most_) {
            if (auto another = open_another()) {
                ++open_;
                return another;
            }
            most_ = open_;
        }
        if (!waits && idle_.empty()) {
            return nullptr;
        }
        returned_.wait(lock, [this] { return !idle_.empty(); });
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
    }

    void give_back(std::unique_ptr<SQLite::Database> connection) {
        {
            const std::scoped_lock lock(mutex_);
            idle_.push_back(std::move(connection));
        }
        returned_.notify_one();
    }

    /// None when the file was removed or replaced since, or when descriptors are short: those that are open read on.
    std::unique_ptr<SQLite::Database> open_another() const {
        if (file_id(path_) != id_) {
            return nullptr;
        }
        try {
            return connect();
        } catch (const SQLite::Exception&) {
            return nullptr;
        }
    }

    const std::filesystem::path path_;
    const FileId id_;
    const std::chrono::milliseconds busy_timeout_;
    std::mutex mutex_;
    std::condition_variable returned_;
    std::size_t most_;
    std::size_t open_{1};
    std::vector<std::unique_ptr<SQLite::Database>> idle_{};
};

Database::Database(std::filesystem::path file, std::shared_ptr<HeldFile> held, std::unique_ptr<Writer> writer,
                   std::unique_ptr<Readers> readers)
    : file_(std::move(file)), held_(std::move(held)), writer_(std::move(writer)), readers_(std::move(readers)) {}

Database::~Database() = default;

FileId Database::id() const noexcept {
    return held_->id();
}

Result<std::shared_ptr<Database>> Database::open(const std::filesystem::path& name, std::vector<Schema> schemas,
                                                 DatabaseOptions options) {
    const auto settled = settled_path("the database", name);
    if (!settled) {
        return settled.error();
    }
    if (const auto made = make_folders(settled->parent_path(), options.access); !made) {
        return made.error();
    }
    auto held = HeldFile::open(*settled, options.access);
    if (!held) {
        return held.error();
    }
    const std::filesystem::path file = agreed_name(*settled, (*held)->id());
    if (const auto ours = hold_name(**held, file); !ours) {
        return ours.error();
    }
    schemas.push_back({"place", place_migrations});
    std::unique_ptr<Writer> writer;
    std::unique_ptr<Readers> readers;
    const auto connected = guarded(opening, file, nullptr, [&]() -> Result<void> {
        writer = std::make_unique<Writer>(file, options.busy_timeout);
        return {};
    });
    if (!connected) {
        return connected.error();
    }
    const auto prepared = guarded(opening, file, &writer->handle, [&]() -> Result<void> {
        const auto ready = prepare_writer(writer->handle, file, schemas, options);
        if (ready) {
            keep_name(writer->handle, file, (*held)->id());
            readers = std::make_unique<Readers>(file, (*held)->id(), options);
        }
        return ready;
    });
    if (!prepared) {
        return prepared.error();
    }
    if (file_id(file) != (*held)->id()) {
        return fail(Errc::storage,
                    fmt::format("cannot open {}: it was replaced at this moment; try again", file.string()),
                    {{"file", file.string()}});
    }
    return std::shared_ptr<Database>(
        new Database(file, std::move(held).value(), std::move(writer), std::move(readers)));
}

Result<void> Database::write(std::string_view what, const Work& work, Durability durability,
                             std::optional<std::chrono::milliseconds> patience, const Poll& poll) {
    const auto wait = std::min(patience.value_or(writer_->longest), writer_->longest);
    const bool in_pieces = poll && durability == Durability::synced;
    // Two ask, and who has said no is not asked again.
    std::optional<Error> ended;
    const Poll wanted = [&]() -> Result<void> {
        if (const auto goes_on = ended ? Result<void>{} : poll(); !goes_on) {
            ended = goes_on.error();
        }
        return ended ? Result<void>(*ended) : Result<void>{};
    };
    const Work whole = [&](SQLite::Database& connection) {
        auto done = work(connection);
        if (done && !in_place()) {
            return Result<void>(taken_away(what, file_));
        }
        return done && in_pieces ? write_log_out(connection, file_, wanted) : std::move(done);
    };
    return on_writer(
        what, durability, wait,
        [&](SQLite::Database& connection) {
            const auto left_alone = in_pieces ? std::make_unique<LogLeftAlone>(connection) : nullptr;
            return in_transaction(connection, SQLite::TransactionBehavior::IMMEDIATE, whole, what, file_);
        },
        poll ? wanted : Poll{});
}

bool Database::in_place() const noexcept {
    return file_id(file_) == held_->id();
}

Result<void> Database::put_log_away() {
    std::error_code unknown;
    const auto size = std::filesystem::file_size(log_of(file_), unknown);
    constexpr std::uintmax_t page = 4096;
    if (unknown || size < pages_in_log * page) {
        return {};
    }
    // A thread that waited for a reader would keep others from what they want done. The next commit does it then.
    const Readers::Lease lease(*readers_, false);
    if (!lease.has_one()) {
        return {};
    }
    return guarded("put the write-ahead log into the file", file_, &lease.connection(), [&]() -> Result<void> {
        // It changes no row, so a connection that only reads may do it, and writers need not wait for it.
        lease.connection().exec("PRAGMA wal_checkpoint(PASSIVE)");
        return {};
    });
}

Result<bool> Database::give_back(std::size_t pages) {
    return give_back(pages, std::chrono::milliseconds{0}, {});
}

Result<bool> Database::give_back(std::size_t pages, std::chrono::milliseconds patience, const Poll& poll) {
    bool more = false;
    const auto done = on_writer(
        "give space back", Durability::relaxed, patience,
        [&](SQLite::Database& connection) -> Result<void> {
            if (gives_space_back(connection)) {
                connection.exec(fmt::format("PRAGMA incremental_vacuum({})", pages));
                more = pragma(connection, "PRAGMA freelist_count") > 0;
            }
            return {};
        },
        poll);
    return done ? Result<bool>(more) : Result<bool>(done.error());
}

Result<void> Database::compact(const Poll& poll) {
    bool can = false;
    const auto known = read("look at the file", [&can](SQLite::Database& connection) -> Result<void> {
        can = gives_space_back(connection);
        return {};
    });
    if (!known) {
        return known;
    }
    if (!can) {
        return on_writer(
            "write the file anew", Durability::synced, writer_->longest,
            [](SQLite::Database& connection) -> Result<void> {
                connection.exec("PRAGMA auto_vacuum = INCREMENTAL");
                connection.exec("VACUUM");
                return {};
            },
            poll);
    }
    // A megabyte: nobody can end what then goes to the disk.
    constexpr std::size_t pages_at_once = 256;
    for (;;) {
        const auto more = give_back(pages_at_once, writer_->longest, poll);
        if (!more) {
            return more.error();
        }
        if (!*more) {
            return {};
        }
        if (const auto alive = poll ? poll() : Result<void>{}; !alive) {
            return alive;
        }
    }
}

Result<void> Database::empty_log() {
    // It answers a row that says whether others were in the way; then the next one does it.
    return on_writer("empty the write-ahead log", Durability::relaxed, std::chrono::milliseconds{0},
                     [](SQLite::Database& connection) -> Result<void> {
                         connection.exec("PRAGMA wal_checkpoint(TRUNCATE)");
                         return {};
                     });
}

Result<void> Database::on_writer(std::string_view what, Durability durability, std::chrono::milliseconds patience,
                                 const Work& work, const Poll& poll) {
    const std::scoped_lock lock(writer_->mutex);
    auto done = polled(writer_->handle, poll, [&] {
        return guarded(what, file_, &writer_->handle, [&] {
            if (std::exchange(writer_->patience, patience) != patience) {
                writer_->handle.setBusyTimeout(static_cast<int>(patience.count()));
            }
            // Not possible inside a transaction.
            if (std::exchange(writer_->durability, durability) != durability) {
                writer_->handle.exec(durability == Durability::synced ? "PRAGMA synchronous = FULL"
                                                                      : "PRAGMA synchronous = NORMAL");
            }
            return work(writer_->handle);
        });
    });
    return with_cause(std::move(done), what);
}

Result<void> Database::read(std::string_view what, const Work& work, const Poll& poll, const OnReading& on_reading) {
    const Readers::Lease lease(*readers_);
    SQLite::Database& connection = lease.connection();
    const auto interrupted =
        on_reading ? on_reading([handle = connection.getHandle()] { sqlite3_interrupt(handle); }) : nullptr;
    return read_on(connection, what, work, poll);
}

Result<bool> Database::read_if_free(std::string_view what, const Work& work, const Poll& poll) {
    const Readers::Lease lease(*readers_, false);
    if (!lease.has_one()) {
        return false;
    }
    const auto done = read_on(lease.connection(), what, work, poll);
    return done ? Result<bool>(true) : Result<bool>(done.error());
}

Result<void> Database::read_on(SQLite::Database& connection, std::string_view what, const Work& work,
                               const Poll& poll) const {
    auto done = polled(connection, poll, [&] {
        return guarded(what, file_, &connection, [&] {
            return in_transaction(connection, SQLite::TransactionBehavior::DEFERRED, work, what, file_);
        });
    });
    return with_cause(std::move(done), what);
}

Result<void> Database::with_cause(Result<void> done, std::string_view what) const {
    const bool broke = !done && done.error().code == Errc::storage;
    return broke && !in_place() ? Result<void>(taken_away(what, file_)) : std::move(done);
}

}  // namespace ktrdr
