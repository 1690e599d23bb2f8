#include <gmock/gmock.h>

#include <ktrdr/progress/rate.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

class Rate : public testing::Test {
protected:
    Rate() { rate_.reset(SteadyTime{}, 0); }
    void look(std::chrono::milliseconds at, std::int64_t items) { rate_.observe(SteadyTime{} + at, items); }
    double at(std::chrono::milliseconds when) const { return rate_.rate(SteadyTime{} + when); }

    RateMeter rate_{};
};

TEST_F(Rate, IsNoughtBeforeAnythingMoved) {
    EXPECT_EQ(at(5000ms), 0);
    look(5000ms, 0);
    EXPECT_EQ(at(5000ms), 0);
}

TEST_F(Rate, CountsFromTheBeginningOfTheWork) {
    look(1500ms, 1);
    EXPECT_DOUBLE_EQ(at(1500ms), 1 / 1.5);
    look(3000ms, 2);
    EXPECT_DOUBLE_EQ(at(3000ms), 1 / 1.5);
}

TEST_F(Rate, DoesNotTakeAFirstReportAtOnceForAPace) {
    look(0ms, 1);
    look(1ms, 1);
    EXPECT_EQ(at(100ms), 0);
    look(1500ms, 2);
    look(3000ms, 3);
    EXPECT_DOUBLE_EQ(at(3000ms), 1 / 1.5);
}

TEST_F(Rate, IsToldOfShortWorkAtTheSecondMovement) {
    look(100ms, 50);
    EXPECT_EQ(at(100ms), 0);
    look(200ms, 100);
    EXPECT_DOUBLE_EQ(at(200ms), 500);
}

TEST_F(Rate, IsNotMovedByOnePause) {
    for (int second = 1; second <= 5; ++second) {
        look(second * 1000ms, second * 10);
    }
    EXPECT_DOUBLE_EQ(at(5000ms), 10);
    look(105'000ms, 60);
    EXPECT_DOUBLE_EQ(at(105'000ms), 10);
    look(106'000ms, 70);
    EXPECT_DOUBLE_EQ(at(106'000ms), 10);
}

TEST_F(Rate, FallsWhileNothingMoves) {
    for (int second = 1; second <= 5; ++second) {
        look(second * 1000ms, second * 10);
    }
    EXPECT_DOUBLE_EQ(at(10'000ms), 10);
    EXPECT_DOUBLE_EQ(at(15'000ms), 5);
    EXPECT_DOUBLE_EQ(at(105'000ms), 0.5);
}

TEST_F(Rate, FollowsAChangeOfPaceWithinFiveWindows) {
    for (int second = 1; second <= 5; ++second) {
        look(second * 1000ms, second * 10);
    }
    for (int second = 6; second <= 8; ++second) {
        look(second * 1000ms, 50 + (second - 5) * 100);
    }
    EXPECT_DOUBLE_EQ(at(8000ms), 100);
}

TEST_F(Rate, GathersLooksThatComeOftenerThanOnceASecond) {
    std::int64_t items = 0;
    for (int tick = 1; tick <= 60; ++tick) {
        items += tick % 3 == 0 ? 5 : 2;
        look(tick * 100ms, items);
        if (tick > 20) {
            EXPECT_NEAR(at(tick * 100ms), 30, 2) << "tick " << tick;
        }
    }
}

TEST_F(Rate, BeginsAnewWhereItIsTold) {
    look(1000ms, 4100);
    rate_.reset(SteadyTime{} + 1000ms, 4100);
    EXPECT_EQ(at(2000ms), 0);
    look(2500ms, 4200);
    EXPECT_DOUBLE_EQ(at(2500ms), 100 / 1.5);
}

TEST_F(Rate, IsNeverLessThanNothing) {
    look(1000ms, 10);
    look(2000ms, 3);
    look(3000ms, 4);
    EXPECT_GE(at(3000ms), 0);
}

}  // namespace
}  // namespace ktrdr
