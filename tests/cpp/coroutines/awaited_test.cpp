#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>

#include <ktrdr/coroutines/awaited.hpp>

namespace ktrdr {
namespace {

boost::asio::awaitable<void> wait_for(std::function<void(std::string)>* done, std::string* answer) {
    auto start = [done](auto given) { *done = std::move(given); };
    *answer = co_await awaited<std::string>(start);
}

TEST(Awaited, IsWhatItsCallbackIsGiven) {
    boost::asio::io_context io{1};
    std::function<void(std::string)> done;
    std::string answer;
    boost::asio::co_spawn(io, wait_for(&done, &answer), boost::asio::detached);
    io.poll();
    ASSERT_TRUE(done);
    EXPECT_EQ(answer, "");
    done("forty-two");
    EXPECT_EQ(answer, "forty-two");
}

}  // namespace
}  // namespace ktrdr
