#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <ktrdr/market/bar_check.hpp>

#include "times.hpp"

namespace ktrdr {
namespace {

using testing::HasSubstr;

Bars stamped(std::initializer_list<std::string_view> stamps) {
    Bars bars;
    for (const std::string_view stamp : stamps) {
        bars.push_back(at(stamp).time_since_epoch().count(), 10, 12, 9, 11, 100);
    }
    return bars;
}

Bars two_days() {
    return stamped({"2024-01-02", "2024-01-03"});
}

std::optional<BarFault> fault_of(const Bars& bars, std::string_view timeframe = "1d") {
    return find_fault(bars, Timeframe::parse(timeframe).value());
}

void expect_fault(const Bars& bars, std::size_t row, std::string_view column, std::string_view words,
                  std::string_view timeframe = "1d") {
    const auto fault = fault_of(bars, timeframe);
    ASSERT_TRUE(fault) << words;
    EXPECT_EQ(fault->row, row) << fault->what;
    EXPECT_EQ(fault->column, column) << fault->what;
    EXPECT_THAT(fault->what, HasSubstr(std::string(words)));
}

TEST(FindFault, FindsNoneInSoundBars) {
    EXPECT_FALSE(fault_of(Bars{}));
    EXPECT_FALSE(fault_of(two_days()));
    Bars odd = two_days();
    odd.open = odd.high = odd.low = odd.close = {-37.63, 1e-8};
    odd.volume = {-1, 0};
    EXPECT_FALSE(fault_of(odd));
}

TEST(FindFault, SeesStampsThatDoNotRise) {
    expect_fault(stamped({"2024-01-02", "2024-01-03", "2024-01-03"}), 2, "timestamp", "same stamp: keep one");
    expect_fault(stamped({"2024-01-03", "2024-01-02"}), 1, "timestamp", "before the row above it, 2024-01-03T00:00");
}

TEST(FindFault, SeesStampsThatNoBarOfTheTimeframeHas) {
    expect_fault(stamped({"2024-01-02T09:31"}), 0, "timestamp", "multiples of 15 minutes", "1h");
    expect_fault(stamped({"2024-01-02T09:32"}), 0, "timestamp", "multiples of 5 minutes", "5m");
    expect_fault(stamped({"2024-01-02T09:31:00.001"}), 0, "timestamp", "multiples of 1 minutes", "1m");
    expect_fault(stamped({"2024-01-02T23:59"}), 0, "timestamp", "multiples of 15 minutes", "1d");
    for (const char* opening : {"2024-01-02T14:30", "2024-01-02T22:15", "2024-01-02T18:30"}) {
        for (const std::string_view timeframe : Timeframe::names()) {
            EXPECT_FALSE(fault_of(stamped({opening}), timeframe)) << opening << " " << timeframe;
        }
    }
}

TEST(FindFault, SeesBarsOfAShorterTimeframe) {
    expect_fault(stamped({"2024-01-02T09:00", "2024-01-02T09:15", "2024-01-02T09:30"}), 2, "timestamp", "too close",
                 "1h");
    expect_fault(stamped({"2024-01-02T09:00", "2024-01-02T10:00", "2024-01-02T11:00"}), 2, "timestamp", "too close",
                 "1d");
    expect_fault(stamped({"2024-01-01", "2024-01-02", "2024-01-03"}), 2, "timestamp", "too close", "1w");
    expect_fault(stamped({"2024-01-01", "2024-01-08", "2024-01-15"}), 2, "timestamp", "too close", "1M");
    // A session that opens at half past has a short first bar.
    EXPECT_FALSE(fault_of(stamped({"2024-01-02T14:30", "2024-01-02T15:00", "2024-01-02T16:00"}), "1h"));
    EXPECT_FALSE(fault_of(stamped({"2024-02-01", "2024-03-01", "2024-04-01"}), "1M"));
    // A day of 23 hours, where clocks change.
    EXPECT_FALSE(fault_of(stamped({"2024-03-09T05:00", "2024-03-10T05:00", "2024-03-11T04:00"}), "1d"));
}

TEST(FindFault, SeesPricesThatCannotBe) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    const double endless = std::numeric_limits<double>::infinity();
    struct Price {
        std::string_view column;
        std::vector<double> Bars::* values;
    };
    for (const Price& price : {Price{"open", &Bars::open}, Price{"high", &Bars::high}, Price{"low", &Bars::low},
                               Price{"close", &Bars::close}}) {
        for (const double value : {none, endless, -endless}) {
            Bars bars = two_days();
            (bars.*price.values)[1] = value;
            expect_fault(bars, 1, price.column, std::isnan(value) ? "no price" : "not finite");
        }
    }
}

TEST(FindFault, SeesAHighThatIsNotTheHighestAndALowThatIsNotTheLowest) {
    Bars bars = two_days();
    bars.high[1] = 10.5;
    expect_fault(bars, 1, "high", "10.5 is below close 11");
    bars = two_days();
    bars.low[0] = 10.5;
    expect_fault(bars, 0, "low", "10.5 is above open 10");
    bars = two_days();
    std::swap(bars.high[1], bars.low[1]);
    EXPECT_TRUE(fault_of(bars));
}

TEST(FindFault, OverlooksWhatAdjustingRounds) {
    Bars bars = two_days();
    bars.high[0] = 11 - 1e-14;
    bars.close[0] = 11;
    EXPECT_FALSE(fault_of(bars));
}

TEST(FindFault, SeesVolumesThatCannotBe) {
    for (const double volume : {-2.0, std::numeric_limits<double>::infinity(), -0.5}) {
        Bars bars = two_days();
        bars.volume[1] = volume;
        expect_fault(bars, 1, "volume", "no volume");
    }
}

TEST(BarFault, BecomesAnErrorWithRowStampAndColumn) {
    const Error error = to_error({1, "high", "too low"}, two_days(), "row 1");
    EXPECT_EQ(error.code, Errc::invalid_argument);
    EXPECT_EQ(error.message, "row 1 (2024-01-03T00:00:00.000Z), column high: too low");
    EXPECT_EQ(error.context.at("row").to_number<int>(), 1);
    EXPECT_EQ(error.context.at("column"), "high");
    EXPECT_EQ(error.context.at("stamp"), "2024-01-03T00:00:00.000Z");
}

}  // namespace
}  // namespace ktrdr
