// What is read from the file's operations: one by its id, pages of a list, events after a number.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <map>
#include <string_view>

#include <ktrdr/base/log.hpp>
#include <ktrdr/storage/sqlite_store.hpp>

#include "operation_keys.hpp"
#include "operation_rows.hpp"
#include "owner_lock.hpp"

namespace ktrdr {
namespace {

constexpr std::string_view reading = "read operations";
constexpr std::string_view active = "status IN ('pending', 'running', 'cancelling', 'resuming')";

/// A look does not wait for a lock of others; the next one comes soon.
constexpr std::chrono::milliseconds short_wait{20};

/// What is kept in memory of the operations on a page, in the place of what the file says of them.
void show_kept(OperationPage& page, const std::vector<RecordChange>& kept, const OperationQuery& query) {
    std::map<std::string_view, const OperationRecord*> newest;
    for (const RecordChange& change : kept) {
        newest.insert_or_assign(change.record.id, &change.record);
        if (change.first) {
            page.total += matches(query, change.record) ? 1 : 0;
            page.active += is_active(change.record.status) ? 1 : 0;
        }
    }
    std::erase_if(page.records, [&newest](const OperationRecord& record) { return newest.contains(record.id); });
    for (const auto& [id, record] : newest) {
        if (matches(query, *record)) {
            page.records.push_back(*record);
        }
    }
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
    if (auto newer = kept(id); !newer.empty()) {
        return std::optional(std::move(newer.back().record));
    }
    auto done = database_->read(reading, look);
    if (done && found && is_active(found->status) && found->owner != owner_ && recover_quickly() > 0) {
        done = database_->read(reading, look);
    }
    return done ? Result<std::optional<OperationRecord>>(std::move(found))
                : Result<std::optional<OperationRecord>>(done.error());
}

Result<OperationPage> SqliteStore::list(const OperationQuery& query) {
    if (const auto checked = check(query); !checked) {
        return checked.error();
    }
    (void)recover_quickly();
    const auto newer = kept();
    // The places of what is kept are known when both are merged.
    OperationQuery stored = query;
    if (!newer.empty()) {
        stored.limit += query.offset;
        stored.offset = 0;
    }
    OperationPage page;
    const auto done = database_->read(reading, [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement row(connection, fmt::format("SELECT {} FROM operation WHERE rowid = ?", record_columns));
        const auto keys = newest(connection, stored);
        for (std::size_t i = stored.offset; i < keys.size(); ++i) {
            row.reset();
            row.bind(1, keys[i].row);
            if (row.executeStep()) {
                page.records.push_back(read_record(row));
            }
        }
        page.total = count_of(connection, query);
        page.active = count_of(connection, {.active_only = true});
        return {};
    });
    if (!done) {
        return done.error();
    }
    show_kept(page, newer, query);
    OperationQuery cut = query;
    cut.offset = newer.empty() ? 0 : query.offset;
    cut_page(cut, page);
    return page;
}

Result<std::vector<OperationEvent>> SqliteStore::events(const std::string& id, const EventQuery& query) {
    if (const auto checked = check(query); !checked) {
        return checked.error();
    }
    std::vector<OperationEvent> events;
    // Looked at first: what is written in between is then in the file too.
    auto newer = kept(id);
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
    if (!done) {
        return done.error();
    }
    std::uint64_t last = events.empty() ? query.after : events.back().seq;
    for (RecordChange& change : newer) {
        for (OperationEvent& event : change.events) {
            if (event.seq > last && events.size() < query.limit && (!query.kind || *query.kind == event.kind)) {
                last = event.seq;
                events.push_back(std::move(event));
            }
        }
    }
    return events;
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
    return recover(longest_wait);
}

std::size_t SqliteStore::recover_quickly() {
    const auto recovered = recover(short_wait);
    if (!recovered) {
        log(LogLevel::debug, "storage",
            fmt::format("what dead processes were running is marked later: {}", recovered.error().message));
    }
    return recovered ? *recovered : 0;
}

Result<std::size_t> SqliteStore::recover(std::chrono::milliseconds patience) {
    std::vector<std::string> others;
    const auto done = database_->read(reading, [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement rows(connection, fmt::format("SELECT id FROM owner WHERE id <> ?1 UNION "
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
            const auto interrupted = interrupt(other, patience);
            if (!interrupted) {
                return interrupted;
            }
            recovered += *interrupted;
        }
    }
    return recovered;
}

Result<std::size_t> SqliteStore::interrupt(const std::string& dead, std::chrono::milliseconds patience) {
    std::size_t count = 0;
    const auto done = database_->write(
        "mark what a dead process was running",
        [&](SQLite::Database& connection) -> Result<void> {
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
        },
        Durability::synced, patience);
    if (!done) {
        return done.error();
    }
    if (count > 0) {
        log(LogLevel::info, "storage", fmt::format("operations of a process that has died are interrupted: {}", count));
    }
    return count;
}

}  // namespace ktrdr
