// Bars that are to go: a range of a series, or all of it.

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include <ktrdr/market/time_text.hpp>

#include "blocks.hpp"
#include "chunk.hpp"
#include "ledger_cut.hpp"
#include "series_rows.hpp"
#include "versions.hpp"

namespace ktrdr {
namespace {

/// Takes a range out of the chunks of a series. What lies in it whole is dropped unread, so that damage can be dropped.
class Forgetter final {
public:
    Forgetter(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, TimeRange range)
        : connection_(connection), series_(series), key_(key), range_(range) {}

    std::size_t run(UtcTime at) {
        divide_or_drop();
        std::vector<int> sound;
        std::vector<int> touched;
        const PartSpan parts = chunk_parts(key_.timeframe, range_);
        std::size_t rows = 0;
        for (const int part : chunks_of(connection_, series_)) {
            if (part < parts.first || part > parts.last) {
                continue;
            }
            const auto bars = readable(part);
            const std::size_t going = bars ? bars->slice(range_).size() : rows_of(part);
            if (going > 0) {
                rows += going;
                touched.push_back(part);
                if (bars) {
                    sound.push_back(part);
                }
            }
        }
        if (!sound.empty()) {
            keep_versions(connection_, series_, sound,
                          {.range = range_, .cause = ChangeCause::forgotten, .changed_at = at, .removed = rows});
        }
        for (const int part : touched) {
            take_out(part);
        }
        cut_ledger(connection_, series_, range_);
        return rows + dropped_;
    }

private:
    /// A damaged chunk of the first files that lies in the range whole goes as it is.
    void divide_or_drop() {
        for (const int part : first_chunks_of(connection_, series_)) {
            const TimeRange span = span_of_chunk(part);
            const TimeRange both{std::max(span.start, range_.start), std::min(span.end, range_.end)};
            if (both.empty()) {
                continue;
            }
            try {
                divide_first_chunks(connection_, series_, key_, both);
            } catch (const ErrorException&) {
                if (both != span) {
                    throw;
                }
                SQLite::Statement drop(connection_, "DELETE FROM chunk WHERE series = ? AND part = ? RETURNING rows");
                drop.bind(1, series_);
                drop.bind(2, part);
                dropped_ += drop.executeStep()
                                ? static_cast<std::size_t>(std::max<std::int64_t>(0, drop.getColumn(0).getInt64()))
                                : 0;
            }
        }
    }

    std::optional<Bars> readable(int part) {
        try {
            return read_chunk(connection_, series_, key_, part);
        } catch (const ErrorException&) {
            return std::nullopt;
        }
    }

    /// As the blocks' heads say.
    std::size_t rows_of(int part) {
        std::size_t rows = 0;
        for (const BlockHead& block : blocks_of(connection_, series_, part)) {
            rows += overlaps(block) ? block.rows : 0;
        }
        return rows;
    }

    [[nodiscard]] bool overlaps(const BlockHead& block) const {
        return block.last >= nanos(range_.start) && block.first < nanos(range_.end);
    }

    void take_out(int part) {
        const TimeRange span = span_of_chunk(part);
        const bool all = range_.start <= span.start && span.end <= range_.end;
        for (const BlockHead& block : blocks_of(connection_, series_, part)) {
            if (!all && !overlaps(block)) {
                continue;
            }
            Bars rest;
            if (!all && (block.first < nanos(range_.start) || block.last >= nanos(range_.end))) {
                const Bars bars = read_block(connection_, block.id, key_, part);
                rest = merge(bars.slice({UtcTime::min(), range_.start}), bars.slice({range_.end, UtcTime::max()}));
            }
            drop_block(connection_, block.id);
            if (!rest.empty()) {
                write_block(connection_, series_, part, rest, 0, rest.size());
            }
        }
    }

    SQLite::Database& connection_;
    const std::int64_t series_;
    const SeriesKey& key_;
    const TimeRange range_;
    std::size_t dropped_{0};
};

}  // namespace

Result<std::size_t> BarStore::forget(const SeriesKey& key, TimeRange range, UtcTime at) {
    if (range.empty()) {
        return fail(Errc::invalid_argument,
                    fmt::format("forget {} {}: the range ends at {}, not after its start {}", key.symbol,
                                key.timeframe.name(), format_time(range.end), format_time(range.start)));
    }
    std::size_t rows = 0;
    const std::string what = fmt::format("forget bars of {} {}", key.symbol, key.timeframe.name());
    const auto done = database_->write(what, [&](SQLite::Database& connection) -> Result<void> {
        if (const auto series = find_series(connection, key)) {
            rows = Forgetter(connection, *series, key, range).run(at);
        }
        return {};
    });
    return done ? Result<std::size_t>(rows) : Result<std::size_t>(done.error());
}

Result<std::size_t> BarStore::remove(const SeriesKey& key) {
    const std::string what = fmt::format("delete {} {}", key.symbol, key.timeframe.name());
    std::optional<std::size_t> rows;
    const auto done = database_->write(what, [&](SQLite::Database& connection) -> Result<void> {
        const auto series = find_series(connection, key);
        if (!series) {
            return {};
        }
        SQLite::Statement count(connection,
                                "SELECT ifnull(sum(rows), 0) FROM (SELECT rows FROM chunk WHERE series = ?1 UNION ALL "
                                "SELECT rows FROM block WHERE series = ?1)");
        count.bind(1, *series);
        rows = count.executeStep() ? static_cast<std::size_t>(count.getColumn(0).getInt64()) : 0;
        count.reset();
        SQLite::Statement drop(connection, "DELETE FROM series WHERE id = ?");
        drop.bind(1, *series);
        drop.exec();
        return {};
    });
    if (!done) {
        return done.error();
    }
    if (!rows) {
        return fail(Errc::not_found,
                    fmt::format("nothing of {} {} is stored in {}", key.symbol, key.timeframe.name(), file().string()),
                    {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}, {"provider", key.provider}});
    }
    return *rows;
}

}  // namespace ktrdr
