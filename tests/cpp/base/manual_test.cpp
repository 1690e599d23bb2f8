#include <gmock/gmock.h>

#include <string>

#include <ktrdr/base/manual.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

TEST(ManualClock, MovesOnlyWhenTold) {
    ManualClock clock;
    const auto steady = clock.now();
    const auto utc = clock.utc_now();
    EXPECT_EQ(clock.now(), steady);
    clock.advance(90s);
    EXPECT_EQ(clock.now() - steady, 90s);
    EXPECT_EQ(clock.utc_now() - utc, 90s);
}

TEST(SystemClock, DoesNotGoBack) {
    const auto first = system_clock().now();
    EXPECT_LE(first, system_clock().now());
    EXPECT_GT(system_clock().utc_now(), UtcTime{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}});
}

TEST(ManualExecutor, RunsInOrderWhatWasPostedAlsoMeanwhile) {
    ManualExecutor executor;
    std::string ran;
    executor.post([&] {
        ran += 'a';
        executor.post([&] { ran += 'c'; });
    });
    executor.post([&] { ran += 'b'; });
    EXPECT_EQ(ran, "");
    EXPECT_EQ(executor.run(), 3U);
    EXPECT_EQ(ran, "abc");
    EXPECT_EQ(executor.run(), 0U);
}

TEST(ManualTimerQueue, FiresWhatIsDueInOrderOfTime) {
    ManualClock clock;
    ManualTimerQueue timers(clock);
    std::string fired;
    timers.schedule_at(clock.now() + 2s, [&] { fired += 'b'; });
    timers.schedule_at(clock.now() + 1s, [&] { fired += 'a'; });
    timers.schedule_at(clock.now() + 3s, [&] { fired += 'c'; });
    EXPECT_EQ(timers.fire(), 0U);
    clock.advance(2s);
    EXPECT_EQ(timers.fire(), 2U);
    EXPECT_EQ(fired, "ab");
    EXPECT_EQ(timers.size(), 1U);
}

TEST(ManualTimerQueue, ForgetsWhatWasCancelled) {
    ManualClock clock;
    ManualTimerQueue timers(clock);
    const auto id = timers.schedule_at(clock.now(), [] { FAIL() << "was cancelled"; });
    EXPECT_TRUE(timers.cancel(id));
    EXPECT_FALSE(timers.cancel(id));
    EXPECT_EQ(timers.fire(), 0U);
}

TEST(ManualTimerQueue, LetsATimerScheduleTheNext) {
    ManualClock clock;
    ManualTimerQueue timers(clock);
    int fired = 0;
    timers.schedule_at(clock.now(), [&] {
        ++fired;
        timers.schedule_at(clock.now() + 1s, [&] { ++fired; });
    });
    EXPECT_EQ(timers.fire(), 1U);
    clock.advance(1s);
    EXPECT_EQ(timers.fire(), 1U);
    EXPECT_EQ(fired, 2);
}

}  // namespace
}  // namespace ktrdr
