#include <gtest/gtest.h>

#include <ktrdr/market/bars.hpp>

namespace ktrdr {
namespace {

UtcTime at(std::int64_t nanos) {
    return UtcTime{std::chrono::nanoseconds{nanos}};
}

Bars series(std::initializer_list<std::int64_t> stamps, double price = 1) {
    Bars bars;
    for (const std::int64_t stamp : stamps) {
        bars.push_back(stamp, price, price + 2, price - 0.5, price + 1, 100);
    }
    return bars;
}

TEST(BarsSlice, IsHalfOpen) {
    const Bars bars = series({10, 20, 30, 40});
    EXPECT_EQ(bars.slice({at(20), at(40)}).time, (std::vector<std::int64_t>{20, 30}));
    EXPECT_EQ(bars.slice({at(11), at(41)}).time, (std::vector<std::int64_t>{20, 30, 40}));
}

TEST(BarsSlice, OfNothingIsEmpty) {
    const Bars bars = series({10, 20});
    EXPECT_TRUE(bars.slice({at(20), at(10)}).empty());
    EXPECT_TRUE(bars.slice({at(30), at(40)}).empty());
    EXPECT_TRUE(Bars{}.slice({at(0), at(40)}).empty());
}

TEST(BarsRows, AreClampedToTheSeries) {
    const Bars bars = series({10, 20, 30});
    EXPECT_EQ(bars.rows(1, 9).time, (std::vector<std::int64_t>{20, 30}));
    EXPECT_TRUE(bars.rows(5, 9).empty());
}

TEST(BarsCheck, AcceptsRisingStampsAndNothing) {
    EXPECT_TRUE(series({1, 2, 3}).check());
    EXPECT_TRUE(Bars{}.check());
}

TEST(BarsCheck, NamesTheRowThatIsNotAfterTheOneBefore) {
    const auto doubled = series({1, 2, 2}).check();
    ASSERT_FALSE(doubled);
    EXPECT_EQ(doubled.error().code, Errc::invalid_argument);
    EXPECT_NE(doubled.error().message.find("row 2"), std::string::npos);
    EXPECT_FALSE(series({3, 1}).check());
}

TEST(BarsCheck, NamesTheColumnOfAnotherLength) {
    Bars bars = series({1, 2});
    bars.low.pop_back();
    const auto checked = bars.check();
    ASSERT_FALSE(checked);
    EXPECT_NE(checked.error().message.find("low"), std::string::npos);
}

TEST(Merge, TakesTheNewerRowWhereBothHaveAStamp) {
    const Bars merged = merge(series({10, 20, 40}, 1), series({20, 30}, 5));
    EXPECT_EQ(merged.time, (std::vector<std::int64_t>{10, 20, 30, 40}));
    EXPECT_EQ(merged.open, (std::vector<double>{1, 5, 5, 1}));
    EXPECT_TRUE(merged.check());
}

TEST(Merge, WithNothingIsTheOtherSide) {
    const Bars bars = series({10, 20});
    EXPECT_EQ(merge(bars, {}), bars);
    EXPECT_EQ(merge({}, bars), bars);
}

}  // namespace
}  // namespace ktrdr
