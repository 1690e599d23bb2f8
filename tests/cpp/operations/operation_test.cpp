#include <gmock/gmock.h>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {
namespace {

TEST(Smoke, Completes) {
    ManualClock clock;
    ManualExecutor io;
    ManualTimerQueue timers(clock);
    Operation op({"data_load", "op_1", "", {}}, CancellationToken::create(io, timers, clock), clock);
    ASSERT_TRUE(op.start());
    op.finish(std::any(5));
    EXPECT_EQ(op.status(), OperationStatus::completed);
    EXPECT_EQ(std::any_cast<int>(op.result().value()), 5);
}

}  // namespace
}  // namespace ktrdr
