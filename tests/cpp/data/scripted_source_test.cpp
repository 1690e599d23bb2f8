#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include <data/fakes.hpp>
#include <ktrdr/data/scripted_source.hpp>

namespace ktrdr {
namespace {

class ScriptedSourceTest : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(source_.set_bars("AAPL", day_, daily_bars(month_))); }

    /// Begin a call; its outcome is there once the io context has carried it out.
    template <class T>
    std::shared_ptr<std::optional<Result<T>>> begin(boost::asio::awaitable<Result<T>> call) {
        auto outcome = std::make_shared<std::optional<Result<T>>>();
        boost::asio::co_spawn(io_, std::move(call), [outcome](const std::exception_ptr&, Result<T> result) {
            outcome->emplace(std::move(result));
        });
        run();
        return outcome;
    }
    void run() {
        io_.restart();
        io_.poll();
    }

    ManualClock clock_;
    boost::asio::io_context io_{1};
    IoExecutor executor_{io_};
    ManualTimerQueue timers_{clock_};
    const SourceCall call_{.token = CancellationToken::create(executor_, timers_, clock_)};
    const Timeframe day_ = Timeframe::parse("1d").value();
    const TimeRange month_ = range("2020-01-01", "2020-02-01");
    const TimeRange week_ = range("2020-01-06", "2020-01-13");
    ScriptedSource source_{executor_, "IB"};
};

TEST_F(ScriptedSourceTest, HasTheBarsItWasGivenAndNoOthers) {
    EXPECT_EQ((*begin(source_.fetch("AAPL", day_, week_, call_)))->value().bars, daily_bars(week_));
    EXPECT_TRUE((*begin(source_.fetch("AAPL", Timeframe::parse("1h").value(), week_, call_)))->value().bars.empty());
    EXPECT_TRUE((*begin(source_.validate_symbol("AAPL", day_, call_)))->has_value());
    EXPECT_EQ((*begin(source_.validate_symbol("MSFT", day_, call_)))->error().code, Errc::symbol_unknown);
    EXPECT_EQ((*begin(source_.first_timestamp("AAPL", day_, call_)))->value(), month_.start);
    EXPECT_EQ((*begin(source_.first_timestamp("MSFT", day_, call_)))->value(), std::nullopt);
    EXPECT_EQ(source_.fetches(), 2U);
}

TEST_F(ScriptedSourceTest, RefusesBarsThatNoSeriesCanHave) {
    Bars bars = daily_bars(week_);
    std::swap(bars.time[0], bars.time[1]);
    EXPECT_FALSE(source_.set_bars("AAPL", day_, bars));
    EXPECT_EQ(source_.set_bars("a\nb", day_, {}).error().code, Errc::invalid_argument);
}

TEST_F(ScriptedSourceTest, FailsAsItIsTold) {
    source_.fail_with(fail(Errc::host_service, "the market is closed"));
    EXPECT_EQ((*begin(source_.fetch("AAPL", day_, week_, call_)))->error().code, Errc::host_service);
    source_.fail_with(std::nullopt);
    EXPECT_TRUE((*begin(source_.fetch("AAPL", day_, week_, call_)))->has_value());
}

TEST_F(ScriptedSourceTest, HoldsFetchesUntilTheyAreReleased) {
    source_.hold();
    EXPECT_FALSE(source_.wait_until_held(std::chrono::nanoseconds{0}));
    const auto first = begin(source_.fetch("AAPL", day_, week_, call_));
    const auto second = begin(source_.fetch("AAPL", day_, month_, call_));
    EXPECT_TRUE(source_.wait_until_held(std::chrono::nanoseconds{0}));
    EXPECT_FALSE(*first);
    source_.release();
    run();
    EXPECT_EQ((*first)->value().bars.size(), 7U);
    EXPECT_EQ((*second)->value().bars.size(), 31U);
    EXPECT_FALSE(source_.wait_until_held(std::chrono::nanoseconds{0}));
    EXPECT_TRUE(*begin(source_.fetch("AAPL", day_, week_, call_)));
}

TEST_F(ScriptedSourceTest, LetsAHeldFetchGoThatIsCancelled) {
    source_.hold();
    const auto held = begin(source_.fetch("AAPL", day_, week_, call_));
    call_.token.cancel({.text = "enough"});
    run();
    EXPECT_EQ((*held)->error().code, Errc::cancelled);
    source_.release();
    run();
}

}  // namespace
}  // namespace ktrdr
