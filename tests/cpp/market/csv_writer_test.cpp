#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <random>

#include <ktrdr/market/csv_reader.hpp>
#include <ktrdr/market/csv_writer.hpp>

#include "soak.hpp"

namespace ktrdr {
namespace {

constexpr std::int64_t minute = 60'000'000'000;

std::string written(const Bars& bars, const CsvStyle& style = {}) {
    std::string text;
    append_csv_header(text);
    append_csv_rows(text, bars, 0, bars.size(), style);
    return text;
}

std::string row_of(double price, double volume = 1, const CsvStyle& style = {}) {
    Bars bars;
    bars.push_back(0, price, price, price, price, volume);
    std::string text;
    append_csv_rows(text, bars, 0, 1, style);
    return text;
}

std::string number(double value) {
    const std::string row = row_of(value);
    const std::size_t first = row.find(',') + 1;
    return row.substr(first, row.find(',', first) - first);
}

TEST(CsvWriter, WritesNumbersAsPythonDoes) {
    const std::vector<std::pair<double, std::string>> known{{13.63, "13.63"},
                                                            {16, "16.0"},
                                                            {-16.5, "-16.5"},
                                                            {0, "0.0"},
                                                            {-0.0, "-0.0"},
                                                            {0.1 + 0.2, "0.30000000000000004"},
                                                            {1e-4, "0.0001"},
                                                            {0.00012, "0.00012"},
                                                            {9e-5, "9e-05"},
                                                            {1e-5, "1e-05"},
                                                            {1.5e-8, "1.5e-08"},
                                                            {123456.789012, "123456.789012"},
                                                            {1e15, "1000000000000000.0"},
                                                            {9999999999999998, "9999999999999998.0"},
                                                            {1e16, "1e+16"},
                                                            {1.7976931348623157e308, "1.7976931348623157e+308"},
                                                            {5e-324, "5e-324"},
                                                            {-37.63, "-37.63"},
                                                            {1.12345, "1.12345"},
                                                            {1.123456, "1.123456"},
                                                            {100.99342830602247, "100.99342830602247"}};
    for (const auto& [value, text] : known) {
        EXPECT_EQ(number(value), text);
    }
}

TEST(CsvWriter, WritesWhatIsReadAsTheSameDouble) {
    std::mt19937_64 random(7);
    std::uniform_real_distribution<double> mantissa(-1, 1);
    std::uniform_int_distribution<int> exponent(-40, 50);
    std::uniform_int_distribution<int> decimals(0, 9);
    for (int i = soak_count(100'000, 2'000'000); i > 0; --i) {
        double value = std::ldexp(mantissa(random), exponent(random));
        if (i % 2 == 0) {
            const double scale = std::pow(10, decimals(random));
            value = std::round(value * scale) / scale;
        }
        const std::string text = number(value);
        double again = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), again);
        ASSERT_EQ(read.ptr, text.data() + text.size()) << text;
        ASSERT_EQ(again, value) << text;
        ASSERT_EQ(std::signbit(again), std::signbit(value)) << text;
    }
}

TEST(CsvWriter, WritesStampsInUtcAndAFractionOnlyWhereThereIsOne) {
    Bars bars;
    for (const std::int64_t stamp : {std::int64_t{-1}, std::int64_t{0}, minute, 1'500'000'000L, 1'000'001'000L,
                                     86'399'000'000'000L, 86'400'000'000'000L}) {
        bars.push_back(stamp, 1, 1, 1, 1, 1);
    }
    EXPECT_EQ(written(bars),
              "timestamp,open,high,low,close,volume\n"
              "1969-12-31T23:59:59.999999999Z,1.0,1.0,1.0,1.0,1.0\n"
              "1970-01-01T00:00:00Z,1.0,1.0,1.0,1.0,1.0\n"
              "1970-01-01T00:01:00Z,1.0,1.0,1.0,1.0,1.0\n"
              "1970-01-01T00:00:01.500Z,1.0,1.0,1.0,1.0,1.0\n"
              "1970-01-01T00:00:01.000001Z,1.0,1.0,1.0,1.0,1.0\n"
              "1970-01-01T23:59:59Z,1.0,1.0,1.0,1.0,1.0\n"
              "1970-01-02T00:00:00Z,1.0,1.0,1.0,1.0,1.0\n");
}

TEST(CsvWriter, LeavesAMissingVolumeEmptyUnlessTheFileHadAnother) {
    EXPECT_EQ(row_of(1, Bars::no_volume), "1970-01-01T00:00:00Z,1.0,1.0,1.0,1.0,\n");
    EXPECT_EQ(row_of(1, Bars::no_volume, {.minus_one = true}), "1970-01-01T00:00:00Z,1.0,1.0,1.0,1.0,-1.0\n");
    EXPECT_EQ(row_of(1, 5, {.without_point = {true, false, true, false, true}}),
              "1970-01-01T00:00:00Z,1,1.0,1,1.0,5\n");
}

std::string again(const std::string& text) {
    CsvReader reader("A_1d.csv");
    EXPECT_TRUE(reader.feed(text));
    const auto bars = reader.finish();
    EXPECT_TRUE(bars) << bars.error().message;
    return bars ? written(*bars, reader.style()) : "";
}

TEST(CsvWriter, GivesBackAWellFormedFileByteForByte) {
    const std::string head = "timestamp,open,high,low,close,volume\n";
    for (const std::string rows :
         {"2024-01-02T00:00:00Z,37.0,37.5,36.25,37.0,2265000.0\n2024-01-03T00:00:00Z,37.0,38.0,37.0,37.5,0.0\n",
          "2024-01-02T00:00:00Z,13.63,16.25,13.5,16,6315000\n2024-01-05T00:00:00Z,16,17,15.19,16,5677300\n",
          "2024-01-02T00:00:00Z,100.99342830602247,101.3,99.57,101.1186747311954,12715\n",
          "2024-01-02T14:00:00Z,1.0,2.0,1.0,2.0,\n2024-01-02T15:00:00Z,1.0,2.0,1.0,2.0,5.0\n",
          "2024-01-02T14:00:00Z,1.0,2.0,1.0,2.0,-1\n2024-01-02T15:00:00Z,1.0,2.0,1.0,2.0,-1\n",
          "2024-01-02T14:00:00Z,1.0,2.0,1.0,2.0,-1.0\n2024-01-02T15:00:00Z,1.0,2.0,1.0,2.0,3.0\n",
          "2024-01-02T00:00:00Z,1e-05,2e-05,1e-05,2e-05,1e+16\n",
          "2024-01-02T00:00:00Z,-37.63,-1.5,-40.32,-2.0,1.0\n"}) {
        EXPECT_EQ(again(head + rows), head + rows);
    }
}

TEST(CsvWriter, WritesItsOwnWayWhatAFileWritesInTwo) {
    EXPECT_EQ(again("timestamp,open,high,low,close,volume\n2024-01-02T00:00:00Z,1,2.0,1,2.00,\n"
                    "2024-01-03T00:00:00Z,1.0,2.0,1,2,-1\n"),
              "timestamp,open,high,low,close,volume\n2024-01-02T00:00:00Z,1.0,2.0,1,2,\n"
              "2024-01-03T00:00:00Z,1.0,2.0,1,2,\n");
}

}  // namespace
}  // namespace ktrdr
