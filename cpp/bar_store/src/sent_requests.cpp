#include <ktrdr/bar_store/sent_requests.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

namespace ktrdr {
namespace {

constexpr std::size_t longest_paced_text = 4096;

constexpr std::array<std::string_view, 1> sent_request_migrations{R"sql(
-- Requests for small bars, as long as they count. Times in nanoseconds since the start of the machine that boot names;
-- arrived: unset until the answer is there.
CREATE TABLE sent_request(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    request TEXT NOT NULL,
    series TEXT NOT NULL,
    weight INTEGER NOT NULL,
    boot TEXT NOT NULL,
    sent INTEGER NOT NULL,
    arrived INTEGER
) STRICT;
CREATE INDEX sent_request_of ON sent_request(account);
)sql"};

/// What a request counts as having arrived at, at the latest: SQL over a row, with `:boot`, `:now` and `:within`.
/// Of an earlier start of the machine it had arrived when this one began.
constexpr std::string_view arrival =
    "CASE WHEN boot <> :boot THEN 0 ELSE coalesce(arrived, min(:now, sent + :within)) END";

}  // namespace

Result<PacingClock> PacingClock::of_machine(double speed) {
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    if (boot.empty()) {
        return fail(Errc::configuration,
                    "cannot read which start of the machine this is from /proc/sys/kernel/random/boot_id: requests of "
                    "other processes cannot be counted without it");
    }
    const auto now = [speed] {
        timespec time{};
        ::clock_gettime(CLOCK_BOOTTIME, &time);
        const auto real = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
        return std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(real.count()) * speed));
    };
    return PacingClock{.boot = std::move(boot), .now = now, .speed = speed};
}

Schema SentRequests::schema() noexcept {
    return {"sent_requests", sent_request_migrations};
}

SentRequests::SentRequests(std::shared_ptr<Database> database, std::string account, PacingClock clock,
                           PacingRules rules)
    : database_(std::move(database)), account_(std::move(account)), clock_(std::move(clock)), rules_(rules) {}

std::chrono::nanoseconds SentRequests::longer(std::chrono::nanoseconds time) const {
    return time +
           std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(time.count()) * rules_.margin));
}

void SentRequests::bind_times(SQLite::Statement& row, std::chrono::nanoseconds now) const {
    row.bind(":boot", clock_.boot);
    row.bind(":now", std::int64_t{now.count()});
    row.bind(":within", std::int64_t{rules_.arrives_within.count()});
}

void SentRequests::forget_old(SQLite::Database& connection, std::chrono::nanoseconds now) const {
    const auto longest = std::max({longer(rules_.window), longer(rules_.same_again), longer(rules_.burst_within)});
    SQLite::Statement row(connection, fmt::format("DELETE FROM sent_request WHERE {} <= :since", arrival));
    bind_times(row, now);
    row.bind(":since", std::int64_t{(now - longest).count()});
    row.exec();
}

SentRequests::Allowed SentRequests::allowed(SQLite::Database& connection, const Request& request,
                                            std::chrono::nanoseconds now) const {
    SQLite::Statement row(connection, fmt::format("SELECT request, series, weight, {} AS at, arrived IS NULL AND boot "
                                                  "= :boot AND sent + :within > :now FROM sent_request WHERE account = "
                                                  ":account ORDER BY at DESC",
                                                  arrival));
    bind_times(row, now);
    row.bind(":account", account_);
    Allowed found{.from = now, .for_all = now};
    std::size_t of_series = 0;
    std::size_t open = 0;
    int weights = request.weight;
    while (row.executeStep()) {
        const std::chrono::nanoseconds sent(row.getColumn(3).getInt64());
        if (row.getColumn(0).getString() == request.request) {
            found.from = std::max(found.from, sent + longer(rules_.same_again));
        }
        if (row.getColumn(1).getString() == request.series && ++of_series == rules_.burst - 1) {
            found.from = std::max(found.from, sent + longer(rules_.burst_within));
        }
        open += row.getColumn(4).getInt() != 0 ? 1 : 0;
        const bool fits = weights <= rules_.most;
        weights += row.getColumn(2).getInt();
        if (fits && weights > rules_.most) {
            // The newest that must have left the window; older ones have left by then, too.
            found.for_all = sent + longer(rules_.window);
        }
    }
    if (open >= rules_.most_open) {
        found.for_all = std::max(found.for_all, now + rules_.open_again);
    }
    found.from = std::max(found.from, found.for_all);
    return found;
}

Result<SentRequests::Turn> SentRequests::enter(const Request& request) {
    if (std::max({account_.size(), request.request.size(), request.series.size()}) > longest_paced_text ||
        request.weight < 1 || request.weight > rules_.most) {
        return fail(Errc::invalid_argument,
                    fmt::format("a request to be paced has texts of at most {} bytes and a weight of 1 to {}, not {}",
                                longest_paced_text, rules_.most, request.weight));
    }
    Turn turn;
    const auto work = [&](SQLite::Database& connection) -> Result<void> {
        // By the clock as it is once no other process writes.
        const auto now = clock_.now();
        forget_old(connection, now);
        if (const Allowed next = allowed(connection, request, now); next.from > now) {
            const auto wait = static_cast<double>((next.from - now).count()) / clock_.speed;
            turn.wait = std::chrono::nanoseconds(static_cast<std::int64_t>(wait) + 1);
            turn.for_all = next.for_all > now;
            return {};
        }
        SQLite::Statement row(connection,
                              "INSERT INTO sent_request(account, request, series, weight, boot, sent) VALUES (?, ?, ?, "
                              "?, ?, ?)");
        row.bind(1, account_);
        row.bind(2, request.request);
        row.bind(3, request.series);
        row.bind(4, request.weight);
        row.bind(5, clock_.boot);
        row.bind(6, std::int64_t{now.count()});
        row.exec();
        turn.ticket = connection.getLastInsertRowid();
        return {};
    };
    const auto done = database_->write("note a request to the provider", work);
    return done ? Result<Turn>(turn) : Result<Turn>(done.error());
}

Result<void> SentRequests::arrived(std::int64_t ticket) {
    return database_->write(
        "note that a request has reached the provider",
        [&](SQLite::Database& connection) -> Result<void> {
            SQLite::Statement row(connection, "UPDATE sent_request SET arrived = ? WHERE id = ? AND boot = ?");
            row.bind(1, std::int64_t{clock_.now().count()});
            row.bind(2, ticket);
            row.bind(3, clock_.boot);
            row.exec();
            return {};
        },
        // Lost with a power cut it counts for longer.
        Durability::relaxed);
}

Result<void> SentRequests::not_sent(std::int64_t ticket) {
    return database_->write(
        "note that a request was not made",
        [&](SQLite::Database& connection) -> Result<void> {
            SQLite::Statement row(connection, "DELETE FROM sent_request WHERE id = ?");
            row.bind(1, ticket);
            row.exec();
            return {};
        },
        Durability::relaxed);
}

}  // namespace ktrdr
