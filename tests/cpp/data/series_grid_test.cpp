// Whose sessions a series has, by what is known of its contract.
#include "../../../cpp/data/src/series_grid.hpp"

#include <gtest/gtest.h>

#include "held_calendars.hpp"

namespace ktrdr {
namespace {

SeriesKey hourly_key(Contract said = {}, std::string session = "regular") {
    return {.provider = "IB",
            .symbol = "EUR",
            .timeframe = Timeframe::parse("1h").value(),
            .session = std::move(session),
            .asset_class = std::move(said.asset_class),
            .exchange = std::move(said.exchange),
            .currency = std::move(said.currency)};
}

std::string calendar_by_contract(const SeriesKey& key, const Contract& contract,
                                 const CalendarRulesPtr& rules = nullptr) {
    const auto grid = grid_of(key, contract, rules);
    EXPECT_TRUE(grid) << grid.error().message;
    return grid->calendar() ? grid->calendar()->name() : "none";
}

TEST(SeriesGrid, HasTheSessionsOfNewYorkForItsStocksAndFunds) {
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"stock", "NASDAQ", "USD"}), "XNYS");
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"etf", "ARCA", "USD"}), "XNYS");
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"stock", "SMART", "USD"}), "XNYS");
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"stock", "SMART", "EUR"}), "none") << "a router of other places, too";
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"stock", "LSE", "USD"}), "none");
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"index", "NYSE", "USD"}), "none");
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"forex", "IDEALPRO", "USD"}), "FOREX");
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"crypto", "PAXOS", "USD"}), "CRYPTO");
    EXPECT_EQ(calendar_by_contract(hourly_key(), {}), "none");
}

TEST(SeriesGrid, TakesFromTheKeyWhatNobodyHasSaidOfTheContract) {
    const SeriesKey stock = hourly_key({"stock", "NYSE", "USD"});
    EXPECT_EQ(calendar_by_contract(stock, {}), "XNYS");
    EXPECT_EQ(calendar_by_contract(stock, {"", "LSE", ""}), "none");
    EXPECT_EQ(calendar_by_contract(stock, {"", "", "EUR"}), "none");
    EXPECT_EQ(calendar_by_contract(stock, {"forex", "", ""}), "FOREX");
}

TEST(SeriesGrid, TakesTheCalendarOfTheUserBySeriesAndByName) {
    const CalendarRulesPtr mine = CalendarRules::read(
                                      "calendar,MINE\nzone,Asia/Tokyo\ndates,2024-01-01,2024-12-31\n"
                                      "offset,2023-12-30T00:00Z,+09:00\nweek,2024-01-01,mon-fri,09:00,15:00\n"
                                      "series,MINE,symbol=7203\ncalendar,XNYS\nclosed,2030-01-09\n",
                                      "mine.csv")
                                      .value();
    SeriesKey toyota = hourly_key();
    toyota.symbol = "7203";
    EXPECT_EQ(calendar_by_contract(toyota, {"stock", "NYSE", "USD"}, mine), "MINE");
    const Contract stock{"stock", "NYSE", "USD"};
    const auto changed = grid_of(hourly_key(), stock, mine).value();
    const std::chrono::sys_days day{std::chrono::year{2030} / 1 / 9};
    EXPECT_FALSE(changed.calendar()->is_session(day));
    EXPECT_TRUE(grid_of(hourly_key(), stock, nullptr)->calendar()->is_session(day));
    EXPECT_EQ(calendar_by_contract(hourly_key(), {"crypto", "", ""}, mine), "CRYPTO")
        << "of which the user says nothing";
    EXPECT_EQ(calendar_by_contract(hourly_key(), {}, mine), "none");
}

}  // namespace
}  // namespace ktrdr
