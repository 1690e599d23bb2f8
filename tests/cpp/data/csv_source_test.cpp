#include <ktrdr/data/csv_source.hpp>

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <fstream>
#include <optional>

#include "executors.hpp"
#include "temporary_folder.hpp"
#include "times.hpp"

namespace ktrdr {
namespace {

class CsvSourceTest : public testing::Test {
protected:
    CsvSourceTest() { write("AAPL_1d.csv", text_); }

    void write(const std::string& name, const std::string& text) const { std::ofstream(folder_.path() / name) << text; }
    template <class Value>
    Result<Value> run(boost::asio::awaitable<Result<Value>> question) {
        std::optional<Result<Value>> answer;
        boost::asio::co_spawn(io_, std::move(question), [&](const std::exception_ptr& thrown, Result<Value> given) {
            EXPECT_FALSE(thrown);
            answer.emplace(std::move(given));
        });
        io_.restart();
        io_.run();
        return *answer;
    }
    Result<SourceAnswer> year(const std::string& symbol) {
        return run(source_->fetch(symbol, day_, range("2024-01-01", "2025-01-01"), {}));
    }

    const std::string text_{
        "timestamp,open,high,low,close,volume\n2024-01-02T00:00:00Z,1,2,0.5,1.5,100\n"
        "2024-01-03T00:00:00Z,2,3,1.5,2.5,200\n2024-01-04T00:00:00Z,3,4,2.5,3.5,300\n"};
    const Timeframe day_ = Timeframe::parse("1d").value();
    test::TemporaryFolder folder_{};
    boost::asio::io_context io_{1};
    IoExecutor io_executor_{io_};
    ManualClock clock_{at("2024-06-03")};
    ManualTimerQueue timers_{clock_};
    ThreadExecutor compute_;
    const std::shared_ptr<CsvSource> source_ = CsvSource::open(folder_.path(), "csv", compute_, clock_).value();
};

TEST_F(CsvSourceTest, GivesTheBarsThatStartInsideTheSegment) {
    const auto answer = run(source_->fetch("AAPL", day_, range("2024-01-03", "2024-01-04"), {}));
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->bars.size(), 1U);
    EXPECT_EQ(answer->bars.start_of(0), at("2024-01-03"));
    EXPECT_EQ(answer->bars.volume.front(), 200);
    EXPECT_TRUE(run(source_->fetch("AAPL", day_, range("2025-01-03", "2025-01-04"), {})).value().bars.empty());
    EXPECT_EQ(run(source_->first_timestamp("AAPL", day_, {})).value(), at("2024-01-02"));
}

TEST_F(CsvSourceTest, NamesTheFilesThatItHasWhereThereIsNoneOfTheSeries) {
    EXPECT_TRUE(run(source_->validate_symbol("AAPL", day_, {})));
    const auto unknown = run(source_->validate_symbol("AAPL", Timeframe::parse("1h").value(), {}));
    ASSERT_EQ(unknown.error().code, Errc::symbol_unknown);
    EXPECT_NE(unknown.error().message.find("put AAPL_1h.csv there; it has AAPL_1d.csv"), std::string::npos)
        << unknown.error().message;
    EXPECT_EQ(year("MSFT").error().code, Errc::symbol_unknown);
    EXPECT_EQ(run(source_->first_timestamp("MSFT", day_, {})).error().code, Errc::symbol_unknown);
}

TEST_F(CsvSourceTest, FindsSymbolsThatNoFileCanBeNamedAfter) {
    write("BTC%2FUSDT_1d.csv", text_);
    write("BRK B_1d.csv", text_);
    write("100%25_1d.csv", text_);
    for (const char* const symbol : {"BTC/USDT", "BRK B", "100%"}) {
        EXPECT_EQ(year(symbol).value().bars.size(), 3U) << symbol;
    }
    EXPECT_EQ(year("../AAPL").error().code, Errc::symbol_unknown);
}

TEST_F(CsvSourceTest, RefusesABrokenFileWithFileLineAndColumn) {
    write("AAPL_1d.csv", text_ + "2024-01-05T00:00:00Z,3,four,2,3,1\n");
    const auto bars = year("AAPL");
    EXPECT_EQ(bars.error().code, Errc::invalid_argument);
    for (const char* const word : {"AAPL_1d.csv", "line 5", "high"}) {
        EXPECT_NE(bars.error().message.find(word), std::string::npos) << bars.error().message;
    }
}

TEST_F(CsvSourceTest, SeesAFileThatWasReplaced) {
    EXPECT_EQ(year("AAPL").value().bars.size(), 3U);
    write("AAPL_1d.csv", text_ + "2024-01-05T00:00:00Z,3,4,2,3,1\n");
    EXPECT_EQ(year("AAPL").value().bars.size(), 4U);
}

TEST_F(CsvSourceTest, LeavesOutALastBarThatIsNotClosed) {
    write("AAPL_1d.csv", text_ + "2024-06-02T00:00:00Z,3,4,2,3,1\n2024-06-03T00:00:00Z,3,4,2,3,1\n");
    EXPECT_EQ(year("AAPL").value().bars.start_of(3), at("2024-06-02"));
    EXPECT_EQ(year("AAPL").value().bars.size(), 4U);
}

TEST_F(CsvSourceTest, StopsWhenItsTokenIsCancelled) {
    const SourceCall call{.token = CancellationToken::create(io_executor_, timers_, clock_)};
    call.token.cancel(CancelReason{.text = "enough"});
    EXPECT_EQ(run(source_->fetch("AAPL", day_, range("2024-01-01", "2025-01-01"), call)).error().code, Errc::cancelled);
}

TEST_F(CsvSourceTest, NeedsAFolderAndAName) {
    EXPECT_EQ(CsvSource::open(folder_.path() / "none", "csv", compute_, clock_).error().code, Errc::not_found);
    EXPECT_EQ(CsvSource::open(folder_.path(), "", compute_, clock_).error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace ktrdr
