#include <gtest/gtest.h>

#include <limits>

#include <ktrdr/market/bars_view.hpp>

namespace ktrdr {
namespace {

UtcTime nanos_at(std::int64_t nanos) {
    return UtcTime{std::chrono::nanoseconds{nanos}};
}

BarsView view_of(std::initializer_list<std::int64_t> stamps, double volume = 100) {
    Bars bars;
    for (const std::int64_t stamp : stamps) {
        bars.push_back(stamp, 1, 3, 0.5, 2, volume);
    }
    return BarsView(std::make_shared<const Bars>(std::move(bars)), "AAPL", "1d");
}

std::vector<std::int64_t> stamps_of(const BarsView& view) {
    return {view.time().begin(), view.time().end()};
}

TEST(BarsView, OfNothingIsEmptyAndOfNoSeries) {
    EXPECT_TRUE(BarsView().empty());
    EXPECT_EQ(BarsView().symbol(), "");
    EXPECT_TRUE(BarsView().rows(0, 9).empty());
    EXPECT_TRUE(BarsView().slice({nanos_at(0), nanos_at(9)}).empty());
}

TEST(BarsView, IsCutWithoutACopyAndKeepsItsSeries) {
    const BarsView all = view_of({10, 20, 30, 40});
    const BarsView part = all.rows(1, 3);
    EXPECT_EQ(stamps_of(part), (std::vector<std::int64_t>{20, 30}));
    EXPECT_EQ(part.time().data(), all.time().data() + 1);
    EXPECT_EQ(part.close().data(), all.close().data() + 1);
    EXPECT_EQ(part.symbol(), "AAPL");
    EXPECT_EQ(part.timeframe(), "1d");
    EXPECT_EQ(stamps_of(part.rows(1, 99)), (std::vector<std::int64_t>{30}));
    EXPECT_TRUE(part.rows(2, 1).empty());
}

TEST(BarsView, SliceOfTimeIsHalfOpenAndStaysInsideThePart) {
    const BarsView part = view_of({10, 20, 30, 40}).rows(1, 3);
    EXPECT_EQ(stamps_of(part.slice({nanos_at(0), nanos_at(30)})), (std::vector<std::int64_t>{20}));
    EXPECT_EQ(stamps_of(part.slice({nanos_at(20), nanos_at(99)})), (std::vector<std::int64_t>{20, 30}));
    EXPECT_TRUE(part.slice({nanos_at(30), nanos_at(20)}).empty());
}

TEST(BarsView, TakesEverySoManyethRow) {
    const BarsView all = view_of({10, 20, 30, 40, 50});
    EXPECT_EQ(stamps_of(all.every(1, 5, 2)), (std::vector<std::int64_t>{20, 40}));
    EXPECT_EQ(stamps_of(all.every(0, 5, 9)), (std::vector<std::int64_t>{10}));
    EXPECT_EQ(all.every(1, 4, 1).time().data(), all.time().data() + 1);
    EXPECT_EQ(all.every(1, 5, 2).symbol(), "AAPL");
}

TEST(BarsView, OwnsItsRowsWhereItIsAPart) {
    const BarsView all = view_of({10, 20, 30});
    EXPECT_EQ(all.own(), all.bars());
    EXPECT_EQ(all.rows(1, 2).own()->time, (std::vector<std::int64_t>{20}));
}

TEST(BarsView, EqualsOneOfTheSameSeriesAndNumbers) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    EXPECT_EQ(view_of({10, 20}), view_of({10, 20, 30}).rows(0, 2));
    EXPECT_NE(view_of({10, 20}), view_of({10, 21}));
    EXPECT_NE(view_of({10, 20}), view_of({10, 20}, 99));
    EXPECT_EQ(view_of({10}, none), view_of({10}, none));
    const BarsView other(view_of({10}).bars(), "MSFT", "1d");
    EXPECT_NE(view_of({10}), other);
}

}  // namespace
}  // namespace ktrdr
