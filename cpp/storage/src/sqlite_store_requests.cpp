// What is asked of the file by those who do not run the operation: a cancel, a retention. What cannot be written now is
// kept, and written when that is possible.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

#include <ktrdr/base/json.hpp>
#include <ktrdr/base/log.hpp>
#include <ktrdr/storage/sqlite_store.hpp>

#include "operation_rows.hpp"
#include "requests.hpp"

namespace ktrdr {
namespace {

/// It can be written when others have gone, or made room.
bool will_pass(const Error& error) {
    const auto* const code = error.context.if_contains("sqlite_code");
    const std::int64_t primary = code != nullptr && code->is_int64() ? code->get_int64() & 0xff : 0;
    return error.code == Errc::storage_full || primary == SQLITE_BUSY || primary == SQLITE_LOCKED;
}

constexpr std::string_view can_be_asked = "id = ? AND asked IS NULL AND status IN ('pending', 'running', 'resuming')";

bool ask(SQLite::Database& connection, const std::string& id, const CancelReason& reason) {
    SQLite::Statement row(connection, fmt::format("UPDATE operation SET asked = ? WHERE {}", can_be_asked));
    row.bind(1, reason_text(reason));
    row.bind(2, id);
    return row.exec() > 0;
}

void put(SQLite::Database& connection, const Retention& retention) {
    SQLite::Statement row(connection, "INSERT OR REPLACE INTO operation_retention VALUES (1, ?, ?, ?)");
    row.bind(1, as_number(retention.max_count));
    row.bind(2, static_cast<std::int64_t>(retention.max_age.count()));
    row.bind(3, as_number(retention.max_bytes));
    row.exec();
}

}  // namespace

std::chrono::milliseconds SqliteStore::patience_of_request() const {
    const std::scoped_lock lock(mutex_);
    return late_ || requests_->size() > 0 ? kept_wait : longest_wait;
}

Result<bool> SqliteStore::request_cancel(const std::string& id, const CancelReason& reason) {
    {
        const std::scoped_lock lock(mutex_);
        if (requests_->cancels.contains(id)) {
            return false;
        }
    }
    bool asked = false;
    const auto done = database_->write(
        "ask for a cancel",
        [&](SQLite::Database& connection) -> Result<void> {
            asked = ask(connection, id, reason);
            return {};
        },
        Durability::relaxed, patience_of_request());
    if (done) {
        return asked;
    }
    return will_pass(done.error()) ? keep_cancel(id, reason, done.error()) : Result<bool>(done.error());
}

Result<bool> SqliteStore::keep_cancel(const std::string& id, const CancelReason& reason, const Error& why) {
    bool found = false;
    const auto looked = database_->read("look for an operation", [&](SQLite::Database& connection) -> Result<void> {
        SQLite::Statement row(connection, fmt::format("SELECT 1 FROM operation WHERE {}", can_be_asked));
        row.bind(1, id);
        found = row.executeStep();
        return {};
    });
    if (!looked) {
        return why;
    }
    {
        const std::scoped_lock lock(mutex_);
        if (!found || requests_->cancels.contains(id)) {
            return false;
        }
        if (requests_->cancels.size() >= Requests::most_cancels) {
            return why;
        }
        requests_->cancels.emplace(id, reason);
    }
    log(LogLevel::warning, "storage",
        fmt::format("the cancel of {} is asked for when that can be written: {}", id, why.message), id);
    return true;
}

Result<void> SqliteStore::set_retention(const Retention& retention) {
    if (const auto checked = check(retention); !checked) {
        return checked;
    }
    const auto patience = patience_of_request();
    const auto newest = std::make_shared<const Retention>(retention);
    {
        // From here on nobody writes an older one behind it.
        const std::scoped_lock lock(mutex_);
        requests_->retention = newest;
    }
    const auto done = database_->write(
        "set the retention",
        [&](SQLite::Database& connection) -> Result<void> {
            put(connection, retention);
            return {};
        },
        Durability::synced, patience);
    if (!done && will_pass(done.error())) {
        log(LogLevel::warning, "storage",
            fmt::format("the retention holds when it can be written: {}", done.error().message));
        return {};
    }
    {
        const std::scoped_lock lock(mutex_);
        if (requests_->retention == newest) {
            requests_->retention.reset();
        }
    }
    if (done) {
        keep_house();
    }
    return done;
}

bool SqliteStore::write_requests(std::chrono::milliseconds patience) {
    {
        const std::scoped_lock lock(mutex_);
        if (requests_->size() == 0) {
            return false;
        }
    }
    Requests kept;
    const auto done = database_->write(
        "write what was asked for",
        [&](SQLite::Database& connection) -> Result<void> {
            {
                // Whoever asks for another retention writes it before this or after it, not in between.
                const std::scoped_lock lock(mutex_);
                kept = *requests_;
            }
            for (const auto& [id, reason] : kept.cancels) {
                (void)ask(connection, id, reason);
            }
            if (kept.retention) {
                put(connection, *kept.retention);
            }
            return {};
        },
        Durability::synced, patience);
    if (!done) {
        return true;
    }
    bool left = false;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [id, reason] : kept.cancels) {
            requests_->cancels.erase(id);
        }
        if (requests_->retention == kept.retention) {
            requests_->retention.reset();
        }
        left = requests_->size() > 0;
    }
    if (kept.retention) {
        keep_house();
    }
    return left;
}

}  // namespace ktrdr
