// A load waits for another that asks for the same bars.
#include "../../../cpp/data/src/segment_lease.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <csignal>

#include "executors.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

class SegmentLeaseTest : public testing::Test {
protected:
    using Waiting = std::shared_ptr<std::optional<Result<SegmentLease>>>;

    Waiting wait_for(TimeRange part, LeasePatience patience = {}) {
        auto waiting = std::make_shared<std::optional<Result<SegmentLease>>>();
        boost::asio::co_spawn(io_, lease_segment(store_, key_, part, token_, patience),
                              [waiting](const std::exception_ptr& thrown, Result<SegmentLease> leased) {
                                  EXPECT_FALSE(thrown);
                                  waiting->emplace(std::move(leased));
                              });
        return waiting;
    }

    void finish() {
        io_.restart();
        io_.run();
    }

    test::TemporaryFolder folder_{};
    const std::filesystem::path file_ = folder_.path() / "ktrdr.db";
    ManualClock clock_{at("2024-06-03T15:30")};
    boost::asio::io_context io_{1};
    IoExecutor io_executor_{io_};
    ManualTimerQueue timers_{clock_};
    CancellationToken token_ = CancellationToken::create(io_executor_, timers_, clock_);
    std::shared_ptr<BarStore> store_ = BarStore::open(file_).value();
    const SeriesKey key_{.provider = "IB", .symbol = "AAPL", .timeframe = Timeframe::parse("1m").value()};
    const TimeRange week_ = range("2024-01-08", "2024-01-15");
};

TEST_F(SegmentLeaseTest, IsThereAtOnceWhereNobodyElseAsks) {
    const auto waiting = wait_for(week_);
    finish();
    EXPECT_TRUE((*waiting)->value().lease);
    EXPECT_FALSE((*waiting)->value().waited);
}

TEST_F(SegmentLeaseTest, ComesWhenTheOtherOfThisProcessLetsGo) {
    auto other = store_->lease(key_, week_).value();
    const auto waiting = wait_for(week_);
    ASSERT_FALSE(store_->lease(key_, week_).value());
    io_.poll();
    EXPECT_FALSE(*waiting);
    other.reset();
    finish();
    EXPECT_TRUE((*waiting)->value().lease);
    EXPECT_TRUE((*waiting)->value().waited);
}

TEST_F(SegmentLeaseTest, ComesWhenTheProcessThatHeldItIsKilled) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
        const auto store = BarStore::open(file_).value();
        const auto lease = store->lease(key_, week_).value();
        if (!lease || write(ends[1], "r", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    char ready = 0;
    ASSERT_EQ(::read(ends[0], &ready, 1), 1);
    const auto waiting = wait_for(week_);
    io_.poll();
    EXPECT_FALSE(*waiting);
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    finish();
    EXPECT_TRUE((*waiting)->value().lease);
    EXPECT_TRUE((*waiting)->value().waited);
    close(ends[0]);
    close(ends[1]);
}

TEST_F(SegmentLeaseTest, StopsWaitingWhenItsLoadIsCancelled) {
    const auto other = store_->lease(key_, week_).value();
    // It would look again in an hour.
    const auto waiting = wait_for(week_, {.pause = std::chrono::hours{1}});
    io_.poll();
    EXPECT_FALSE(*waiting);
    boost::asio::post(io_, [this] { (void)token_.cancel(CancelReason{.text = "enough"}); });
    finish();
    EXPECT_EQ((*waiting)->error().code, Errc::cancelled);
}

TEST_F(SegmentLeaseTest, GoesOnWithoutOneThatHangs) {
    const auto other = store_->lease(key_, week_).value();
    const auto waiting =
        wait_for(week_, {.pause = std::chrono::milliseconds{1}, .longest = std::chrono::milliseconds{5}});
    finish();
    EXPECT_FALSE((*waiting)->value().lease);
    EXPECT_TRUE((*waiting)->value().waited);
}

}  // namespace
}  // namespace ktrdr
