// Each combination of what three segments of a load may come to: what is good is kept, the ledger says what was proved
// and no more, what is wrong is told, and the next load brings the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include <data/loading_fixture.hpp>

#include "soak.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;

enum class Outcome { bars, nothing, half, said_partial, row_dropped, refused, denied, garbage, unreachable, cancelled };

struct Row {
    Outcome outcome;
    const char* name;
    /// Of the ten bars of its segment, the first that are stored.
    std::size_t kept;
    /// A load that has nothing else wrong says something of it.
    bool told;
    /// No segment behind it is asked for.
    bool last;
};

constexpr std::array table{
    Row{Outcome::bars, "bars", 10, false, false},
    // Without a calendar nobody knows whether there should be any.
    Row{Outcome::nothing, "nothing", 0, false, false},
    Row{Outcome::half, "half", 5, false, false},
    Row{Outcome::said_partial, "said_partial", 5, true, false},
    Row{Outcome::row_dropped, "row_dropped", 9, true, false},
    Row{Outcome::refused, "refused", 0, true, false},
    Row{Outcome::denied, "denied", 0, true, false},
    Row{Outcome::garbage, "garbage", 0, true, false},
    Row{Outcome::unreachable, "unreachable", 0, true, true},
    Row{Outcome::cancelled, "cancelled", 0, true, true},
};

using Combination = std::array<std::size_t, 3>;

class Outcomes : public LoadingTest, public testing::WithParamInterface<std::size_t> {
protected:
    static constexpr days length{10};
    const UtcTime start_ = at("2010-01-01");
    const TimeRange all_{start_, start_ + 3 * length};

    void SetUp() override {
        source_->limits = {.max_span = length, .max_in_flight = 1};
        source_->first = start_ - days{1};
    }

    [[nodiscard]] TimeRange segment(std::size_t number) const {
        return {start_ + static_cast<int>(number) * length, start_ + (static_cast<int>(number) + 1) * length};
    }
    /// The segment that a request is about; seams reach into those beside it.
    [[nodiscard]] std::size_t number_of(TimeRange asked) const {
        const auto middle = asked.start + (asked.end - asked.start) / 2;
        return static_cast<std::size_t>(std::clamp<std::int64_t>((middle - start_) / length, 0, 2));
    }

    void answer_by(const Combination& rows) {
        source_->on_fetch = [this, rows](TimeRange asked) -> Result<void> {
            switch (table.at(rows.at(number_of(asked))).outcome) {
                case Outcome::refused: return fail(Errc::status, "busy", {{"status", 500}});
                case Outcome::denied: return fail(Errc::status, "forbidden", {{"status", 403}});
                case Outcome::garbage: return fail(Errc::protocol, "garbage");
                case Outcome::unreachable: return fail(Errc::service_connection, "nobody there");
                case Outcome::cancelled: (void)operation_->request_cancel({.text = "enough"}); return {};
                default: return {};
            }
        };
        source_->bars = [this, rows](TimeRange asked) {
            const TimeRange own = segment(number_of(asked));
            const Row& row = table.at(rows.at(number_of(asked)));
            const UtcTime end = own.start + static_cast<int>(row.kept) * days{1};
            SourceAnswer answer = daily_bars({asked.start, std::min(end, asked.end)});
            if (row.kept == 0) {
                answer.bars = {};
            }
            if (row.outcome == Outcome::said_partial) {
                answer.partial = "the service says: partial";
            }
            if (row.outcome == Outcome::row_dropped) {
                answer.dropped = {{own.start + 9 * days{1}, "no close"}};
            }
            return answer;
        };
    }

    void answer_well() {
        source_->on_fetch = {};
        source_->bars = daily_bars;
    }

    /// What should be stored after the first load, and whether it ends early.
    void expect_kept(const Combination& rows) {
        Bars kept;
        bool over = false;
        for (std::size_t number = 0; number < rows.size() && !over; ++number) {
            const Row& row = table.at(rows.at(number));
            over = row.last;
            const UtcTime from = segment(number).start;
            kept = merge(kept, daily_bars({from, from + static_cast<int>(row.kept) * days{1}}));
        }
        EXPECT_EQ(stored(), kept);
        for (const LedgerEntry& entry : ledger()) {
            EXPECT_NE(entry.outcome, AskOutcome::empty) << "one answer confirms nothing";
            if (entry.outcome == AskOutcome::bars) {
                EXPECT_EQ(kept.slice(entry.range), daily_bars(entry.range)) << "covered is more than came";
            }
        }
        EXPECT_EQ(count(AskOutcome::denied) > 0, has(rows, Outcome::denied));
        // What did not come of an answer that says so, or of a row that cannot be used, has failed, too.
        bool failed = false;
        for (const Outcome one : {Outcome::refused, Outcome::garbage, Outcome::said_partial, Outcome::row_dropped}) {
            failed = failed || has(rows, one);
        }
        EXPECT_EQ(count(AskOutcome::failed) > 0, failed);
    }

    /// Whether one of the segments that are asked for has this outcome.
    static bool has(const Combination& rows, Outcome outcome) {
        for (const std::size_t row : rows) {
            if (table.at(row).outcome == outcome) {
                return true;
            }
            if (table.at(row).last) {
                return false;
            }
        }
        return false;
    }

    [[nodiscard]] std::size_t count(AskOutcome outcome) const {
        const auto entries = ledger();
        return static_cast<std::size_t>(std::count_if(
            entries.begin(), entries.end(), [outcome](const LedgerEntry& entry) { return entry.outcome == outcome; }));
    }

    void expect_told(const Combination& rows, const Result<BarsPtr>& result) {
        const auto told = operation_->record().warnings.size();
        const bool answered = has(rows, Outcome::bars) || has(rows, Outcome::half) || has(rows, Outcome::nothing) ||
                              has(rows, Outcome::said_partial) || has(rows, Outcome::row_dropped);
        if (has(rows, Outcome::cancelled)) {
            ASSERT_FALSE(result);
            EXPECT_EQ(result.error().code, Errc::cancelled);
        } else if (!answered || has(rows, Outcome::unreachable)) {
            EXPECT_EQ(result.has_value(), answered && !stored().empty());
            EXPECT_TRUE(!result || told > 0);
        } else {
            EXPECT_EQ(result.has_value(), !stored().empty());
            for (const std::size_t row : rows) {
                EXPECT_TRUE(told > 0 || !table.at(row).told) << table.at(row).name << " is not told of";
            }
        }
    }

    /// Once the source is well again, one load brings the rest, and asks for nothing that came but for seams.
    void expect_the_rest(const Combination& rows) {
        const Bars before = stored();
        clock_.advance(std::chrono::hours{48});
        answer_well();
        source_->fetched.clear();
        ASSERT_TRUE(load(all_, LoadMode::full, key_.symbol));
        EXPECT_EQ(stored(), daily_bars(all_));
        for (const TimeRange& asked : source_->fetched) {
            // Three bars at each seam; and what did not come is asked for again in whole weeks.
            EXPECT_LE(before.slice(asked).size(), 6U + 7U) << "what is stored is asked for again";
        }
        const bool whole = std::all_of(rows.begin(), rows.end(),
                                       [](std::size_t row) { return table.at(row).outcome == Outcome::bars; });
        EXPECT_EQ(source_->fetched.empty(), whole);
        source_->fetched.clear();
        ASSERT_TRUE(load(all_, LoadMode::full, key_.symbol));
        EXPECT_TRUE(source_->fetched.empty()) << "what is whole is asked for again";
    }
};

TEST_P(Outcomes, OfThreeSegmentsKeepWhatIsGood) {
    const auto places = static_cast<std::size_t>(table.size());
    // A sanitizer looks for other faults: some of each row and column do.
    const std::size_t step = soak_step(7);
    for (std::size_t rest = 0; rest < places * places; rest += step) {
        const Combination rows{GetParam(), rest / places, rest % places};
        SCOPED_TRACE(std::string(table.at(rows[0]).name) + ", " + table.at(rows[1]).name + ", " +
                     table.at(rows[2]).name);
        key_ = SeriesKey{
            .provider = "IB", .symbol = "C" + std::to_string(rest), .timeframe = Timeframe::parse("1d").value()};
        source_->symbols.insert(key_.symbol);
        answer_by(rows);
        const auto result = load(all_, LoadMode::full, key_.symbol);
        expect_kept(rows);
        expect_told(rows, result);
        expect_the_rest(rows);
        if (HasFailure()) {
            return;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(First, Outcomes, testing::Range<std::size_t>(0, table.size()),
                         [](const auto& row) { return std::string(table.at(row.param).name); });

}  // namespace
}  // namespace ktrdr
