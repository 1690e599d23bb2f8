// A load is cancelled at each of its steps, and between any two: what is stored ends with a segment, the next load asks
// for the rest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include <data/loading_fixture.hpp>

#include "soak.hpp"

namespace ktrdr {
namespace {

/// Segments of ten days.
class CancelledLoad final : public LoadingTest {
public:
    explicit CancelledLoad(std::size_t in_flight) {
        source_->limits = {.max_span = segment, .max_in_flight = in_flight};
        source_->first = start - std::chrono::days{1};
    }
    void TestBody() override {}

    static constexpr std::chrono::days segment{10};
    const UtcTime start = at("2010-01-01");
    const TimeRange all{start, start + soak_count(2, 6) * segment};

    /// Cancel a load of a series of its own before its so-manieth turn; false where it was over by then.
    bool cancel_before(int turn, std::set<std::string>& steps) {
        key_.symbol = "TURN" + std::to_string(turn);
        source_->symbols.insert(key_.symbol);
        const auto load = begin(all, LoadMode::full, key_.symbol);
        for (int i = 0; i < turn && !load->result; ++i) {
            io_.restart();
            io_.run_one();
        }
        const bool in_time = !load->result;
        if (in_time) {
            steps.insert(operation_->progress().snapshot().step_name);
            EXPECT_TRUE(operation_->request_cancel({.text = "enough"}));
        }
        finish();
        if (!load->result) {
            ADD_FAILURE() << "it never ended";
        } else if (in_time) {
            EXPECT_EQ((*load->result).error().code, Errc::cancelled) << "its cancel was swallowed";
        } else {
            EXPECT_TRUE(*load->result);
        }
        return in_time;
    }

    /// Bars are those of whole segments, and the ledger says just that.
    void expect_whole_segments(bool in_order) {
        const Bars bars = stored();
        std::size_t whole = 0;
        bool gap = false;
        for (UtcTime at = all.start; at < all.end; at += segment) {
            const TimeRange range{at, at + segment};
            const Bars part = bars.slice(range);
            EXPECT_TRUE(part.empty() || part == daily_bars(range)) << "half a segment";
            EXPECT_FALSE(in_order && gap && !part.empty()) << "a later segment without an earlier one";
            gap = gap || part.empty();
            whole += part.size();
        }
        EXPECT_EQ(whole, bars.size());
        for (const LedgerEntry& entry : ledger()) {
            EXPECT_EQ(bars.slice(entry.range), daily_bars(entry.range)) << "the ledger says more than is stored";
        }
    }

    /// Another load has all of it, and asks for nothing that is stored but for three bars at each seam.
    void expect_the_rest() {
        const Bars before = stored();
        source_->fetched.clear();
        ASSERT_TRUE(load(all, LoadMode::full, key_.symbol));
        EXPECT_EQ(stored(), daily_bars(all));
        for (const TimeRange& asked : source_->fetched) {
            EXPECT_LE(before.slice(asked).size(), 6U);
        }
    }

    [[nodiscard]] bool sound() const { return store_->verify()->damage.empty(); }
};

TEST(CancelledLoads, EndWithTheLastSegmentThatWasFinishedWheneverTheyAreCancelled) {
    for (const std::size_t in_flight : {std::size_t{1}, std::size_t{3}}) {
        CancelledLoad load(in_flight);
        std::set<std::string> steps;
        bool in_time = true;
        for (int turn = 0; in_time; ++turn) {
            in_time = load.cancel_before(turn, steps);
            load.expect_whole_segments(in_flight == 1);
            load.expect_the_rest();
            ASSERT_FALSE(testing::Test::HasFailure())
                << "cancelled before turn " << turn << ", " << in_flight << " in flight";
        }
        EXPECT_TRUE(load.sound());
        // The plan is made in one turn.
        EXPECT_THAT(steps, testing::IsSupersetOf(
                               {"validate symbol", "first timestamp", "read local", "loading segments", "read bars"}));
    }
}

}  // namespace
}  // namespace ktrdr
