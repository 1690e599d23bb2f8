#include "merge_rows.hpp"

#include <algorithm>

#include "chunk.hpp"
#include "columns.hpp"
#include "series_rows.hpp"
#include "versions.hpp"

namespace ktrdr {
namespace {

/// Of two blocks side by side one this small is written anew with the other, so that a chunk does not fall into crumbs.
constexpr std::size_t small_block = largest_block / 2;

bool same_row(const Bars& a, std::size_t i, const Bars& b, std::size_t j) {
    const auto left = price_columns(a);
    const auto right = price_columns(b);
    return std::equal(left.begin(), left.end(), right.begin(),
                      [i, j](const auto* x, const auto* y) { return same_number((*x)[i], (*y)[j]); });
}

/// What becomes of rows `[first, last)` of `bars` over `stored`.
MergedRows compare(const Bars& stored, const Bars& bars, std::size_t first, std::size_t last) {
    MergedRows rows;
    auto place = stored.time.begin();
    for (std::size_t i = first; i < last; ++i) {
        place = std::lower_bound(place, stored.time.end(), bars.time[i]);
        if (place == stored.time.end() || *place != bars.time[i]) {
            ++rows.added;
            continue;
        }
        ++rows.replaced;
        rows.revised += same_row(stored, static_cast<std::size_t>(place - stored.time.begin()), bars, i) ? 0 : 1;
    }
    return rows;
}

/// The blocks that bars from `first` to `last` change, and those beside them that have room; `[begin, end)`.
struct Run {
    std::size_t begin;
    std::size_t end;
};

Run run_of(const std::vector<BlockHead>& blocks, std::int64_t first, std::int64_t last) {
    std::size_t begin = 0;
    while (begin < blocks.size() && blocks[begin].last < first) {
        ++begin;
    }
    std::size_t end = begin;
    while (end < blocks.size() && blocks[end].first <= last) {
        ++end;
    }
    if (begin > 0 && blocks[begin - 1].rows < small_block) {
        --begin;
    }
    if (end < blocks.size() && blocks[end].rows < small_block) {
        ++end;
    }
    return {begin, end};
}

/// Write rows of a chunk in place of the blocks of a run, of which those that stay as they are are left alone.
class RunWriter final {
public:
    RunWriter(SQLite::Database& connection, std::int64_t series, int part)
        : connection_(connection), series_(series), part_(part) {}

    void write(const std::vector<BlockHead>& blocks, Run run, const Bars& stored, const Bars& merged) {
        std::vector<bool> stays(run.end - run.begin);
        std::vector<std::size_t> cuts{0};
        std::size_t old_row = 0;
        for (std::size_t i = run.begin; i < run.end; old_row += blocks[i++].rows) {
            const auto at = std::lower_bound(merged.time.begin(), merged.time.end(), blocks[i].first);
            const auto row = static_cast<std::size_t>(at - merged.time.begin());
            stays[i - run.begin] =
                blocks[i].rows >= small_block && same_rows(stored, old_row, merged, row, blocks[i].rows);
            if (stays[i - run.begin]) {
                cuts.push_back(row);
                cuts.push_back(row + blocks[i].rows);
            } else {
                drop_block(connection_, blocks[i].id);
            }
        }
        cuts.push_back(merged.size());
        // Between the blocks that stay: [cuts[0], cuts[1]), [cuts[2], cuts[3]), …
        for (std::size_t i = 0; i + 1 < cuts.size(); i += 2) {
            for (std::size_t row = cuts[i]; row < cuts[i + 1]; row += largest_block) {
                write_block(connection_, series_, part_, merged, row, std::min(row + largest_block, cuts[i + 1]));
            }
        }
    }

private:
    static bool same_rows(const Bars& a, std::size_t i, const Bars& b, std::size_t j, std::size_t count) {
        if (i + count > a.size() || j + count > b.size()) {
            return false;
        }
        for (std::size_t row = 0; row < count; ++row) {
            if (a.time[i + row] != b.time[j + row] || !same_row(a, i + row, b, j + row)) {
                return false;
            }
        }
        return true;
    }

    SQLite::Database& connection_;
    const std::int64_t series_;
    const int part_;
};

/// What is to become of one chunk.
struct ChunkPlan {
    int part;
    /// Of the bars that come, `[first, last)`.
    std::size_t first;
    std::size_t last;
    std::vector<BlockHead> blocks{};
    Run run{};
    /// The bars of the run.
    Bars stored{};
    MergedRows rows{};
};

ChunkPlan plan_chunk(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, const Bars& bars,
                     std::size_t first) {
    ChunkPlan plan{.part = chunk_part(key.timeframe, bars.time[first]), .first = first, .last = first + 1};
    while (plan.last < bars.size() && chunk_part(key.timeframe, bars.time[plan.last]) == plan.part) {
        ++plan.last;
    }
    plan.blocks = blocks_of(connection, series, plan.part);
    plan.run = run_of(plan.blocks, bars.time[first], bars.time[plan.last - 1]);
    for (std::size_t i = plan.run.begin; i < plan.run.end; ++i) {
        append(plan.stored, read_block(connection, plan.blocks[i].id, key, plan.part));
    }
    plan.rows = compare(plan.stored, bars, plan.first, plan.last);
    return plan;
}

}  // namespace

MergedRows merge_bars(SQLite::Database& connection, std::int64_t series, const SeriesKey& key, const Bars& bars,
                      const WriteNote& note, const AfterChunk& after_chunk) {
    if (bars.empty()) {
        return {};
    }
    divide_first_chunks(connection, series, key, {bars.start_of(0), time_of(bars.time.back() + 1)});
    std::vector<ChunkPlan> plans;
    std::vector<int> parts;
    MergedRows rows;
    for (std::size_t first = 0; first < bars.size(); first = plans.back().last) {
        plans.push_back(plan_chunk(connection, series, key, bars, first));
        const ChunkPlan& plan = plans.back();
        parts.push_back(plan.part);
        rows.added += plan.rows.added;
        rows.replaced += plan.rows.replaced;
        rows.revised += plan.rows.revised;
    }
    if (rows.revised > 0) {
        keep_versions(connection, series, parts,
                      {.range = note.range,
                       .cause = note.cause,
                       .changed_at = note.at,
                       .added = rows.added,
                       .revised = rows.revised});
    }
    for (const ChunkPlan& plan : plans) {
        if (plan.rows.added + plan.rows.revised > 0) {
            const Bars merged = merge(plan.stored, bars.rows(plan.first, plan.last));
            RunWriter(connection, series, plan.part).write(plan.blocks, plan.run, plan.stored, merged);
        }
        if (after_chunk) {
            after_chunk(plan.last);
        }
    }
    return rows;
}

}  // namespace ktrdr
