#include <ktrdr/storage/sqlite_store.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <ktrdr/base/ids.hpp>

#include "operation_rows.hpp"
#include "operation_schema.hpp"
#include "owner_lock.hpp"

namespace ktrdr {
namespace {

constexpr std::string_view writing = "write an operation";

/// Of a transaction; what is queued beyond it waits for the next.
constexpr std::size_t most_steps = 256;

/// Inserts or updates one row; answers why not when the row is not ours to change.
class StepWriter final {
public:
    StepWriter(SQLite::Database& connection, const std::string& owner)
        : connection_(connection),
          owner_(owner),
          insert_(connection, fmt::format("INSERT INTO operation({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
                                          "?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21) "
                                          "ON CONFLICT DO NOTHING",
                                          record_columns)),
          // The columns that never change are compared or left alone; ?n is the column's place in `record_columns`.
          update_(
              connection,
              "UPDATE operation SET status = ?6, attempt = ?7, resumable = ?8, durable = ?9, started = ?12, "
              "cancel_requested = ?13, cancel_observed = ?14, stopped = ?15, reason = ?16, progress = ?17, "
              "result = ?18, error = ?19, warnings = ?20, last_seq = ?21 WHERE id = ?1 AND owner = ?10 AND type = ?2 "
              "AND name = ?3 AND parent_id = ?4 AND parameters = ?5 AND created = ?11 "
              "AND status NOT IN ('completed', 'failed', 'cancelled', 'timed_out')"),
          event_(connection, "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)") {}

    Result<void> write(const RecordChange& change) {
        // A change whose operation is not there follows a first one that could not be written.
        if ((change.first || !run(update_, change.record)) && !run(insert_, change.record)) {
            return taken(change.record.id);
        }
        write_events(change);
        return {};
    }

private:
    bool run(SQLite::Statement& statement, const OperationRecord& record) {
        statement.reset();
        bind_record(statement, record);
        return statement.exec() > 0;
    }

    void write_events(const RecordChange& change) {
        for (std::size_t i = 0; i < change.events.size(); ++i) {
            // Of a run of pictures the last one says all.
            const auto is_progress = [&](std::size_t at) {
                return at < change.events.size() && change.events[at].kind == OperationEventKind::progress;
            };
            if (is_progress(i) && is_progress(i + 1)) {
                continue;
            }
            event_.reset();
            bind_event(event_, change.record.id, change.events[i]);
            event_.exec();
        }
    }

    Error taken(const std::string& id) {
        SQLite::Statement row(connection_, "SELECT type, status, owner FROM operation WHERE id = ?");
        row.bind(1, id);
        row.executeStep();
        const std::string type = row.getColumn(0).getString();
        const std::string status = row.getColumn(1).getString();
        const bool ours = row.getColumn(2).getString() == owner_;
        return fail(Errc::conflict,
                    fmt::format("operation id {} belongs to a {} that is {}{}; give the new request an id of its own",
                                id, type, status, ours ? "" : " and was started by another process"),
                    {{"operation_id", id}, {"type", type}, {"status", status}});
    }

    SQLite::Database& connection_;
    const std::string& owner_;
    SQLite::Statement insert_;
    SQLite::Statement update_;
    SQLite::Statement event_;
};

Durability durability_of(const RecordChange& change) {
    return is_terminal(change.record.status) ? Durability::synced : Durability::relaxed;
}

}  // namespace

Schema SqliteStore::schema() noexcept {
    return {"operations", operation_migrations};
}

std::shared_ptr<SqliteStore> SqliteStore::create(std::shared_ptr<Database> database, Executor& executor,
                                                 const Clock& clock) {
    return std::shared_ptr<SqliteStore>(new SqliteStore(std::move(database), executor, clock));
}

SqliteStore::SqliteStore(std::shared_ptr<Database> database, Executor& executor, const Clock& clock)
    : database_(std::move(database)),
      executor_(executor),
      clock_(clock),
      owner_(make_uuid7(clock)) {}

SqliteStore::~SqliteStore() = default;

void SqliteStore::write(RecordChange change, Done done) {
    {
        const std::scoped_lock lock(mutex_);
        queue_.push_back({std::move(change), std::move(done)});
        if (std::exchange(draining_, true)) {
            return;
        }
    }
    executor_.post([self = shared_from_this()] { self->drain(); });
}

void SqliteStore::drain() {
    std::unique_lock lock(mutex_);
    while (!queue_.empty()) {
        const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), most_steps));
        std::vector<Queued> batch(std::move_iterator(queue_.begin()), std::move_iterator(queue_.begin() + count));
        queue_.erase(queue_.begin(), queue_.begin() + count);
        lock.unlock();
        std::vector<Result<void>> results(batch.size());
        const auto written = write_batch(batch, results);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            batch[i].done(written ? results[i] : written);
        }
        lock.lock();
    }
    draining_ = false;
    drained_.notify_all();
}

Result<void> SqliteStore::write_batch(const std::vector<Queued>& batch, std::vector<Result<void>>& results) {
    const bool synced = std::any_of(batch.begin(), batch.end(), [](const Queued& queued) {
        return durability_of(queued.change) == Durability::synced;
    });
    return database_->write(
        writing,
        [&](SQLite::Database& connection) -> Result<void> {
            if (const auto entered = enter_owner(connection); !entered) {
                return entered;
            }
            StepWriter writer(connection, owner_);
            for (std::size_t i = 0; i < batch.size(); ++i) {
                results[i] = writer.write(batch[i].change);
            }
            return {};
        },
        synced ? Durability::synced : Durability::relaxed);
}

// The lock is held before the row can be seen.
Result<void> SqliteStore::enter_owner(SQLite::Database& connection) {
    if (!lock_) {
        auto lock = OwnerLock::take(database_->held(), owner_);
        if (!lock) {
            return lock.error();
        }
        lock_ = std::move(*lock);
    }
    SQLite::Statement row(connection, "INSERT OR IGNORE INTO owner VALUES (?, ?, ?)");
    row.bind(1, owner_);
    row.bind(2, static_cast<std::int64_t>(::getpid()));
    row.bind(3, clock_.utc_now().time_since_epoch().count());
    row.exec();
    return {};
}

void SqliteStore::flush() {
    std::unique_lock lock(mutex_);
    drained_.wait(lock, [this] { return !draining_; });
}

Result<bool> SqliteStore::request_cancel(const std::string& id, const CancelReason& reason) {
    bool asked = false;
    const auto done = database_->write(
        "ask for a cancel",
        [&](SQLite::Database& connection) -> Result<void> {
            SQLite::Statement row(connection,
                                  "UPDATE operation SET asked = ? WHERE id = ? AND asked IS NULL "
                                  "AND status IN ('pending', 'running', 'resuming')");
            row.bind(1, reason_text(reason));
            row.bind(2, id);
            asked = row.exec() > 0;
            return {};
        },
        Durability::relaxed);
    return done ? Result<bool>(asked) : Result<bool>(done.error());
}

Result<OperationRecord> SqliteStore::claim(const std::string& id) {
    OperationRecord record;
    const auto done =
        database_->write(fmt::format("resume operation {}", id), [&](SQLite::Database& connection) -> Result<void> {
            SQLite::Statement row(connection, fmt::format("SELECT {} FROM operation WHERE id = ?", record_columns));
            row.bind(1, id);
            if (!row.executeStep()) {
                return fail(Errc::not_found, fmt::format("operation {} cannot be resumed: it is not stored here", id),
                            {{"operation_id", id}});
            }
            record = read_record(row);
            if (record.status != OperationStatus::interrupted || !record.resumable) {
                return fail(Errc::conflict,
                            fmt::format("operation {} cannot be resumed: it is {}{}", id, to_string(record.status),
                                        record.resumable ? "" : " and of a kind that cannot go on in the middle"),
                            {{"operation_id", id}, {"status", to_string(record.status)}});
            }
            const auto entered = enter_owner(connection);
            if (!entered) {
                return entered;
            }
            record.status = OperationStatus::resuming;
            record.owner = owner_;
            record.durable = true;
            ++record.attempt;
            ++record.last_seq;
            SQLite::Statement update(connection,
                                     "UPDATE operation SET status = 'resuming', owner = ?, durable = 1, asked = NULL, "
                                     "attempt = ?, last_seq = ? WHERE id = ?");
            update.bind(1, owner_);
            update.bind(2, record.attempt);
            update.bind(3, static_cast<std::int64_t>(record.last_seq));
            update.bind(4, id);
            update.exec();
            SQLite::Statement event(connection, "INSERT INTO event VALUES (?, ?, ?, ?, ?)");
            bind_event(event, id,
                       {record.last_seq,
                        clock_.utc_now(),
                        OperationEventKind::state,
                        {{"status", "resuming"}, {"attempt", record.attempt}},
                        {}});
            event.exec();
            return {};
        });
    return done ? Result<OperationRecord>(std::move(record)) : Result<OperationRecord>(done.error());
}

Result<std::size_t> SqliteStore::forget(const Retention& retention, const std::string& type) {
    if (const auto checked = check(retention); !checked) {
        return checked.error();
    }
    const auto oldest = clock_.utc_now() - retention.max_age;
    std::size_t forgotten = 0;
    const auto done = database_->write(
        "forget old operations",
        [&](SQLite::Database& connection) -> Result<void> {
            SQLite::Statement row(connection,
                                  "DELETE FROM operation WHERE id IN (SELECT id FROM (SELECT id, created, row_number() "
                                  "OVER (PARTITION BY type ORDER BY created DESC, id DESC) AS place FROM operation "
                                  "WHERE status NOT IN ('pending', 'running', 'cancelling', 'resuming') "
                                  "AND (?1 = '' OR type = ?1)) WHERE place > ?2 OR created < ?3)");
            row.bind(1, type);
            row.bind(2, static_cast<std::int64_t>(retention.max_count));
            row.bind(3, oldest.time_since_epoch().count());
            forgotten = static_cast<std::size_t>(row.exec());
            return {};
        },
        Durability::relaxed);
    return done ? Result<std::size_t>(forgotten) : Result<std::size_t>(done.error());
}

}  // namespace ktrdr
