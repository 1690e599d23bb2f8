#include <gmock/gmock.h>

#include <thread>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/cancellation/system.hpp>

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class System : public testing::Test {
protected:
    CancellationToken token(const std::string& id) {
        auto made = CancellationToken::create(executor_, timers_, clock_);
        system_.add(id, made);
        return made;
    }

    ManualClock clock_{};
    ManualExecutor executor_{};
    ManualTimerQueue timers_{clock_};
    CancellationSystem system_{};
};

TEST_F(System, CancelsById) {
    const auto first = token("first");
    const auto second = token("second");
    EXPECT_TRUE(system_.cancel("first", {CancelCode::user, "enough", "test"}));
    EXPECT_FALSE(system_.cancel("first", {}));
    EXPECT_FALSE(system_.cancel("nobody", {}));
    EXPECT_EQ(first.reason()->text, "enough");
    EXPECT_FALSE(second.is_cancelled());
    EXPECT_THAT(system_.active(), ElementsAre("second"));
    EXPECT_EQ(system_.find("first"), first);
    EXPECT_EQ(system_.find("nobody"), std::nullopt);
}

TEST_F(System, CancelAllIsAnEventAndNoLatch) {
    const auto before = token("before");
    (void)token("other");
    EXPECT_EQ(system_.cancel_all({CancelCode::shutdown, "", ""}), 2U);
    EXPECT_EQ(system_.cancel_all({CancelCode::shutdown, "", ""}), 0U);
    const auto after = token("after");
    EXPECT_TRUE(before.is_cancelled());
    EXPECT_FALSE(after.is_cancelled());
}

TEST_F(System, ForgetsWhatIsRemoved) {
    const auto removed = token("removed");
    system_.remove("removed");
    system_.remove("nobody");
    EXPECT_EQ(system_.cancel_all({}), 0U);
    EXPECT_FALSE(removed.is_cancelled());
    EXPECT_THAT(system_.active(), IsEmpty());
}

TEST_F(System, MayBeUsedFromManyThreads) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([this, i] {
            for (int round = 0; round < 200; ++round) {
                const std::string id = std::to_string(i) + "-" + std::to_string(round);
                system_.add(id, CancellationToken::create(executor_, timers_, clock_));
                if (round % 50 == 0) {
                    system_.cancel_all({});
                }
                system_.remove(id);
            }
        });
    }
    threads.clear();
    EXPECT_THAT(system_.active(), IsEmpty());
}

}  // namespace
}  // namespace ktrdr
