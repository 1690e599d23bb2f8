// What is read from the file's operations: one by its id, pages of a list, events after a number.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <ktrdr/base/log.hpp>
#include <ktrdr/storage/sqlite_store.hpp>

#include "operation_rows.hpp"
#include "owner_lock.hpp"

namespace ktrdr {
namespace {

constexpr std::string_view reading = "read operations";
constexpr std::string_view active = "status IN ('pending', 'running', 'cancelling', 'resuming')";

std::string conditions(const OperationQuery& query) {
    std::string sql =
        "(?1 = '' OR instr(?1, ',' || status || ',') > 0) AND (?2 = '' OR type = ?2) AND (?3 = '' OR parent_id = ?3)";
    if (query.active_only) {
        sql += fmt::format(" AND {}", active);
    }
    return sql;
}

void bind_conditions(SQLite::Statement& row, const OperationQuery& query) {
    std::string statuses;
    for (const auto status : query.statuses) {
        statuses += fmt::format("{}{},", statuses.empty() ? "," : "", to_string(status));
    }
    row.bind(1, statuses);
    row.bind(2, query.type);
    row.bind(3, query.parent_id);
}

std::size_t count(SQLite::Statement& row) {
    row.executeStep();
    return static_cast<std::size_t>(row.getColumn(0).getInt64());
}

}  // namespace

Result<std::optional<OperationRecord>> SqliteStore::find(const std::string& id) {
    std::optional<OperationRecord> found;
    const auto look = [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement row(connection, fmt::format("SELECT {} FROM operation WHERE id = ?", record_columns));
        row.bind(1, id);
        if (row.executeStep()) {
            found = read_record(row);
        }
        return {};
    };
    auto done = database_->read(reading, look);
    if (done && found && is_active(found->status) && found->owner != owner_) {
        const auto recovered = recover();
        if (!recovered) {
            return recovered.error();
        }
        done = *recovered > 0 ? database_->read(reading, look) : done;
    }
    return done ? Result<std::optional<OperationRecord>>(std::move(found))
                : Result<std::optional<OperationRecord>>(done.error());
}

Result<OperationPage> SqliteStore::list(const OperationQuery& query) {
    if (const auto checked = check(query); !checked) {
        return checked.error();
    }
    if (const auto recovered = recover(); !recovered) {
        return recovered.error();
    }
    OperationPage page;
    const auto done = database_->read(reading, [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement rows(connection,
                               fmt::format("SELECT {} FROM operation WHERE {} ORDER BY created DESC, id DESC "
                                           "LIMIT ?4 OFFSET ?5",
                                           record_columns, conditions(query)));
        bind_conditions(rows, query);
        rows.bind(4, static_cast<std::int64_t>(query.limit));
        rows.bind(5, static_cast<std::int64_t>(query.offset));
        while (rows.executeStep()) {
            page.records.push_back(read_record(rows));
        }
        SQLite::Statement total(connection, fmt::format("SELECT count(*) FROM operation WHERE {}", conditions(query)));
        bind_conditions(total, query);
        page.total = count(total);
        SQLite::Statement running(connection, fmt::format("SELECT count(*) FROM operation WHERE {}", active));
        page.active = count(running);
        return {};
    });
    return done ? Result<OperationPage>(std::move(page)) : Result<OperationPage>(done.error());
}

Result<std::vector<OperationEvent>> SqliteStore::events(const std::string& id, const EventQuery& query) {
    if (const auto checked = check(query); !checked) {
        return checked.error();
    }
    std::vector<OperationEvent> events;
    const auto done = database_->read(reading, [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement rows(connection,
                               "SELECT seq, time, kind, data FROM event WHERE operation = ?1 AND seq > ?2 "
                               "AND (?3 IS NULL OR kind = ?3) ORDER BY seq LIMIT ?4");
        rows.bind(1, id);
        rows.bind(2, static_cast<std::int64_t>(query.after));
        if (query.kind) {
            rows.bind(3, std::string(to_string(*query.kind)));
        }
        rows.bind(4, static_cast<std::int64_t>(query.limit));
        while (rows.executeStep()) {
            auto event = read_event(rows, id, database_->file());
            if (!event) {
                return event.error();
            }
            events.push_back(*std::move(event));
        }
        return {};
    });
    return done ? Result<std::vector<OperationEvent>>(std::move(events))
                : Result<std::vector<OperationEvent>>(done.error());
}

Result<std::vector<CancelRequest>> SqliteStore::take_cancel_requests() {
    std::vector<CancelRequest> requests;
    const auto done = database_->read(reading, [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement rows(connection,
                               "SELECT id, asked FROM operation WHERE owner = ? AND asked IS NOT NULL "
                               "AND status IN ('pending', 'running', 'resuming')");
        rows.bind(1, owner_);
        while (rows.executeStep()) {
            requests.push_back({rows.getColumn(0).getString(), reason_from(rows.getColumn(1).getString())});
        }
        return {};
    });
    if (!done) {
        return done.error();
    }
    const std::scoped_lock lock(mutex_);
    std::erase_if(requests, [this](const CancelRequest& request) { return !taken_.insert(request.id).second; });
    return requests;
}

Result<std::size_t> SqliteStore::recover() {
    std::vector<std::string> others;
    const auto done = database_->read(reading, [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement rows(connection,
                               fmt::format("SELECT id FROM owner WHERE id <> ?1 UNION "
                                           "SELECT owner FROM operation WHERE owner <> ?1 AND {}",
                                           active));
        rows.bind(1, owner_);
        while (rows.executeStep()) {
            others.push_back(rows.getColumn(0).getString());
        }
        return {};
    });
    if (!done) {
        return done.error();
    }
    std::size_t recovered = 0;
    for (const std::string& other : others) {
        if (!owner_lives(*database_->held(), other)) {
            const auto interrupted = interrupt(other);
            if (!interrupted) {
                return interrupted;
            }
            recovered += *interrupted;
        }
    }
    return recovered;
}

Result<std::size_t> SqliteStore::interrupt(const std::string& dead) {
    std::size_t count = 0;
    const auto done =
        database_->write("mark what a dead process was running", [&](SQLite::Database& connection) -> Result<void> {
            SQLite::Statement event(
                connection, fmt::format("INSERT INTO event SELECT id, last_seq + 1, ?2, 'state', "
                                        "'{{\"status\":\"interrupted\"}}' FROM operation WHERE owner = ?1 AND {}",
                                        active));
            event.bind(1, dead);
            event.bind(2, clock_.utc_now().time_since_epoch().count());
            event.exec();
            SQLite::Statement update(connection,
                                     fmt::format("UPDATE operation SET status = 'interrupted', last_seq = last_seq + 1 "
                                                 "WHERE owner = ? AND {}",
                                                 active));
            update.bind(1, dead);
            count = static_cast<std::size_t>(update.exec());
            SQLite::Statement owner(connection, "DELETE FROM owner WHERE id = ?");
            owner.bind(1, dead);
            owner.exec();
            return {};
        });
    if (!done) {
        return done.error();
    }
    if (count > 0) {
        log(LogLevel::info, "storage", fmt::format("operations of a process that has died are interrupted: {}", count));
    }
    return count;
}

}  // namespace ktrdr
