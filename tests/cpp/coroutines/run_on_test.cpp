#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <stdexcept>

#include <ktrdr/coroutines/run_on.hpp>

#include "executors.hpp"

namespace ktrdr {
namespace {

class RunOnTest : public testing::Test {
protected:
    Result<int> run(std::function<Result<int>()> work) {
        boost::asio::co_spawn(io_, there_and_back(std::move(work)), boost::asio::detached);
        // Its own pending work keeps the loop running until the other thread has answered.
        io_.run();
        return *outcome_;
    }

    boost::asio::io_context io_{1};
    ThreadExecutor other_;

private:
    boost::asio::awaitable<void> there_and_back(std::function<Result<int>()> work) {
        outcome_ = co_await run_on(other_, std::move(work));
        EXPECT_FALSE(other_.runs_here());
        EXPECT_TRUE(io_.get_executor().running_in_this_thread());
    }

    std::optional<Result<int>> outcome_;
};

TEST_F(RunOnTest, WorksOnTheOtherThreadAndGoesOnWhereItWas) {
    EXPECT_EQ(run([this] { return Result<int>(other_.runs_here() ? 42 : 0); }).value(), 42);
}

TEST_F(RunOnTest, HandsAnErrorBack) {
    EXPECT_EQ(run([] { return Result<int>(fail(Errc::no_data, "nothing")); }).error().code, Errc::no_data);
}

TEST_F(RunOnTest, MakesAnErrorOfAnException) {
    const auto outcome = run([]() -> Result<int> { throw std::runtime_error("broken"); });
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::internal);
    EXPECT_EQ(outcome.error().message, "work on another thread: broken");
}

TEST_F(RunOnTest, AnExecutorWithoutAThreadIsAnError) {
    struct Refusing final : Executor {
        void post(Function) override { throw ErrorException(fail(Errc::out_of_resources, "no thread")); }
        [[nodiscard]] bool runs_here() const override { return false; }
    } refusing;
    std::optional<Result<int>> outcome;
    boost::asio::co_spawn(
        io_,
        [&]() -> boost::asio::awaitable<void> {
            outcome = co_await run_on(refusing, std::function<Result<int>()>([] { return Result<int>(1); }));
        },
        boost::asio::detached);
    io_.run();
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->error().code, Errc::out_of_resources);
}

}  // namespace
}  // namespace ktrdr
