// What is forgotten and when: by age, by number of a type, by the size of all; a little at a time, so that nobody
// waits.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/log.hpp>
#include <ktrdr/storage/sqlite_store.hpp>

#include "operation_keys.hpp"
#include "operation_rows.hpp"
#include "write_queue.hpp"

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

/// So long a transaction forgets, and so long it waits until the next.
constexpr auto slice = 4ms;
constexpr std::size_t most_keys = 64;
/// Events of one operation that go at once.
constexpr std::int64_t most_events = 500;
/// Pages that are given back at once.
constexpr std::size_t most_pages = 64;
constexpr std::size_t newest_that_stay = 10;

/// One transaction of forgetting. What it has begun with one operation the next one goes on with.
class Slice final {
public:
    Slice(SQLite::Database& connection, const Retention& retention, const std::string& type)
        : connection_(connection),
          retention_(retention),
          type_(type),
          events_(connection,
                  "DELETE FROM event WHERE operation = ?1 AND seq <= coalesce((SELECT seq FROM event WHERE "
                  "operation = ?1 ORDER BY seq LIMIT 1 OFFSET ?2), 9223372036854775807)"),
          operation_(connection, "DELETE FROM operation WHERE id = ?") {}

    /// How many are forgotten; `more()` says whether the time was up before all were.
    std::size_t forget(UtcTime oldest) {
        forget_all([&] { return older_than(connection_, type_, oldest, most_keys); });
        for (const TypeCount& type : ended_by_type(connection_, type_)) {
            std::size_t surplus = type.number - std::min(type.number, retention_.max_count);
            forget_all([&] {
                auto keys = oldest_ended(connection_, type.type, std::min(surplus, most_keys));
                surplus -= keys.size();
                return keys;
            });
        }
        if (type_.empty()) {
            forget_all([&] { return too_large(); });
        }
        return forgotten_;
    }
    [[nodiscard]] bool more() const { return more_; }

private:
    [[nodiscard]] bool time_is_up() const { return std::chrono::steady_clock::now() - begun_ >= slice; }

    template <class Next>
    void forget_all(const Next& next) {
        for (auto keys = more_ ? std::vector<OperationKey>{} : next(); !keys.empty(); keys = next()) {
            for (const OperationKey& key : keys) {
                if (!forget_one(key.id)) {
                    more_ = true;
                    return;
                }
            }
        }
    }

    /// One at a time: what it takes is known when it is gone.
    std::vector<OperationKey> too_large() {
        const auto bytes = connection_.execAndGet("SELECT bytes FROM operation_size").getInt64();
        const std::int64_t most = as_number(retention_.max_bytes);
        if (bytes <= most || count_of(connection_, {}) <= newest_that_stay) {
            return {};
        }
        return oldest_ended(connection_, "", 1);
    }

    /// False when the time was up before it was gone. At least some of it goes, so that there is an end.
    bool forget_one(const std::string& id) {
        if (worked_ && time_is_up()) {
            return false;
        }
        for (int gone = 1; gone > 0; worked_ = true) {
            if (worked_ && time_is_up()) {
                return false;
            }
            events_.reset();
            events_.bind(1, id);
            events_.bind(2, most_events - 1);
            gone = events_.exec();
        }
        operation_.reset();
        operation_.bind(1, id);
        forgotten_ += static_cast<std::size_t>(operation_.exec());
        return true;
    }

    SQLite::Database& connection_;
    const Retention& retention_;
    const std::string& type_;
    const std::chrono::steady_clock::time_point begun_{std::chrono::steady_clock::now()};
    SQLite::Statement events_;
    SQLite::Statement operation_;
    std::size_t forgotten_{0};
    bool worked_{false};
    bool more_{false};
};

Retention retention_of(SQLite::Database& connection) {
    Retention retention;
    SQLite::Statement row(connection, "SELECT max_count, max_age_hours, max_bytes FROM operation_retention");
    if (row.executeStep()) {
        const Retention found{static_cast<std::size_t>(row.getColumn(0).getInt64()),
                              std::chrono::hours(row.getColumn(1).getInt64()),
                              static_cast<std::size_t>(row.getColumn(2).getInt64())};
        retention = check(found) ? found : retention;
    }
    return retention;
}

/// A time before which nothing is kept, whatever the age that is asked for.
UtcTime before(UtcTime now, std::chrono::hours age) {
    constexpr std::chrono::hours longest{24 * 365 * 100};
    return now - std::min(age, longest);
}

}  // namespace

Result<bool> SqliteStore::forget_some(std::optional<Retention> retention, const std::string& type,
                                      std::size_t& forgotten) {
    const UtcTime utc_now = clock_.utc_now();
    std::size_t now = 0;
    bool more = false;
    const auto done = database_->write(
        "forget old operations",
        [&](SQLite::Database& connection) -> Result<void> {
            const Retention kept = retention ? *retention : retention_of(connection);
            Slice work(connection, kept, type);
            now = work.forget(before(utc_now, kept.max_age));
            more = work.more();
            return {};
        },
        Durability::relaxed, longest_wait);
    if (!done) {
        return done.error();
    }
    forgotten += now;
    return more;
}

Result<std::size_t> SqliteStore::forget(const Retention& retention, const std::string& type) {
    if (const auto checked = check(retention); !checked) {
        return checked.error();
    }
    std::size_t forgotten = 0;
    for (bool more = true; more;) {
        const auto some = forget_some(retention, type, forgotten);
        if (!some) {
            return some.error();
        }
        more = *some;
        // Others write meanwhile, of this process and of others.
        std::this_thread::sleep_for(more ? slice : 0ms);
    }
    // Space that cannot be given back now is used for what is written next.
    for (auto more = database_->give_back(most_pages); more && *more; more = database_->give_back(most_pages)) {
        std::this_thread::sleep_for(slice);
    }
    (void)database_->empty_log();
    return forgotten;
}

template <class Step>
void SqliteStore::house_step(Step step) {
    bool goes_on = false;
    survive("storage", "forgetting old operations", [&] { goes_on = step(); });
    if (!goes_on) {
        const std::scoped_lock lock(mutex_);
        keeping_house_ = false;
    }
}

void SqliteStore::keep_house() {
    {
        const std::scoped_lock lock(mutex_);
        kept_house_ = clock_.now();
        ended_since_ = 0;
        if (std::exchange(keeping_house_, true)) {
            return;
        }
    }
    house_step([this] {
        house_on(&SqliteStore::forget_on_executor);
        return true;
    });
}

void SqliteStore::house_on(void (SqliteStore::*next)()) {
    executor_.post([weak = weak_from_this(), next] {
        if (const auto self = weak.lock()) {
            (self.get()->*next)();
        }
    });
}

// One slice, behind which what waits on the executor comes first.
void SqliteStore::forget_on_executor() {
    house_step([this] {
        std::size_t forgotten = 0;
        const auto more = forget_some(std::nullopt, "", forgotten);
        if (!more) {
            log(LogLevel::debug, "storage",
                fmt::format("old operations are forgotten later: {}", more.error().message));
        }
        const bool again = more && *more;
        // Other processes get the lock meanwhile.
        std::this_thread::sleep_for(again ? slice : 0ms);
        house_on(again ? &SqliteStore::forget_on_executor : &SqliteStore::give_back_on_executor);
        return true;
    });
}

void SqliteStore::give_back_on_executor() {
    house_step([this] {
        const auto more = database_->give_back(most_pages);
        if (more && *more) {
            std::this_thread::sleep_for(slice);
            house_on(&SqliteStore::give_back_on_executor);
            return true;
        }
        (void)database_->empty_log();
        return false;
    });
}

}  // namespace ktrdr
