#include <gtest/gtest.h>

#include <memory>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/operations/waiter.hpp>

namespace ktrdr {
namespace {

class Waiters : public testing::Test {
protected:
    [[nodiscard]] std::unique_ptr<OperationWaiter> waiter() const {
        return std::make_unique<OperationWaiter>(operation_);
    }

    ManualClock clock_{};
    std::shared_ptr<Operation> operation_ =
        Operation::make(OperationSpec{.type = "test", .id = "op_waited"}, CancellationToken{}, clock_);
};

TEST_F(Waiters, TellTheLastOneToLeave) {
    const auto one = waiter();
    const auto two = waiter();
    EXPECT_FALSE(one->leave());
    EXPECT_TRUE(two->leave());
}

TEST_F(Waiters, LeaveOnceAndMayComeBack) {
    const auto one = waiter();
    const auto two = waiter();
    EXPECT_FALSE(one->leave());
    EXPECT_FALSE(one->leave());
    one->join();
    one->join();
    EXPECT_FALSE(two->leave());
    EXPECT_TRUE(one->leave());
}

TEST_F(Waiters, AreGoneWithWhoLetsGoOfThem) {
    const auto one = waiter();
    auto two = waiter();
    two.reset();
    EXPECT_TRUE(one->leave());
}

TEST_F(Waiters, KeepTheOperation) {
    const auto one = waiter();
    const std::weak_ptr<Operation> watched = operation_;
    operation_.reset();
    EXPECT_FALSE(watched.expired());
    EXPECT_TRUE(one->leave());
}

}  // namespace
}  // namespace ktrdr
