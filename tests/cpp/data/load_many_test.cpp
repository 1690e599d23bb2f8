// A watch list: one queue of requests, fair between its loads.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <any>

#include <data/manager_fixture.hpp>

namespace ktrdr {
namespace {

using std::chrono::days;
using testing::HasSubstr;

class LoadManyTest : public ManagerFixture {
protected:
    void SetUp() override {
        source_->limits = {.max_span = days{10}, .max_in_flight = 3};
        manager_ = open(source_);
    }

    std::shared_ptr<Operation> load_all(LoadManyRequest request) {
        request.timeframes = {"1d"};
        request.mode = "full";
        const auto operation = manager_->load_many(request, {}).value();
        finish();
        return operation;
    }

    /// By symbol, the place of its last request among all.
    [[nodiscard]] std::map<std::string, std::size_t> last_requests() const {
        std::map<std::string, std::size_t> last;
        for (std::size_t i = 0; i < source_->asked_for.size(); ++i) {
            last[source_->asked_for[i]] = i;
        }
        return last;
    }

    std::shared_ptr<FakeSource> source_ = std::make_shared<FakeSource>();
    std::shared_ptr<DataManager> manager_;
};

TEST_F(LoadManyTest, DoesNotHoldUpASymbolOfTwoSegmentsByOneOfTwoHundred) {
    // Of the others only the last days are missing.
    for (const char* const symbol : {"FEW1", "FEW2", "FEW3"}) {
        source_->symbols.insert(symbol);
        (void)manager_->load_data(
            {.symbol = symbol, .timeframe = "1d", .start_date = "2015-01-01", .end_date = "2020-06-05", .mode = "full"},
            {});
        finish();
    }
    for (const auto& at_once : {std::optional<std::size_t>(), std::optional<std::size_t>(4)}) {
        const std::string many = at_once ? "MSFT" : "AAPL";
        source_->asked_for.clear();
        const std::string end = at_once ? "2020-07-10" : "2020-06-25";
        const auto operation = load_all({.symbols = {many, "FEW1", "FEW2", "FEW3"},
                                         .start_date = "2015-01-01",
                                         .end_date = end,
                                         .at_once = at_once});
        ASSERT_EQ(operation->status(), OperationStatus::completed);
        const auto last = last_requests();
        EXPECT_GT(last.at(many), 200U);
        for (const char* const few : {"FEW1", "FEW2", "FEW3"}) {
            EXPECT_LT(last.at(few), 25U) << few;
        }
    }
}

TEST_F(LoadManyTest, HasOneBoundForTheRequestsOfAllSymbols) {
    LoadManyRequest request{.start_date = "2020-01-01", .end_date = "2021-01-01"};
    for (int i = 0; i < 20; ++i) {
        request.symbols.push_back(fmt::format("S{}", i));
        source_->symbols.insert(request.symbols.back());
    }
    source_->gather = 3;
    const auto operation = load_all(request);
    ASSERT_EQ(operation->status(), OperationStatus::completed);
    EXPECT_EQ(source_->most_in_flight, 3U);
    const auto loaded = std::any_cast<LoadedMany>(operation->result().value());
    ASSERT_EQ(loaded.size(), 20U);
    for (const LoadedOne& one : loaded) {
        EXPECT_EQ(one.bars->size(), 367U);
    }
    EXPECT_EQ(operation->progress().snapshot().step_current, 20);
}

TEST_F(LoadManyTest, SaysOfEachSymbolWhatBecameOfIt) {
    const auto operation =
        load_all({.symbols = {"AAPL", "NOBODY", "MSFT"}, .start_date = "2020-01-01", .end_date = "2020-03-01"});
    ASSERT_EQ(operation->status(), OperationStatus::completed);
    const auto loaded = std::any_cast<LoadedMany>(operation->result().value());
    EXPECT_TRUE(loaded[0].bars);
    EXPECT_EQ(loaded[1].bars.error().code, Errc::symbol_unknown);
    EXPECT_TRUE(loaded[2].bars);
    EXPECT_THAT(operation->record().warnings.at(0), HasSubstr("NOBODY 1d"));
}

TEST_F(LoadManyTest, CancelsEveryLoadThatWaitsOrAsks) {
    LoadManyRequest request{.timeframes = {"1d"}, .start_date = "2015-01-01", .end_date = "2020-01-01", .mode = "full"};
    for (int i = 0; i < 10; ++i) {
        request.symbols.push_back(fmt::format("S{}", i));
        source_->symbols.insert(request.symbols.back());
    }
    std::shared_ptr<Operation> operation;
    source_->on_fetch = [&](TimeRange) -> Result<void> {
        if (source_->fetched.size() >= 30) {
            (void)operation->request_cancel({.text = "enough"});
        }
        return {};
    };
    operation = manager_->load_many(request, {}).value();
    finish();
    EXPECT_EQ(operation->status(), OperationStatus::cancelled);
    EXPECT_LE(source_->fetched.size(), 36U);
    EXPECT_EQ(source_->in_flight, 0U);
}

TEST_F(LoadManyTest, AsksForLoadsOfAHigherPriorityFirst) {
    const auto start = [this](const std::string& symbol, const char* from, int priority) {
        return manager_
            ->load_data({.symbol = symbol,
                         .timeframe = "1d",
                         .start_date = from,
                         .end_date = "2019-12-31",
                         .mode = "full",
                         .priority = priority},
                        {})
            .value();
    };
    std::shared_ptr<Operation> urgent;
    source_->takes = std::chrono::milliseconds{50};
    source_->on_fetch = [&](TimeRange) -> Result<void> {
        if (!urgent && source_->fetched.size() >= 6) {
            urgent = start("MSFT", "2019-01-01", 5);
        }
        return {};
    };
    const auto usual = start("AAPL", "2018-01-01", 0);
    finish();
    ASSERT_EQ(urgent->status(), OperationStatus::completed);
    ASSERT_EQ(usual->status(), OperationStatus::completed);
    const auto& all = source_->asked_for;
    const auto first = std::find(all.begin(), all.end(), "MSFT");
    const auto last = std::find(all.rbegin(), all.rend(), "MSFT").base();
    const auto urgent_ones = std::count(first, last, "MSFT");
    // In turns there would be as many of each. Those that are under way are answered, and no other goes between.
    EXPECT_LE(std::count(first, last, "AAPL"), 3);
    EXPECT_GE(urgent_ones, 5);
}

TEST_F(LoadManyTest, ALoadOfALowerPriorityStepsBackUntilTheOthersAreThrough) {
    const auto start = [this](const std::string& symbol, int priority) {
        return manager_
            ->load_data({.symbol = symbol,
                         .timeframe = "1d",
                         .start_date = "2018-01-01",
                         .end_date = "2019-12-31",
                         .mode = "full",
                         .priority = priority},
                        {})
            .value();
    };
    std::shared_ptr<Operation> usual;
    source_->takes = std::chrono::milliseconds{20};
    source_->on_fetch = [&](TimeRange) -> Result<void> {
        if (!usual && source_->fetched.size() >= 4) {
            usual = start("AAPL", 0);
        }
        return {};
    };
    const auto lower = start("MSFT", -3);
    finish();
    ASSERT_EQ(usual->status(), OperationStatus::completed);
    ASSERT_EQ(lower->status(), OperationStatus::completed);
    const auto& all = source_->asked_for;
    const auto first = std::find(all.begin(), all.end(), "AAPL");
    const auto last = std::find(all.rbegin(), all.rend(), "AAPL").base();
    EXPECT_GE(std::count(first, last, "AAPL"), 10);
    EXPECT_LE(std::count(first, last, "MSFT"), 3) << "while the usual load stores, the lower one asks";
    EXPECT_GE(std::count(last, all.end(), "MSFT"), 5) << "it is through before the usual one";
}

}  // namespace
}  // namespace ktrdr
