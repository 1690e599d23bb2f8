// Bars that somebody brings: what they cover, files and their names, and the way into the store.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include <data/manager_fixture.hpp>
#include <ktrdr/data/own_bars.hpp>

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

Bars stamped_bars(const std::vector<std::string>& stamps) {
    Bars bars;
    for (const std::string& stamp : stamps) {
        bars.push_back(at(stamp).time_since_epoch().count(), 10, 12, 9, 11, 100);
    }
    return bars;
}

std::vector<TimeRange> covered(const std::vector<std::string>& stamps, const char* timeframe = "1d") {
    return covered_by(stamped_bars(stamps), Timeframe::parse(timeframe).value());
}

TEST(FaultOfOwn, IsTheFirstBarThatHasNotEnded) {
    const BarGrid day(Timeframe::parse("1d").value());
    const Bars two_days = stamped_bars({"2024-01-02", "2024-01-03"});
    EXPECT_FALSE(fault_of_own(two_days, day, at("2024-01-04")));
    EXPECT_FALSE(fault_of_own(Bars{}, day, at("2024-01-04")));
    const auto second = fault_of_own(two_days, day, at("2024-01-03T23:00"));
    ASSERT_TRUE(second);
    EXPECT_EQ(second->row, 1U);
    EXPECT_EQ(second->column, "timestamp");
    EXPECT_THAT(second->what, HasSubstr("not closed before 2024-01-04T00:00"));
    EXPECT_EQ(fault_of_own(two_days, day, at("2023-01-01"))->row, 0U);
}

TEST(FaultOfOwn, TakesADayWhoseSessionIsOverAndOneThatIsOverItself) {
    const Timeframe day = Timeframe::parse("1d").value();
    const BarGrid new_york = BarGrid::make(day, SessionCalendar::shipped("XNYS").value(), {}).value();
    // The half day before the holiday.
    EXPECT_FALSE(fault_of_own(stamped_bars({"2024-07-02", "2024-07-03"}), new_york, at("2024-07-03T17:00")));
    const auto open = fault_of_own(stamped_bars({"2024-07-02", "2024-07-03"}), new_york, at("2024-07-03T16:59"));
    ASSERT_TRUE(open);
    EXPECT_THAT(open->what, HasSubstr("not closed before 2024-07-03T17:00"));
    const BarGrid forex = BarGrid::make(day, SessionCalendar::shipped("FOREX").value(), {}).value();
    // Friday's period ends when the market opens on Sunday; nothing trades meanwhile.
    EXPECT_FALSE(fault_of_own(stamped_bars({"2024-07-05"}), forex, at("2024-07-06")));
}

TEST(CoveredBy, ReachesFromTheFirstBarToTheEndOfTheLast) {
    EXPECT_THAT(covered({"2024-01-02", "2024-01-03", "2024-01-08"}), ElementsAre(range("2024-01-02", "2024-01-09")));
    EXPECT_THAT(covered({"2024-01-05T20:59", "2024-01-08T14:30"}, "1m"),
                ElementsAre(range("2024-01-05T20:59", "2024-01-08T14:31")));
    EXPECT_THAT(covered({}), SizeIs(0));
}

TEST(CoveredBy, LeavesOutWhatIsLongerThanAnyHoliday) {
    EXPECT_THAT(covered({"2024-01-02", "2024-01-11", "2024-01-12"}),
                ElementsAre(range("2024-01-02", "2024-01-03"), range("2024-01-11", "2024-01-13")));
    EXPECT_THAT(covered({"2024-01-02", "2024-01-10"}), SizeIs(1));
    EXPECT_THAT(covered({"2024-01-01", "2024-01-15"}, "1w"), SizeIs(1));
    EXPECT_THAT(covered({"2024-01-01", "2024-01-29"}, "1w"), SizeIs(2));
    EXPECT_THAT(covered({"2024-01-01", "2024-03-01"}, "1M"), SizeIs(1));
    EXPECT_THAT(covered({"2024-01-01", "2024-06-01"}, "1M"), SizeIs(2));
}

TEST(ImportRequest, TakesWhatItDoesNotSayFromTheFilesName) {
    const auto named = [](const char* file, std::optional<std::string> symbol = {},
                          std::optional<std::string> timeframe = {}) {
        const auto key = check_series(ImportRequest{file, std::move(symbol), std::move(timeframe)}, "IB");
        return key ? key->symbol + " " + std::string(key->timeframe.name()) : key.error().message;
    };
    EXPECT_EQ(named("/bars/AAPL_1d.csv"), "AAPL 1d");
    EXPECT_EQ(named("BTC%2FUSDT_1h.csv"), "BTC/USDT 1h");
    EXPECT_EQ(named("BRK%20B_1d.csv"), "BRK B 1d");
    EXPECT_EQ(named("AAPL  250117C00150000_1d.csv"), "AAPL  250117C00150000 1d");
    EXPECT_EQ(named("100%_1d.csv"), "100% 1d");
    EXPECT_THAT(named("A%0AB_1d.csv"), HasSubstr("U+000A at byte 1"));
    EXPECT_EQ(named("ES_F_15m.csv"), "ES_F 15m");
    EXPECT_EQ(named("AAPL.csv", {}, "1d"), "AAPL 1d");
    EXPECT_EQ(named("prices.csv", "MSFT", "1M"), "MSFT 1M");
    EXPECT_EQ(named("AAPL_1d.csv", "MSFT"), "MSFT 1d");
    EXPECT_EQ(named("AAPL_1d.csv", {}, "1h"), "AAPL 1h");
    EXPECT_THAT(named("AAPL.csv"), HasSubstr("AAPL.csv does not say in its name which timeframe"));
    EXPECT_THAT(named("AAPL_2d.csv"), HasSubstr("SYMBOL_timeframe.csv"));
    EXPECT_THAT(named("AAPL_1d.csv", {}, "2d"), HasSubstr("timeframe \"2d\" is not known"));
    EXPECT_THAT(named("_1d.csv"), HasSubstr("symbol \"\" is not one"));
}

class CsvFileTest : public testing::Test {
protected:
    [[nodiscard]] std::filesystem::path write(const std::string& text) const {
        const auto path = folder_.path() / "AAPL_1d.csv";
        std::ofstream(path, std::ios::binary) << text;
        return path;
    }
    [[nodiscard]] Result<OwnBars> read(const std::string& text, const CancellationToken& token = {}) {
        return CsvFile::open(write(text))
            .value()
            ->read(BarGrid(day_), at("2024-06-03"), token, [this](std::int64_t bytes) { bytes_ = bytes; });
    }

    test::TemporaryFolder folder_{};
    const Timeframe day_ = Timeframe::parse("1d").value();
    std::int64_t bytes_{0};
};

TEST_F(CsvFileTest, IsReadWithItsBytesCounted) {
    const std::string text = "timestamp,open,high,low,close,volume\n2024-01-02T00:00:00Z,10,12,9,11,100\n";
    const auto bars = read(text);
    ASSERT_TRUE(bars) << bars.error().message;
    EXPECT_EQ(*bars->bars, stamped_bars({"2024-01-02"}));
    EXPECT_EQ(bytes_, static_cast<std::int64_t>(text.size()));
}

TEST_F(CsvFileTest, NamesTheLineOfABarThatCannotBe) {
    const auto wrong = read("date,open,high,low,close,volume\n2024-01-02,10,12,9,11,1\n\n2024-01-03,10,8,9,11,1\n");
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message,
                HasSubstr("AAPL_1d.csv: line 4 (2024-01-03T00:00:00.000Z), column high: 8 is below"));
    EXPECT_EQ(wrong.error().context.at("line").to_number<int>(), 4);
    EXPECT_THAT(read("date,open,high,low,close\n2024-06-03,10,12,9,11\n").error().message, HasSubstr("not closed"));
}

TEST_F(CsvFileTest, IsAPlainFileThatIsThere) {
    EXPECT_EQ(CsvFile::open(folder_.path() / "none.csv").error().code, Errc::not_found);
    EXPECT_THAT(CsvFile::open(folder_.path()).error().message, HasSubstr("it is no plain file"));
    const auto fifo = folder_.path() / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_THAT(CsvFile::open(fifo).error().message, HasSubstr("it is no plain file"));
}

TEST_F(CsvFileTest, IsReadNoFurtherWhenItIsCancelled) {
    boost::asio::io_context io;
    IoExecutor executor(io);
    ManualClock clock{at("2024-06-03T15:30")};
    ManualTimerQueue timers{clock};
    const auto token = CancellationToken::create(executor, timers, clock);
    token.cancel({.text = "enough"});
    EXPECT_EQ(read("date,open,high,low,close\n2024-01-02,10,12,9,11\n", token).error().code, Errc::cancelled);
}

class StoringTest : public ManagerFixture {
protected:
    static BarsView view(Bars bars) { return BarsView(std::make_shared<const Bars>(std::move(bars))); }

    const StoreRequest daily_{.symbol = "AAPL", .timeframe = "1d"};
};

TEST_F(StoringTest, SaysWhatBecameOfTheBars) {
    const auto manager = open();
    ASSERT_TRUE(manager->store_bars(daily_, view(stamped_bars({"2024-01-02", "2024-01-03"})), {}));
    finish();
    const auto again = manager->store_bars(daily_, view(stamped_bars({"2024-01-03", "2024-01-04"})), {}).value();
    finish();
    ASSERT_EQ(again->status(), OperationStatus::completed);
    EXPECT_EQ(again->record().type, "data_store");
    EXPECT_EQ(again->record().progress->message, "Storing AAPL 1d: done");
    EXPECT_EQ(std::any_cast<boost::json::object>(again->result().value()),
              (boost::json::object{{"symbol", "AAPL"},
                                   {"timeframe", "1d"},
                                   {"bars", 2},
                                   {"added", 1},
                                   {"replaced", 1},
                                   {"first", "2024-01-03T00:00:00.000Z"},
                                   {"last", "2024-01-04T00:00:00.000Z"}}));
    const auto series = manager->series().value();
    ASSERT_THAT(series, SizeIs(1));
    EXPECT_EQ(series[0].bars, 3U);
}

TEST_F(StoringTest, RefusesAtOnceWhatCannotBeAndStoresNothing) {
    const auto manager = open();
    Bars wrong = stamped_bars({"2024-01-02", "2024-01-03"});
    wrong.low[1] = 10.5;
    const auto refused = manager->store_bars(daily_, view(wrong), {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("store AAPL 1d: row 1 (2024-01-03T00:00:00.000Z), column low"));
    EXPECT_FALSE(manager->store_bars({.symbol = "A\nB", .timeframe = "1d"}, view(stamped_bars({"2024-01-02"})), {}));
    EXPECT_FALSE(manager->store_bars({.symbol = "AAPL", .timeframe = "2d"}, view(stamped_bars({"2024-01-02"})), {}));
    EXPECT_THAT(manager->store_bars(daily_, BarsView(), {}).error().message, HasSubstr("no bar to store"));
    EXPECT_TRUE(registry_.live().empty());
    EXPECT_TRUE(manager->series()->empty());
    manager->close();
    EXPECT_EQ(manager->store_bars(daily_, view(stamped_bars({"2024-01-02"})), {}).error().code, Errc::client_closed);
}

TEST_F(StoringTest, StoresNothingOfWhatIsCancelled) {
    const auto manager = open();
    const auto operation = manager->store_bars(daily_, view(stamped_bars({"2024-01-02"})), {}).value();
    operation->request_cancel({.text = "enough"});
    finish();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_TRUE(manager->series()->empty());
}

TEST_F(StoringTest, IsAskedForNoMoreThanItsOwnRange) {
    const auto source = std::make_shared<FakeSource>();
    const auto manager = open(source);
    ASSERT_TRUE(manager->store_bars(daily_, view(stamped_bars({"2024-01-03", "2024-01-04", "2024-02-01"})), {}));
    finish();
    const auto load = manager
                          ->load_data({.symbol = "AAPL",
                                       .timeframe = "1d",
                                       .start_date = "2024-01-01",
                                       .end_date = "2024-02-29",
                                       .mode = "full"},
                                      {})
                          .value();
    finish();
    ASSERT_EQ(load->status(), OperationStatus::completed);
    // At once: the bars between cost less than further requests.
    EXPECT_THAT(source->fetched, ElementsAre(range("2024-01-01", "2024-03-01")));
    EXPECT_THAT(load->record().warnings, ElementsAre(HasSubstr("other numbers at the provider")));
    // Those of the source are around them, and none is in their place.
    const auto bars = std::any_cast<BarsView>(load->result().value());
    EXPECT_EQ(bars.size(), 60U);
    EXPECT_EQ(bars.open()[2], 10);
    EXPECT_EQ(bars.open()[31], 10);
}

TEST_F(StoringTest, ReadsAFileAndTellsWhatItLeavesOut) {
    const auto manager = open();
    const auto path = folder_.path() / "AAPL_1d.csv";
    std::ofstream(path) << "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,10,12,9,11,10.9,100\n";
    const auto operation = manager->import_csv({.file = path}, {}).value();
    finish();
    ASSERT_EQ(operation->status(), OperationStatus::completed);
    EXPECT_THAT(operation->record().warnings, ElementsAre(HasSubstr("Adj Close")));
    EXPECT_THAT(manager->series().value(), SizeIs(1));
    std::ofstream(path) << "Date,Open\n";
    const auto broken = manager->import_csv({.file = path}, {}).value();
    finish();
    EXPECT_EQ(broken->status(), OperationStatus::failed);
    EXPECT_EQ(manager->import_csv({.file = folder_.path() / "none_1d.csv"}, {}).error().code, Errc::not_found);
}

}  // namespace
}  // namespace ktrdr
