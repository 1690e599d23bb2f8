#include <ktrdr/storage/database.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <mutex>
#include <string>

#include "sqlite_error.hpp"

namespace ktrdr {

struct Database::Connection {
    Connection(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout)
        : handle(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, static_cast<int>(busy_timeout.count())) {}

    SQLite::Database handle;
    std::mutex mutex;
};

namespace {

constexpr std::string_view opening = "open the database";

std::int64_t pragma(SQLite::Database& connection, const char* sql) {
    return connection.execAndGet(sql).getInt64();
}

Result<void> make_folder(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!error && std::filesystem::is_directory(folder, error)) {
        return {};
    }
    const std::string reason = error ? error.message() : "a file is in its place";
    const bool full = error == std::errc::no_space_on_device;
    return fail(full ? Errc::storage_full : Errc::storage,
                fmt::format("cannot make the folder {}: {}; choose another folder or remove what is in its way",
                            folder.string(), reason),
                {{"folder", folder.string()}});
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

Result<void> migrate(SQLite::Database& connection, const std::filesystem::path& file,
                     std::span<const std::string_view> migrations) {
    const auto known = static_cast<std::int64_t>(migrations.size());
    if (pragma(connection, "PRAGMA user_version") == known &&
        pragma(connection, "PRAGMA application_id") == Database::application_id) {
        return {};
    }
    SQLite::Transaction transaction(connection, SQLite::TransactionBehavior::IMMEDIATE);
    const std::int64_t version = pragma(connection, "PRAGMA user_version");
    if (version < 0 || version > known) {
        return fail(Errc::storage_schema,
                    fmt::format("cannot open {}: it has schema version {}, this build knows {} at most; install a "
                                "newer ktrdr-core or choose another folder",
                                file.string(), version, known),
                    {{"file", file.string()}, {"version", version}, {"known", known}});
    }
    for (const std::string_view step : migrations.subspan(static_cast<std::size_t>(version))) {
        connection.exec(std::string(step));
    }
    connection.exec(fmt::format("PRAGMA application_id = {}", Database::application_id));
    connection.exec(fmt::format("PRAGMA user_version = {}", known));
    transaction.commit();
    return {};
}

Result<void> prepare_writer(SQLite::Database& connection, const std::filesystem::path& file,
                            std::span<const std::string_view> migrations, const DatabaseOptions& options) {
    const auto owner = check_owner(connection, file);
    if (!owner) {
        return owner.error();
    }
    use_write_ahead_log(connection, options.busy_timeout);
    // Bars that were announced must survive a power cut.
    connection.exec("PRAGMA synchronous = FULL");
    connection.exec("PRAGMA foreign_keys = ON");
    if (options.max_page_count > 0) {
        connection.exec(fmt::format("PRAGMA max_page_count = {}", options.max_page_count));
    }
    return migrate(connection, file, migrations);
}

Result<void> in_transaction(SQLite::Database& connection, SQLite::TransactionBehavior behavior,
                            const Database::Work& work) {
    SQLite::Transaction transaction(connection, behavior);
    const auto done = work(connection);
    if (!done) {
        return done.error();
    }
    transaction.commit();
    return {};
}

}  // namespace

Database::Database(std::filesystem::path file, std::unique_ptr<Connection> writer, std::unique_ptr<Connection> reader)
    : file_(std::move(file)), writer_(std::move(writer)), reader_(std::move(reader)) {}

Database::~Database() = default;

Result<std::shared_ptr<Database>> Database::open(std::filesystem::path file,
                                                 std::span<const std::string_view> migrations,
                                                 DatabaseOptions options) {
    if (const auto made = make_folder(file.parent_path().empty() ? "." : file.parent_path()); !made) {
        return made.error();
    }
    std::unique_ptr<Connection> writer;
    std::unique_ptr<Connection> reader;
    const auto connected = guarded(opening, file, nullptr, [&]() -> Result<void> {
        writer = std::make_unique<Connection>(file, options.busy_timeout);
        return {};
    });
    if (!connected) {
        return connected.error();
    }
    const auto prepared = guarded(opening, file, &writer->handle, [&]() -> Result<void> {
        const auto ready = prepare_writer(writer->handle, file, migrations, options);
        if (ready) {
            reader = std::make_unique<Connection>(file, options.busy_timeout);
            reader->handle.exec("PRAGMA query_only = ON");
        }
        return ready;
    });
    if (!prepared) {
        return prepared.error();
    }
    return std::shared_ptr<Database>(new Database(std::move(file), std::move(writer), std::move(reader)));
}

Result<void> Database::write(std::string_view what, const Work& work) {
    const std::scoped_lock lock(writer_->mutex);
    return guarded(what, file_, &writer_->handle,
                   [&] { return in_transaction(writer_->handle, SQLite::TransactionBehavior::IMMEDIATE, work); });
}

Result<void> Database::read(std::string_view what, const Work& work) {
    const std::scoped_lock lock(reader_->mutex);
    return guarded(what, file_, &reader_->handle,
                   [&] { return in_transaction(reader_->handle, SQLite::TransactionBehavior::DEFERRED, work); });
}

}  // namespace ktrdr
