#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include <ktrdr/market/bar_columns.hpp>

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t day_nanos = 86'400'000'000'000;

Result<ColumnPlan> plan(std::vector<std::string> names) {
    return plan_columns("the frame: ", names);
}

GivenValues given(std::span<const double> values) {
    return {.data = values.data(), .count = values.size()};
}

GivenValues given(std::span<const std::int64_t> values) {
    return {.type = GivenValues::Type::int64, .data = values.data(), .count = values.size()};
}

BarsBuilder with_prices(std::size_t rows) {
    BarsBuilder builder;
    const std::vector<double> prices(rows, 1.5);
    for (const BarColumn column : {BarColumn::open, BarColumn::high, BarColumn::low, BarColumn::close}) {
        builder.add_numbers(column, given(prices));
    }
    return builder;
}

TEST(PlanColumns, FindsThemByNameWhateverTheirCaseAndOrder) {
    const auto found = plan({"Volume", "CLOSE", "low", " High ", "Open", "Datetime", "Dividends"});
    ASSERT_TRUE(found);
    EXPECT_THAT(found->at, ElementsAre(5U, 4U, 3U, 2U, 1U, 0U));
    EXPECT_THAT(found->ignored, ElementsAre("Dividends"));
    for (const char* stamp : {"timestamp", "time", "date", "DateTime"}) {
        EXPECT_TRUE(plan({stamp, "open", "high", "low", "close", "vol"})) << stamp;
    }
}

TEST(PlanColumns, TakesADayBesideATimeAsBothHalvesOfAStamp) {
    for (const bool day_first : {true, false}) {
        std::vector<std::string> names{"date", "time", "open", "high", "low", "close"};
        if (!day_first) {
            std::swap(names[0], names[1]);
        }
        const auto found = plan(names);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->at[0], day_first ? 0U : 1U);
        EXPECT_EQ(found->time_of_day, day_first ? 1U : 0U);
        EXPECT_FALSE(found->at[5]);
        EXPECT_THAT(plan_frame(names).error().message,
                    HasSubstr("a column date and a column time: give one with both"));
    }
}

TEST(PlanColumns, NamesWhatIsMissingOrThereTwice) {
    const auto missing = plan({"time", "open", "high", "close", "volume"});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Errc::invalid_argument);
    EXPECT_THAT(missing.error().message, HasSubstr("the frame: there is no column low; there are time, open, high"));
    EXPECT_THAT(plan({"open", "high", "low", "close"}).error().message, HasSubstr("timestamp (nor time, date"));
    EXPECT_THAT(plan({"time", "open", "Open", "high", "low", "close"}).error().message,
                HasSubstr("open and open both"));
    EXPECT_FALSE(plan({"timestamp", "time", "open", "high", "low", "close"}));
    EXPECT_FALSE(plan({}));
}

TEST(BarsBuilder, TakesStampsOfEveryUnit) {
    const std::array<std::pair<StampUnit, std::int64_t>, 5> units{std::pair{StampUnit::day, 1L},
                                                                  {StampUnit::second, 86'400L},
                                                                  {StampUnit::milli, 86'400'000L},
                                                                  {StampUnit::micro, 86'400'000'000L},
                                                                  {StampUnit::nano, day_nanos}};
    for (const auto& [unit, value] : units) {
        BarsBuilder builder = with_prices(2);
        const std::array<std::int64_t, 2> stamps{0, value};
        ASSERT_TRUE(builder.add_stamps(unit, given(stamps)));
        EXPECT_THAT(std::move(builder).finish()->time, ElementsAre(0, day_nanos));
    }
}

TEST(BarsBuilder, NamesTheRowOfAStampThatIsMissingOrOutOfRange) {
    const std::array<std::int64_t, 2> none{0, std::numeric_limits<std::int64_t>::min()};
    const auto missing = BarsBuilder().add_stamps(StampUnit::nano, given(none));
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().message, HasSubstr("row 1, column timestamp: there is no stamp"));
    const std::array<std::int64_t, 1> far{400'000'000};
    EXPECT_THAT(BarsBuilder().add_stamps(StampUnit::day, given(far)).error().message, HasSubstr("1678 to 2261"));
    const std::array<double, 1> fraction{1.5};
    EXPECT_FALSE(BarsBuilder().add_stamps(StampUnit::nano, given(fraction)));
    BarsBuilder texts;
    ASSERT_TRUE(texts.add_stamp_text("2024-01-02 09:30"));
    EXPECT_THAT(texts.add_stamp_text("01/02/2024").error().message, HasSubstr("row 1, column timestamp"));
    EXPECT_FALSE(texts.add_stamp_text(std::nullopt));
}

TEST(BarsBuilder, TakesNumbersOfEveryTypeWithGapsBetweenThem) {
    const std::array<float, 4> floats{1.5F, 9, 2.5F, 9};
    const std::array<std::int16_t, 2> shorts{3, 4};
    const std::array<std::int64_t, 2> stamps{0, 1};
    BarsBuilder builder;
    ASSERT_TRUE(builder.add_stamps(StampUnit::day, given(stamps)));
    for (const BarColumn column : {BarColumn::open, BarColumn::low, BarColumn::close}) {
        builder.add_numbers(column,
                            {.type = GivenValues::Type::float32, .data = floats.data(), .stride = 8, .count = 2});
    }
    builder.add_numbers(BarColumn::high,
                        {.type = GivenValues::Type::int16, .data = shorts.data(), .stride = 2, .count = 2});
    const auto bars = std::move(builder).finish();
    ASSERT_TRUE(bars);
    EXPECT_THAT(bars->open, ElementsAre(1.5, 2.5));
    EXPECT_THAT(bars->high, ElementsAre(3, 4));
    EXPECT_THAT(bars->volume, ElementsAre(-1, -1));
}

TEST(BarsBuilder, MakesAMissingVolumeMinusOneAndAMissingPriceNoNumber) {
    const double none = std::numeric_limits<double>::quiet_NaN();
    const std::array<std::int64_t, 3> stamps{0, 1, 2};
    BarsBuilder builder = with_prices(3);
    ASSERT_TRUE(builder.add_stamps(StampUnit::day, given(stamps)));
    const std::array volume{5.0, none, 7.0};
    const std::uint8_t valid = 0b0110;  // From the second bit on: present, present, missing.
    builder.add_numbers(BarColumn::volume, {.data = volume.data(), .count = 3, .valid = &valid, .valid_offset = 1});
    EXPECT_THAT(std::move(builder).finish()->volume, ElementsAre(5, -1, -1));

    BarsBuilder priced;
    const std::array prices{1.0, 2.0, 3.0};
    const std::uint8_t last_missing = 0b011;
    priced.add_numbers(BarColumn::open, {.data = prices.data(), .count = 3, .valid = &last_missing});
    for (const BarColumn column : {BarColumn::high, BarColumn::low, BarColumn::close}) {
        priced.add_numbers(column, given(prices));
    }
    ASSERT_TRUE(priced.add_stamps(StampUnit::day, given(stamps)));
    EXPECT_TRUE(std::isnan(std::move(priced).finish()->open[2]));
}

TEST(BarsBuilder, RefusesColumnsOfDifferentLengths) {
    BarsBuilder builder = with_prices(3);
    const std::array<std::int64_t, 2> stamps{0, 1};
    ASSERT_TRUE(builder.add_stamps(StampUnit::day, given(stamps)));
    EXPECT_THAT(std::move(builder).finish().error().message, HasSubstr("column open has 3 rows, time has 2"));
}

}  // namespace
}  // namespace ktrdr
