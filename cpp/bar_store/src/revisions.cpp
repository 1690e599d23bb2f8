// Numbers of stored bars that their provider gave at other times.

#include "revisions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "chunk.hpp"
#include "series_rows.hpp"
#include "versions.hpp"

namespace ktrdr {
namespace {

/// Where a bar of that stamp is among bars in order; their number for nowhere.
std::size_t row_at(const Bars& bars, UtcTime stamp) {
    const std::size_t row = bars.row_from(stamp);
    return row < bars.size() && bars.start_of(row) == stamp ? row : bars.size();
}

std::vector<BarRevision> not_taken(SQLite::Database& connection, std::int64_t series, const Bars& stored) {
    SQLite::Statement row(connection,
                          "SELECT time, told_at, open, high, low, close, volume FROM revision WHERE series = ? "
                          "ORDER BY time");
    row.bind(1, series);
    std::vector<BarRevision> revisions;
    while (row.executeStep()) {
        BarRevision one{.time = time_of(row.getColumn(0).getInt64()), .at = time_of(row.getColumn(1).getInt64())};
        for (std::size_t i = 0; i < one.numbers.size(); ++i) {
            const SQLite::Column number = row.getColumn(static_cast<int>(i) + 2);
            one.numbers.at(i) = number.isNull() ? std::numeric_limits<double>::quiet_NaN() : number.getDouble();
        }
        const std::size_t at = row_at(stored, one.time);
        if (at < stored.size() && !same_numbers(one.numbers, numbers_of(stored, at))) {
            revisions.push_back(one);
        }
    }
    return revisions;
}

/// What bars were before answers changed them, and not people: of each the newest that is not what it is now.
class Replaced final {
public:
    Replaced(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, const Bars& stored)
        : connection_(connection), series_(series), key_(key), stored_(stored) {}

    [[nodiscard]] std::vector<BarRevision> find() && {
        std::optional<int> part;
        for (const KeptVersion& version : kept_versions(connection_, series_)) {
            if (part != version.part) {
                part = version.part;
                next_ = stored_.slice(span_of_chunk(version.part));
            }
            look(version);
        }
        return std::move(found_);
    }

private:
    void look(const KeptVersion& version) {
        std::optional<Bars> old;
        try {
            old = old_chunk(connection_, version.change, key_, version.part);
        } catch (const ErrorException&) {
            // A version that is damaged is told by `verify`; nothing that is stored depends on it.
        }
        if (old && next_ && version.cause == ChangeCause::loaded) {
            // What did not change then has been changed by somebody else, or not at all.
            for (BarRevision& one : revised(*next_, old->slice(version.range), version.changed_at)) {
                const std::size_t at = row_at(stored_, one.time);
                one.replaced = true;
                if (at < stored_.size() && !same_numbers(one.numbers, numbers_of(stored_, at)) &&
                    known_.insert(one.time).second) {
                    found_.push_back(one);
                }
            }
        }
        next_ = std::move(old);
    }

    SQLite::Database& connection_;
    const std::int64_t series_;
    const SeriesKey& key_;
    const Bars& stored_;
    /// What the chunk was after the version that is looked at; unset where nobody knows.
    std::optional<Bars> next_{};
    std::set<UtcTime> known_{};
    std::vector<BarRevision> found_{};
};

}  // namespace

void replace_revisions(SQLite::Database& connection, std::int64_t series, const Segment& segment) {
    delete_inside(connection, "DELETE FROM revision WHERE series = ? AND time >= ? AND time < ?", series,
                  segment.told_anew);
    keep_revisions(connection, series, segment.revisions);
}

std::vector<BarRevision> revised(const Bars& stored, const Bars& other, UtcTime at) {
    std::vector<BarRevision> all;
    for (std::size_t i = 0; i < other.size(); ++i) {
        const std::size_t row = row_at(stored, other.start_of(i));
        const BarRevision one{.time = other.start_of(i), .numbers = numbers_of(other, i), .at = at};
        if (row < stored.size() && !same_numbers(one.numbers, numbers_of(stored, row))) {
            all.push_back(one);
        }
    }
    return all;
}

void keep_revisions(SQLite::Database& connection, std::int64_t series, const std::vector<BarRevision>& revisions) {
    SQLite::Statement add(connection, "INSERT OR REPLACE INTO revision VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    for (const BarRevision& one : revisions) {
        add.bind(1, series);
        add.bind(2, nanos(one.time));
        add.bind(3, nanos(one.at));
        for (std::size_t i = 0; i < one.numbers.size(); ++i) {
            // SQLite makes NULL of what is no number.
            add.bind(static_cast<int>(i) + 4, one.numbers.at(i));
        }
        add.exec();
        add.reset();
    }
}

Result<std::vector<BarRevision>> BarStore::revisions(const SeriesKey& key, const Bars& stored,
                                                     const Database::Poll& poll) {
    std::vector<BarRevision> all;
    const auto done = database_->read(
        fmt::format("read what was revised of {} {}", key.symbol, key.timeframe.name()),
        [&](SQLite::Database& connection) -> Result<void> {
            if (const auto series = find_series(connection, key)) {
                all = not_taken(connection, *series, stored);
                const auto before = Replaced(connection, *series, key, stored).find();
                all.insert(all.end(), before.begin(), before.end());
            }
            return {};
        },
        poll);
    std::sort(all.begin(), all.end(), [](const BarRevision& a, const BarRevision& b) { return a.time < b.time; });
    return done ? Result<std::vector<BarRevision>>(std::move(all)) : Result<std::vector<BarRevision>>(done.error());
}

}  // namespace ktrdr
