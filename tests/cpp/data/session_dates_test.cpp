#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <data/manager_fixture.hpp>

namespace ktrdr {
namespace {

using testing::HasSubstr;

/// Bars at each hour of a range, whatever the market.
SourceAnswer hours_of(TimeRange range) {
    Bars bars;
    for (UtcTime stamp = std::chrono::ceil<std::chrono::hours>(range.start); stamp < range.end;
         stamp += std::chrono::hours{1}) {
        bars.push_back(stamp.time_since_epoch().count(), 1, 2, 0.5, 1.5, Bars::no_volume);
    }
    return bars;
}

/// A date without a time is a session's, in whatever takes dates.
class SessionDatesTest : public ManagerFixture {
protected:
    SessionDatesTest() {
        source_->symbols = {"EURUSD", "BTC", "OTHER", "AAPL"};
        source_->bars = hours_of;
    }
    BarsView load(const LoadRequest& request) {
        auto operation = manager_->load_data(request, {}).value();
        finish();
        EXPECT_EQ(operation->status(), OperationStatus::completed)
            << (operation->result() ? "" : operation->result().error().message);
        return std::any_cast<BarsView>(operation->result().value());
    }
    static TimeRange reach(const BarsView& bars) {
        const BarsPtr own = bars.own();
        return {own->start_of(0), own->start_of(own->size() - 1)};
    }

    std::shared_ptr<FakeSource> source_ = std::make_shared<FakeSource>();
    std::shared_ptr<DataManager> manager_ = open(source_);
};

TEST_F(SessionDatesTest, OfForexBeginOnTheEveningBeforeInNewYork) {
    source_->contract = {"forex", "IDEALPRO", "USD"};
    const LoadRequest dates{
        .symbol = "EURUSD", .timeframe = "1h", .start_date = "2024-05-06", .end_date = "2024-05-07", .mode = "full"};
    const TimeRange sessions{at("2024-05-05T21:00"), at("2024-05-07T20:00")};
    EXPECT_EQ(reach(load(dates)), sessions) << "the first load learns the contract on its way";
    ASSERT_FALSE(source_->fetched.empty());
    EXPECT_EQ(source_->fetched.front().start, at("2024-05-05T21:00"));
    // More than the sessions is stored, and all who take dates agree on which bars are theirs.
    load({.symbol = "EURUSD", .timeframe = "1h", .start_date = "2024-05-02", .end_date = "2024-05-10", .mode = "full"});
    LoadRequest local = dates;
    local.mode = "local";
    EXPECT_EQ(reach(load(local)), sessions);
    EXPECT_EQ(reach(load(dates)), sessions);
    EXPECT_EQ(reach(manager_->get_data(local, std::nullopt).value()), sessions);
    const BarGrid grid = BarGrid::make(Timeframe::parse("1h").value(), SessionCalendar::shipped("FOREX").value(),
                                       {.provider = "IB", .asset_class = "forex"})
                             .value();
    EXPECT_EQ(reach(manager_->series_to_check({"EURUSD", {}, "2024-05-06", "2024-05-07"}, grid)->bars), sessions);
    EXPECT_EQ(manager_->forget(local).value(), 48U);
    EXPECT_EQ(manager_->get_data(local, std::nullopt).error().code, Errc::no_data);
}

TEST_F(SessionDatesTest, OfForexOnAWeekendHoldNothingOfMonday) {
    source_->contract = {"forex", "IDEALPRO", "USD"};
    LoadRequest request{
        .symbol = "EURUSD", .timeframe = "1h", .start_date = "2024-05-03", .end_date = "2024-05-05", .mode = "full"};
    load({.symbol = "EURUSD", .timeframe = "1h", .start_date = "2024-05-01", .end_date = "2024-05-10", .mode = "full"});
    request.mode = "local";
    const BarsView bars = load(request);
    EXPECT_EQ(reach(bars).start, at("2024-05-02T21:00"));
    EXPECT_LT(reach(bars).end, at("2024-05-05T21:00"));
}

TEST_F(SessionDatesTest, OfCoinsAndOfWhatNobodyKnowsAreUtcDays) {
    for (const Contract& contract :
         {Contract{"crypto", "PAXOS", "USD"}, Contract{}, Contract{"future", "CME", "USD"}}) {
        source_->contract = contract;
        const std::string symbol = contract.asset_class == "crypto" ? "BTC" : "OTHER";
        const BarsView bars = load({.symbol = symbol,
                                    .timeframe = "1h",
                                    .start_date = "2024-05-06",
                                    .end_date = "2024-05-07",
                                    .mode = "full"});
        EXPECT_EQ(reach(bars), (TimeRange{at("2024-05-06T00:00"), at("2024-05-07T23:00")})) << contract.asset_class;
    }
}

TEST_F(SessionDatesTest, WithATimeAreThatTime) {
    source_->contract = {"forex", "IDEALPRO", "USD"};
    const BarsView bars = load({.symbol = "EURUSD",
                                .timeframe = "1h",
                                .start_date = "2024-05-06T00:00",
                                .end_date = "2024-05-06T18:00",
                                .mode = "full"});
    EXPECT_EQ(reach(bars), (TimeRange{at("2024-05-06T00:00"), at("2024-05-06T17:00")}));
}

TEST_F(SessionDatesTest, OfDailyBarsAreTheirStamps) {
    source_->contract = {"forex", "IDEALPRO", "USD"};
    source_->bars = daily_bars;
    const BarsView bars = load(
        {.symbol = "EURUSD", .timeframe = "1d", .start_date = "2024-05-06", .end_date = "2024-05-07", .mode = "full"});
    EXPECT_EQ(reach(bars), (TimeRange{at("2024-05-06"), at("2024-05-07")}));
}

TEST_F(SessionDatesTest, OfASessionThatHasBegunOnTheDayBeforeCanBeAskedFor) {
    // 22:30 UTC on Sunday: Monday's session is an hour old, and so is its first bar.
    clock_.advance(at("2024-06-09T22:30") - clock_.utc_now());
    source_->contract = {"forex", "IDEALPRO", "USD"};
    const LoadRequest monday{
        .symbol = "EURUSD", .timeframe = "1h", .start_date = "2024-06-10", .end_date = "2024-06-10", .mode = "full"};
    EXPECT_EQ(reach(load(monday)).start, at("2024-06-09T21:00"));
    EXPECT_EQ(reach(load(monday)).start, at("2024-06-09T21:00"));
    // Tuesday's has not: at once where its calendar is known.
    LoadRequest tuesday = monday;
    tuesday.start_date = tuesday.end_date = "2024-06-11";
    EXPECT_THAT(manager_->load_data(tuesday, {}).error().message, HasSubstr("start_date 2024-06-11 is not before"));
}

TEST_F(SessionDatesTest, AreThoseOfTheSeriesWhereASymbolIsStoredAsSeveral) {
    source_->contract = {"forex", "IDEALPRO", "USD"};
    LoadRequest request{.symbol = "EURUSD",
                        .timeframe = "1h",
                        .start_date = "2024-05-06",
                        .end_date = "2024-05-07",
                        .mode = "full",
                        .series = {.instrument_type = "forex"}};
    load(request);
    source_->contract = {"crypto", "PAXOS", "USD"};
    request.series.instrument_type = "crypto";
    load(request);
    request.mode = "local";
    EXPECT_EQ(reach(load(request)).start, at("2024-05-06T00:00"));
    request.series.instrument_type = "forex";
    EXPECT_EQ(reach(load(request)).start, at("2024-05-05T21:00"));
    request.series = {};
    const auto ambiguous = manager_->load_data(request, {});
    EXPECT_THAT(ambiguous.error().message, HasSubstr("EURUSD 1h is stored as 2 series: "));
    EXPECT_EQ(manager_->series()->size(), 2U);
}

}  // namespace
}  // namespace ktrdr
