// Reading all of a file to see what of it is damaged, and writing it anew without what nobody needs.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <functional>
#include <system_error>

#include <ktrdr/market/time_text.hpp>

#include "blocks.hpp"
#include "chunk.hpp"
#include "columns.hpp"
#include "series_rows.hpp"
#include "versions.hpp"

namespace ktrdr {
namespace {

constexpr std::size_t most_damage = 1000;

/// No market that is known is closed for longer, so where the ledger has bars for longer some are stored.
constexpr std::chrono::days longest_closed{14};

/// Ends the look at one row.
struct RowDamaged {
    std::string how;
};

class BarVerifier final {
public:
    BarVerifier(SQLite::Database& connection, const BarStore::OnChunks& on_chunks)
        : connection_(connection), on_chunks_(on_chunks) {}

    BarCheck all() {
        step("the file", [this] { check_file(); });
        step("the list of chunks", [this] {
            total_ = static_cast<std::size_t>(
                connection_.execAndGet("SELECT (SELECT count(*) FROM block) + (SELECT count(*) FROM chunk)")
                    .getInt64());
        });
        std::vector<std::pair<std::int64_t, SeriesKey>> series;
        step("the list of series", [&] { series = all_series(); });
        for (const auto& [id, key] : series) {
            ++check_.series;
            series_ = id;
            key_ = key;
            stamps_.clear();
            unread_.clear();
            step("its chunks", [this] { check_chunks(); });
            step("its ledger", [this] { check_ledger(); });
            step("its earlier versions", [this] { check_versions(); });
        }
        return std::move(check_);
    }

private:
    void add(std::string chunk, std::string what) {
        if (check_.damage.size() < most_damage) {
            check_.damage.push_back({key_, std::move(chunk), std::move(what)});
        }
    }

    /// A page that cannot be read ends one step, and leaves the others their chance.
    void step(std::string_view what, const std::function<void()>& check) {
        try {
            check();
        } catch (const SQLite::Exception& error) {
            if (error.getErrorCode() == SQLITE_INTERRUPT) {
                throw;
            }
            unread_.push_back({UtcTime::min(), UtcTime::max()});
            add({}, fmt::format("{} cannot be read further: {}", what, error.what()));
        }
    }

    void check_file() {
        SQLite::Statement rows(connection_, "PRAGMA integrity_check");
        while (rows.executeStep()) {
            if (const std::string said = rows.getColumn(0).getString(); said != "ok") {
                add({}, said);
            }
        }
    }

    std::vector<std::pair<std::int64_t, SeriesKey>> all_series() {
        SQLite::Statement row(connection_,
                              fmt::format("SELECT id, {} FROM series ORDER BY provider, symbol, id", series_columns));
        std::vector<std::pair<std::int64_t, SeriesKey>> all;
        while (row.executeStep()) {
            auto key = key_of(row, 1);
            if (!key) {
                add({}, fmt::format("series {} ({}): {}", row.getColumn(0).getInt64(), row.getColumn(2).getString(),
                                    key.error().message));
                continue;
            }
            all.emplace_back(row.getColumn(0).getInt64(), std::move(*key));
        }
        return all;
    }

    void check_chunks() {
        check_rows("SELECT part, {} FROM chunk WHERE series = ? ORDER BY part", first_chunk_part);
        check_rows("SELECT part, {} FROM block WHERE series = ? ORDER BY part, first", chunk_part);
        // What the first files hold comes before what came since; nearly always each is in order, and all of it is.
        if (!std::is_sorted(stamps_.begin(), stamps_.end())) {
            std::sort(stamps_.begin(), stamps_.end());
        }
        if (const auto twice = std::adjacent_find(stamps_.begin(), stamps_.end()); twice != stamps_.end()) {
            add(name_of_chunk(chunk_part(key_->timeframe, *twice)),
                fmt::format("it has the bar of {} twice", format_time(time_of(*twice))));
        }
    }

    using PartOf = int(const Timeframe&, std::int64_t);

    void check_rows(const char* sql, PartOf& part_of) {
        SQLite::Statement row(connection_, fmt::format(fmt::runtime(sql), stored_columns));
        row.bind(1, *series_);
        std::optional<int> last_part;
        std::optional<std::int64_t> last_stamp;
        while (row.executeStep()) {
            if (on_chunks_) {
                on_chunks_(++read_, total_);
            }
            const int part = row.getColumn(0).getInt();
            check_.chunks += last_part == part ? 0 : 1;
            last_part = part;
            try {
                const Bars bars = stored_bars(row, 1, [](const std::string& how) { throw RowDamaged{how}; });
                if (part_of(key_->timeframe, bars.time.front()) != part ||
                    part_of(key_->timeframe, bars.time.back()) != part) {
                    throw RowDamaged{fmt::format("its bars from {} to {} belong elsewhere",
                                                 format_time(bars.start_of(0)),
                                                 format_time(bars.start_of(bars.size() - 1)))};
                }
                if (last_stamp && *last_stamp >= bars.time.front()) {
                    add(name_of_chunk(part),
                        fmt::format("its bars from {} on are out of order", format_time(bars.start_of(0))));
                }
                last_stamp = bars.time.back();
                check_.bars += bars.size();
                stamps_.insert(stamps_.end(), bars.time.begin(), bars.time.end());
            } catch (const RowDamaged& damage) {
                unread_.push_back(span_of_chunk(part));
                add(name_of_chunk(part), damage.how);
            }
        }
    }

    void check_ledger() {
        SQLite::Statement row(connection_, "SELECT range_start, range_end, outcome FROM ledger WHERE series = ?");
        row.bind(1, *series_);
        while (row.executeStep()) {
            ++check_.ledger_entries;
            const TimeRange range{time_of(row.getColumn(0).getInt64()), time_of(row.getColumn(1).getInt64())};
            if (range.empty()) {
                add({}, fmt::format("the ledger has a range that ends at {}, not after its start {}",
                                    format_time(range.end), format_time(range.start)));
            } else if (row.getColumn(2).getString() == "bars" && lacks_bars(range)) {
                add({},
                    fmt::format("the ledger says that bars from {} to {} came, and none is stored; forget that range "
                                "and load it again",
                                format_time(range.start), format_time(range.end)));
            }
        }
    }

    [[nodiscard]] bool lacks_bars(TimeRange range) const {
        const bool unsure = std::any_of(unread_.begin(), unread_.end(), [range](const TimeRange& span) {
            return span.start < range.end && range.start < span.end;
        });
        const auto whole = [](UtcTime time) { return std::chrono::floor<std::chrono::seconds>(time); };
        const auto enough = std::max<std::chrono::nanoseconds>(longest_closed, 2 * key_->timeframe.shortest());
        if (unsure || whole(range.end) - whole(range.start) < enough) {
            return false;
        }
        const auto found = std::lower_bound(stamps_.begin(), stamps_.end(), nanos(range.start));
        return found == stamps_.end() || *found >= nanos(range.end);
    }

    void check_versions() {
        SQLite::Statement row(
            connection_,
            "SELECT change, part FROM changed_chunk JOIN change ON change.id = change WHERE series = ? "
            "ORDER BY change, part");
        row.bind(1, *series_);
        while (row.executeStep()) {
            ++check_.versions;
            const int part = row.getColumn(1).getInt();
            try {
                (void)old_chunk(connection_, row.getColumn(0).getInt64(), *key_, part);
            } catch (const ErrorException&) {
                add(name_of_chunk(part), "an earlier version of it, which undo would put back, cannot be read");
            }
        }
        SQLite::Statement ledger(connection_, "SELECT id FROM change WHERE series = ? AND NOT json_valid(ledger)");
        ledger.bind(1, *series_);
        while (ledger.executeStep()) {
            add({},
                fmt::format("what the ledger said before change {} cannot be read", ledger.getColumn(0).getInt64()));
        }
    }

    SQLite::Database& connection_;
    const BarStore::OnChunks& on_chunks_;
    /// Blocks of chunks, all together and read so far.
    std::size_t total_{0};
    std::size_t read_{0};
    BarCheck check_{};
    std::optional<std::int64_t> series_{};
    std::optional<SeriesKey> key_{};
    std::vector<std::int64_t> stamps_{};
    /// Of which nobody can say what is in it.
    std::vector<TimeRange> unread_{};
};

std::uintmax_t size_on_disk(const std::filesystem::path& file) {
    std::uintmax_t bytes = 0;
    for (const char* const end : {"", "-wal"}) {
        std::error_code missing;
        const auto size = std::filesystem::file_size(file.string() + end, missing);
        bytes += missing ? 0 : size;
    }
    return bytes;
}

}  // namespace

Result<BarCheck> BarStore::verify(const Database::Poll& poll, const OnChunks& on_chunks,
                                  const Database::OnReading& on_reading) {
    BarCheck check;
    const auto done = database_->read(
        "verify the bars",
        [&](SQLite::Database& connection) -> Result<void> {
            check = BarVerifier(connection, on_chunks).all();
            // An interrupted check of pages says nothing of it.
            return poll ? poll() : Result<void>{};
        },
        poll, on_reading);
    return done ? Result<BarCheck>(std::move(check)) : Result<BarCheck>(done.error());
}

Result<Compacted> BarStore::compact(const Database::Poll& poll) {
    Compacted compacted{.bytes_before = size_on_disk(file())};
    const auto freed = database_->write(
        "free earlier versions",
        [&](SQLite::Database& connection) -> Result<void> {
            compacted.changes_freed =
                static_cast<std::size_t>(connection.execAndGet("SELECT count(*) FROM change").getInt64());
            connection.exec("DELETE FROM change");
            return {};
        },
        Durability::synced, std::nullopt, poll);
    if (!freed) {
        return freed.error();
    }
    if (const auto done = database_->compact(poll); !done) {
        return done.error();
    }
    if (const auto done = database_->empty_log(); !done) {
        return done.error();
    }
    compacted.bytes_after = size_on_disk(file());
    return compacted;
}

}  // namespace ktrdr
