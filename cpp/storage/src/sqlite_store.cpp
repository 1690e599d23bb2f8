#include <ktrdr/storage/sqlite_store.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/ids.hpp>
#include <ktrdr/base/log.hpp>

#include "operation_rows.hpp"
#include "operation_schema.hpp"
#include "owner_lock.hpp"
#include "requests.hpp"
#include "sqlite_error.hpp"
#include "write_queue.hpp"

namespace ktrdr {
namespace {

constexpr std::string_view writing = "write an operation";

/// Of a transaction; what is queued beyond it waits for the next.
constexpr std::size_t most_steps = 256;

/// The change cannot be written, now or later; of other codes the file is the reason.
bool is_of_the_change(const SQLite::Exception& error) {
    const int code = error.getErrorCode();
    return code == SQLITE_TOOBIG || code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_RANGE;
}

Durability durability_of(const RecordChange& change) {
    return is_terminal(change.record.status) ? Durability::synced : Durability::relaxed;
}

/// What a caller hears of a change that is kept.
Error kept_until(Error why) {
    why.message += "; it is kept in memory until it can be written";
    return why;
}

/// Housekeeping is due after so many ends, or after so long.
constexpr std::size_t house_every = 500;
constexpr std::chrono::hours house_after{1};

}  // namespace

/// Inserts or updates one row; answers why not when the row is not ours to change. Its statements are compiled once.
class SqliteStore::StepWriter final {
public:
    StepWriter(SQLite::Database& connection, const std::string& owner, const std::filesystem::path& file)
        : connection_(connection),
          file_(file),
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
          event_(connection, "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)"),
          begin_(connection, "SAVEPOINT change"),
          undo_(connection, "ROLLBACK TO change"),
          end_(connection, "RELEASE change") {}

    /// `complete`: nothing of the operation was lost before. A change that SQLite refuses is left out whole.
    Result<void> write(const RecordChange& change, bool complete) {
        complete_ = complete;
        step(begin_);
        Result<void> written{};
        try {
            written = put(change);
        } catch (const SQLite::Exception& error) {
            if (!is_of_the_change(error)) {
                throw;
            }
            // What failed says so again at its next reset.
            for (SQLite::Statement* const statement : {&insert_, &update_, &event_}) {
                statement->tryReset();
            }
            step(undo_);
            written = sqlite_error(error, writing, file_, &connection_);
        }
        step(end_);
        return written;
    }

private:
    static void step(SQLite::Statement& statement) {
        statement.reset();
        statement.exec();
    }

    Result<void> put(const RecordChange& change) {
        // A change whose operation is not there follows a first one that could not be written.
        if ((change.first || !run(update_, change.record)) && !run(insert_, change.record)) {
            return taken(change.record.id);
        }
        write_events(change);
        return {};
    }

    bool run(SQLite::Statement& statement, const OperationRecord& record) {
        statement.reset();
        bind_record(statement, record);
        if (!complete_) {
            constexpr int durable = 9;
            statement.bind(durable, 0);
        }
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
    const std::filesystem::path& file_;
    const std::string& owner_;
    bool complete_{true};
    SQLite::Statement insert_;
    SQLite::Statement update_;
    SQLite::Statement event_;
    SQLite::Statement begin_;
    SQLite::Statement undo_;
    SQLite::Statement end_;
};

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
      owner_(make_uuid7(clock)),
      queue_(std::make_unique<WriteQueue>()),
      requests_(std::make_unique<Requests>()),
      kept_house_(clock.now()) {}

SqliteStore::~SqliteStore() {
    const std::size_t left = queue_->kept().size() + requests_->size();
    if (left > 0) {
        log(LogLevel::warning, "storage",
            fmt::format("the changes of {} operations could not be written to {} and are lost: {}", left,
                        database_->file().string(), late_ ? late_->message : "the disk did not answer"));
    }
}

struct SqliteStore::Flight {
    std::vector<WriteQueue::Flying> changes{};
    Result<void> written{};
    /// Of each change, where all were handed to the file.
    std::vector<Result<void>> results{};
    std::vector<std::vector<Done>> dones{};
};

void SqliteStore::write(RecordChange change, Done done) {
    std::optional<Error> late;
    {
        const std::scoped_lock lock(mutex_);
        // A write that is under way is stuck: this one is not tried before that has ended.
        late = draining_ ? late_ : std::nullopt;
        (void)queue_->push(std::move(change), late ? Done{} : std::move(done), clock_.now());
        if (!late && std::exchange(draining_, true)) {
            return;
        }
    }
    if (late) {
        done(*late);
        return;
    }
    try {
        executor_.post([self = shared_from_this()] { self->drain(std::nullopt); });
    } catch (...) {
        // It is kept; whoever waits for it is told that it is late.
        log_caught("storage", "writing operations");
        const std::scoped_lock lock(mutex_);
        draining_ = false;
        drained_.notify_all();
    }
}

void SqliteStore::drain(std::optional<std::chrono::milliseconds> patience) {
    std::unique_lock lock(mutex_);
    bool whole = false;
    survive("storage", "writing operations", [&] { whole = write_waiting(lock, patience); });
    if (!lock.owns_lock()) {
        lock.lock();
    }
    // Whatever came in the way: who waits is told of it in time, and the next one writes what this one has not.
    queue_->put_back();
    draining_ = false;
    drained_.notify_all();
    const bool due = ended_since_ >= house_every || clock_.now() - kept_house_ >= house_after;
    lock.unlock();
    if (whole && due) {
        keep_house();
    }
}

bool SqliteStore::write_waiting(std::unique_lock<std::mutex>& lock, std::optional<std::chrono::milliseconds> patience) {
    while (!queue_->empty()) {
        Flight flight{.changes = queue_->take_off(most_steps)};
        // Once it is written nothing may fail before those who wait are known.
        flight.results.reserve(flight.changes.size());
        flight.dones.reserve(flight.changes.size());
        const auto wait = patience.value_or(late_ ? kept_wait : longest_wait);
        lock.unlock();
        write_flight(flight, wait);
        lock.lock();
        const bool written = flight.written.has_value();
        land(flight);
        lock.unlock();
        for (std::size_t i = 0; i < flight.dones.size(); ++i) {
            for (const Done& done : flight.dones[i]) {
                survive("storage", "telling that an operation is written",
                        [&] { done(flight.written ? flight.results[i] : flight.written); });
            }
        }
        lock.lock();
        if (!written) {
            return false;
        }
    }
    return true;
}

void SqliteStore::land(Flight& flight) {
    if (!flight.written) {
        flight.written = late_.emplace(kept_until(flight.written.error()));
        flight.dones.push_back(queue_->keep());
        return;
    }
    late_.reset();
    for (std::size_t i = 0; i < flight.changes.size(); ++i) {
        const OperationRecord& record = flight.changes[i].change->record;
        ended_since_ += is_terminal(record.status) ? 1 : 0;
        if (!flight.results[i] && flight.changes[i].dones->empty()) {
            // Whoever handed it in was told that it is late, and has gone on.
            survive("storage", "leaving out a change that cannot be written", [&] {
                queue_->lose(record.id);
                log(LogLevel::warning, "storage",
                    fmt::format("a change that was kept cannot be written: {}", flight.results[i].error().message),
                    record.id);
            });
        }
    }
    queue_->land(flight.dones);
}

void SqliteStore::write_flight(Flight& flight, std::chrono::milliseconds patience) {
    const bool synced = std::any_of(flight.changes.begin(), flight.changes.end(), [](const WriteQueue::Flying& flying) {
        return durability_of(*flying.change) == Durability::synced;
    });
    flight.written = database_->write(
        writing,
        [&](SQLite::Database& connection) -> Result<void> {
            if (const auto entered = enter_owner(connection); !entered) {
                return entered;
            }
            // A statement that has failed says so again at its next reset.
            if (!std::exchange(writer_is_clean_, false)) {
                writer_ = std::make_unique<StepWriter>(connection, owner_, database_->file());
            }
            for (const WriteQueue::Flying& flying : flight.changes) {
                flight.results.push_back(writer_->write(*flying.change, flying.complete));
            }
            return {};
        },
        synced ? Durability::synced : Durability::relaxed, patience);
    writer_is_clean_ = flight.written.has_value();
}

bool SqliteStore::write_kept(std::chrono::milliseconds patience) {
    const bool asked = write_requests(patience);
    {
        const std::scoped_lock lock(mutex_);
        if (queue_->empty() || std::exchange(draining_, true)) {
            return asked || !queue_->empty();
        }
    }
    drain(patience);
    const std::scoped_lock lock(mutex_);
    // For a file that was taken away nobody need hold the store: should it come back, the next change writes all.
    return (asked || !queue_->empty()) && database_->in_place();
}

void SqliteStore::answer_late() {
    std::vector<Done> dones;
    std::optional<Error> late;
    {
        const std::scoped_lock lock(mutex_);
        dones = queue_->take_overdue(clock_.now() - longest_wait);
        if (dones.empty()) {
            return;
        }
        if (!late_) {
            late_ = kept_until(fail(Errc::storage,
                                    fmt::format("cannot {} in {}: the disk has not answered for {} ms", writing,
                                                database_->file().string(), longest_wait.count()),
                                    {{"file", database_->file().string()}}));
        }
        late = late_;
    }
    for (const Done& done : dones) {
        done(*late);
    }
}

bool SqliteStore::lacks(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    return queue_->lacks(id);
}

std::vector<RecordChange> SqliteStore::kept(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    std::vector<RecordChange> changes;
    for (const RecordChange* const change : queue_->kept()) {
        if (id.empty() || change->record.id == id) {
            changes.push_back(*change);
            changes.back().record.durable = false;
        }
    }
    return changes;
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

Result<OperationRecord> SqliteStore::claim(const std::string& id) {
    OperationRecord record;
    const auto done = database_->write(
        fmt::format("resume operation {}", id),
        [&](SQLite::Database& connection) -> Result<void> {
            SQLite::Statement row(connection, fmt::format("SELECT {} FROM operation WHERE id = ?", record_columns));
            row.bind(1, id);
            if (!row.executeStep()) {
                return fail(Errc::not_found, fmt::format("operation {} cannot be resumed: it is not stored here", id),
                            {{"operation_id", id}});
            }
            record = read_record(row, database_->file());
            if (!record.damage.empty()) {
                return fail(Errc::storage, record.warnings.back(), {{"operation_id", id}});
            }
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
        },
        Durability::synced, longest_wait);
    return done ? Result<OperationRecord>(std::move(record)) : Result<OperationRecord>(done.error());
}

}  // namespace ktrdr
