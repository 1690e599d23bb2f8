#include <gmock/gmock.h>

#include <ktrdr/progress/eta.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::Optional;

class Eta : public testing::Test {
protected:
    Eta() { eta_.reset(SteadyTime{}); }
    void look(std::chrono::milliseconds at, std::int64_t done, double fraction = 0) {
        eta_.observe(SteadyTime{} + at, done, 10, fraction);
    }
    auto left(std::chrono::milliseconds at) const { return eta_.remaining(SteadyTime{} + at); }

    EtaEstimator eta_{};
};

TEST_F(Eta, SaysNothingBeforeTwoUnitsOrThreeSeconds) {
    look(1000ms, 1);
    EXPECT_EQ(left(1000ms), std::nullopt);
    look(2000ms, 2);
    EXPECT_THAT(left(2000ms), Optional(8000ms));
}

TEST_F(Eta, SaysNothingWithoutATotal) {
    eta_.observe(SteadyTime{} + 9s, 4, 0, 0);
    EXPECT_EQ(left(9000ms), std::nullopt);
}

TEST_F(Eta, CountsDownInsideAUnit) {
    look(1000ms, 1);
    look(2000ms, 2);
    EXPECT_THAT(left(2400ms), Optional(7600ms));
    EXPECT_THAT(left(9000ms), Optional(7000ms));
}

TEST_F(Eta, UsesTheFractionBeforeTheFirstUnitIsDone) {
    look(2000ms, 0, 0.1);
    EXPECT_EQ(left(2000ms), std::nullopt);
    look(4000ms, 0, 0.2);
    EXPECT_THAT(left(4000ms), Optional(196'000ms));
    EXPECT_THAT(left(5000ms), Optional(195'000ms));
}

TEST_F(Eta, SaysNothingWhileNothingMoves) {
    look(5000ms, 0, 0);
    EXPECT_EQ(left(5000ms), std::nullopt);
}

TEST_F(Eta, IsNotMovedByOneSlowUnit) {
    look(1000ms, 1);
    look(2000ms, 2);
    look(3000ms, 3);
    look(33'000ms, 4);
    EXPECT_THAT(left(33'000ms), Optional(6000ms));
}

TEST_F(Eta, FollowsAChangeOfPaceWithinFiveUnits) {
    for (int unit = 1; unit <= 5; ++unit) {
        look(unit * 1000ms, unit);
    }
    look(7000ms, 6);
    look(9000ms, 7);
    look(11'000ms, 8);
    EXPECT_THAT(left(11'000ms), Optional(4000ms));
}

TEST_F(Eta, SharesTheTimeOfUnitsItDidNotSeeOneByOne) {
    look(1000ms, 1);
    look(6000ms, 6);
    EXPECT_THAT(left(6000ms), Optional(4000ms));
}

TEST_F(Eta, DoesNotTakeAHeadStartForWork) {
    // Two of ten may be all that was done in a second, or what an earlier run has left.
    look(1000ms, 2);
    EXPECT_EQ(left(1000ms), std::nullopt);
    EXPECT_EQ(left(9000ms), std::nullopt);
    look(11'000ms, 3);
    EXPECT_THAT(left(11'000ms), Optional(70'000ms));
    look(21'000ms, 4);
    EXPECT_THAT(left(21'000ms), Optional(60'000ms));
}

TEST_F(Eta, MeasuresTheUnitInWorkAfterAHeadStart) {
    look(100ms, 4);
    look(2100ms, 4, 0.2);
    EXPECT_EQ(left(2100ms), std::nullopt);
    look(4100ms, 4, 0.4);
    EXPECT_THAT(left(4100ms), Optional(56'000ms));
}

TEST_F(Eta, BelievesTheSecondOfTwoUnits) {
    // Work that counts a unit as it begins seems to need nothing for the first; another loads its libraries in it.
    look(0ms, 1);
    look(1500ms, 2);
    EXPECT_THAT(left(1500ms), Optional(12'000ms));
    eta_.reset(SteadyTime{});
    look(20'000ms, 1);
    look(21'500ms, 2);
    EXPECT_THAT(left(21'500ms), Optional(12'000ms));
}

TEST_F(Eta, SaysNothingWhereTheFirstUnitWasNoneAndTheSecondIsLong) {
    look(1ms, 1);
    EXPECT_EQ(left(3001ms), std::nullopt);
    look(10'000ms, 2);
    EXPECT_THAT(left(10'000ms), Optional(79'992ms));
}

TEST_F(Eta, StandsWhileWorkThatMovedReportsNothing) {
    look(2000ms, 0, 0.1);
    look(4000ms, 0, 0.2);
    // The next movement was due after two seconds: what is left is no less for silence.
    EXPECT_THAT(left(6000ms), Optional(194'000ms));
    EXPECT_THAT(left(600'000ms), Optional(194'000ms));
}

TEST_F(Eta, DoesNotJumpWhenTheUnitsAreShorterThanTheLooksAtThem) {
    // Two looks of three see two units, the third sees five: three a look, thirty a second.
    std::int64_t done = 0;
    for (int tick = 1; tick <= 60; ++tick) {
        done += tick % 3 == 0 ? 5 : 2;
        const auto at = SteadyTime{} + tick * 100ms;
        eta_.observe(at, done, 600, 0);
        if (tick > 20) {
            const auto truth = static_cast<double>(600 - done) / 30 * 1000;
            ASSERT_TRUE(eta_.remaining(at).has_value());
            EXPECT_NEAR(static_cast<double>(eta_.remaining(at)->count()), truth, truth * 0.1) << "tick " << tick;
        }
    }
}

TEST_F(Eta, IsNoughtWhenAllUnitsAreDone) {
    look(1000ms, 10);
    EXPECT_THAT(left(9000ms), Optional(0ms));
}

}  // namespace
}  // namespace ktrdr
