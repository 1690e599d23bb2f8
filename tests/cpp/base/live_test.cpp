#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include <ktrdr/base/live.hpp>

namespace ktrdr {

class Kept final : public Counted<Kept> {};
class Shown;
struct ShownState final : Counted<Shown> {};
class Shown {};

namespace {

using namespace std::chrono_literals;

std::int64_t alive(const std::string& name) {
    return live_objects()[name];
}

TEST(LiveObjects, AreCountedByTheNameOfTheirClass) {
    EXPECT_EQ(alive("Kept"), 0);
    const auto first = std::make_unique<Kept>();
    {
        const Kept second;
        EXPECT_EQ(alive("Kept"), 2);
    }
    EXPECT_EQ(alive("Kept"), 1);
}

TEST(LiveObjects, CountACopyAndWhatWasMovedFrom) {
    Kept one;
    Kept copy{one};
    Kept moved{std::move(copy)};
    EXPECT_EQ(alive("Kept"), 3);
    moved = one;
    EXPECT_EQ(alive("Kept"), 3);
}

TEST(LiveObjects, MayStandUnderTheNameOfTheClassWhoseStateTheyAre) {
    const ShownState state;
    EXPECT_EQ(alive("Shown"), 1);
}

TEST(WaitForLive, NamesWhatIsLeftOverTheLimitAndHowMany) {
    const LiveObjects before = live_objects();
    const Kept one;
    const Kept two;
    EXPECT_EQ(wait_for_live(before, 0ms), (LiveObjects{{"Kept", 2}}));
    EXPECT_TRUE(wait_for_live(live_objects(), 0ms).empty());
}

TEST(WaitForLive, EndsWhenAnotherThreadDestroysTheLast) {
    const LiveObjects before = live_objects();
    auto kept = std::make_unique<Kept>();
    std::thread other([&kept] { kept.reset(); });
    EXPECT_TRUE(wait_for_live(before, 1h).empty());
    other.join();
}

}  // namespace
}  // namespace ktrdr
