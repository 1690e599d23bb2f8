#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/market/csv_reader.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view head = "timestamp,open,high,low,close,volume\n";

Result<Bars> read(std::string_view text, std::size_t piece = 1 << 20, CsvLimits limits = {}) {
    CsvReader reader("a.csv", limits);
    for (std::size_t at = 0; at < text.size(); at += piece) {
        if (const auto fed = reader.feed(text.substr(at, piece)); !fed) {
            return fed.error();
        }
    }
    return reader.finish();
}

std::string rows(std::string_view lines) {
    return fmt::format("{}{}", head, lines);
}

Error refused(std::string_view text, CsvLimits limits = {}) {
    const auto bars = read(text, 1 << 20, limits);
    return bars ? Error{Errc::internal, "it was taken"} : bars.error();
}

TEST(CsvReader, ReadsTheFilesOfTheOriginal) {
    const auto bars = read(rows("2024-01-02T00:00:00Z,1.1,2,0.5,1.5,100\n2024-01-03T14:30:00Z,2,3,1,2.5,0\n"));
    ASSERT_TRUE(bars);
    EXPECT_EQ(format_time(bars->start_of(1)), "2024-01-03T14:30:00.000Z");
    EXPECT_THAT(bars->open, ElementsAre(1.1, 2));
    EXPECT_THAT(bars->high, ElementsAre(2, 3));
    EXPECT_THAT(bars->low, ElementsAre(0.5, 1));
    EXPECT_THAT(bars->close, ElementsAre(1.5, 2.5));
    EXPECT_THAT(bars->volume, ElementsAre(100, 0));
}

TEST(CsvReader, ReadsTheSameInPiecesOfAnySize) {
    const std::string text = rows("2024-01-02T00:00:00Z,1.1,2,0.5,1.5,100\r\n\r\n2024-01-03T14:30:00Z,2,3,1,2.5,\r\n");
    const auto whole = read(text);
    ASSERT_TRUE(whole);
    for (std::size_t piece = 1; piece < text.size(); ++piece) {
        const auto parts = read(text, piece);
        ASSERT_TRUE(parts) << piece;
        EXPECT_EQ(*parts, *whole) << piece;
    }
}

TEST(CsvReader, TakesWhatOtherProgramsWrite) {
    const Bars usual = read(rows("2024-01-02T00:00:00Z,1.1,2,0.5,1.5,100\n")).value();
    for (const std::string_view other :
         {"\xef\xbb\xbftimestamp,open,high,low,close,volume\r\n2024-01-02T00:00:00Z,1.1,2,0.5,1.5,100\r\n",
          "Date;Open;High;Low;Close;Volume\n2024-01-02;1.1;2;0.5;1.5;100",
          "datetime\topen\thigh\tlow\tclose\tvol\n2024-01-02 00:00:00+00:00\t1.1\t2\t0.5\t1.5\t100\n",
          "Open,High,Low,Close,Volume,TIME\n1.1,2,0.5,1.5,100,2024-01-02 00:00\n",
          "\"timestamp\",\"open\",\"high\",\"low\",\"close\",\"volume\"\n\"2024-01-02\",\"1.1\",2,\"0.5\",1.5,"
          "\"100\"\n",
          "date,time,open,high,low,close,volume\n2024-01-02,00:00,1.1,2,0.5,1.5,100\n",
          "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,1.1,2,0.5,1.5,1.4,100\n",
          "\n\n timestamp , open,high,low,close,volume\n\n 2024-01-01T19:00:00-05:00 , 1.1 ,2,0.5,1.5,1e2\n\n"}) {
        const auto bars = read(other);
        ASSERT_TRUE(bars) << other << bars.error().message;
        EXPECT_EQ(*bars, usual) << other;
    }
}

TEST(CsvReader, HasNoVolumeWhereTheFileGivesNone) {
    EXPECT_THAT(read(rows("2024-01-02,1,1,1,1,\n"))->volume, ElementsAre(-1));
    EXPECT_THAT(read("date,open,high,low,close\n2024-01-02,1,1,1,1\n")->volume, ElementsAre(-1));
}

TEST(CsvReader, SaysWhichColumnsItIgnores) {
    CsvReader reader("a.csv");
    ASSERT_TRUE(reader.feed("Date,Open,High,Low,Close,Adj Close,Name\n2024-01-02,1,1,1,1,1,\"Acme, Inc.\"\n"));
    ASSERT_TRUE(reader.finish());
    EXPECT_THAT(reader.ignored(), ElementsAre("Adj Close", "Name"));
}

TEST(CsvReader, KnowsTheLineOfEachRow) {
    CsvReader reader("a.csv");
    ASSERT_TRUE(reader.feed(rows("2024-01-02,1,1,1,1,1\n\n\n2024-01-03,1,1,1,1,1\n2024-01-04,1,1,1,1,1\n")));
    ASSERT_TRUE(reader.finish());
    EXPECT_EQ(reader.line_of(0), 2U);
    EXPECT_EQ(reader.line_of(1), 5U);
    EXPECT_EQ(reader.line_of(2), 6U);
}

TEST(CsvReader, NamesFileLineAndColumnOfWhatItCannotRead) {
    struct Case {
        std::string_view line;
        std::string_view column;
        std::string_view words;
    };
    for (const Case& bad :
         {Case{"02.01.2024,1,1,1,1,1", "timestamp", "is no date"}, Case{"2024-13-01,1,1,1,1,1", "timestamp", "no date"},
          Case{"2999-01-01,1,1,1,1,1", "timestamp", "\"2999-01-01\" lies outside of the years 1678 to 2261"},
          Case{"0001-01-01T00:00:00Z,1,1,1,1,1", "timestamp", "lies outside of the years"},
          Case{"2999-13-01,1,1,1,1,1", "timestamp", "is no date"}, Case{",1,1,1,1,1", "timestamp", "is no date"},
          Case{"2024-01-03,abc,1,1,1,1", "open", "\"abc\" is no number"},
          Case{"2024-01-03,1,,1,1,1", "high", "is empty"}, Case{"2024-01-03,1,1,nan,1,1", "low", "is not finite"},
          Case{"2024-01-03,1,1,1,inf,1", "close", "is not finite"},
          Case{"2024-01-03,1,1,1,1,1x", "volume", "no number"},
          Case{"2024-01-03,\"1,5\",1,1,1,1", "open", "decimal point"},
          Case{"2024-01-03,1e999,1,1,1,1", "open", "out of the range"},
          Case{"2024-01-03,1,1,1,1,NaN", "volume", "is not finite"}}) {
        const Error error = refused(rows(fmt::format("2024-01-02,1,1,1,1,1\n{}\n", bad.line)));
        EXPECT_EQ(error.code, Errc::invalid_argument);
        EXPECT_THAT(error.message, HasSubstr(fmt::format("a.csv: line 3, column {}", bad.column))) << bad.line;
        EXPECT_THAT(error.message, HasSubstr(std::string(bad.words))) << bad.line;
        EXPECT_EQ(error.context.at("line").to_number<int>(), 3);
    }
}

TEST(CsvReader, RefusesRowsOfAnotherWidthThanTheFirstLine) {
    EXPECT_THAT(refused(rows("2024-01-02,1,1,1\n")).message, HasSubstr("line 2: it has 4 values"));
    EXPECT_THAT(refused(rows("2024-01-02,1,1,1,1,1,1\n")).message, HasSubstr("it has 7 values"));
    EXPECT_THAT(refused(rows("\"2024-01-02,1,1,1,1,1\n")).message, HasSubstr("line 2: its double quotes"));
    EXPECT_THAT(refused(rows("\"2024-01-02\"x,1,1,1,1,1\n")).message, HasSubstr("line 2: its double quotes"));
}

TEST(CsvReader, RefusesWhatIsNoTableOfBars) {
    EXPECT_THAT(refused("").message, HasSubstr("a.csv has nothing in it"));
    EXPECT_THAT(refused("\n\n").message, HasSubstr("a.csv has nothing in it"));
    EXPECT_THAT(refused(head).message, HasSubstr("a line of names and no bars"));
    EXPECT_THAT(refused("2024-01-02,1,1,1,1,1\n").message, HasSubstr("a.csv: line 1: there is no column timestamp"));
    EXPECT_THAT(refused("timestamp,open,high,close\n").message, HasSubstr("there is no column low"));
    EXPECT_THAT(refused({"\xff\xfet\0i\0m\0e\0\n\0", 12}).message, HasSubstr("save it as CSV UTF-8"));
}

TEST(CsvReader, HoldsItsLimits) {
    const CsvLimits short_lines{.longest_line = 40};
    EXPECT_TRUE(read(rows("2024-01-02,1,1,1,1,1\n"), 7, short_lines));
    const std::string endless(100, '1');
    EXPECT_THAT(refused(rows("2024-01-02," + endless), short_lines).message, HasSubstr("longer than 40 bytes"));
    EXPECT_THAT(read(rows("2024-01-02," + endless), 7, short_lines).error().message, HasSubstr("a.csv: line 2: it is"));
    EXPECT_THAT(refused(rows("2024-01-02,1,1,1,1,1\n2024-01-03,1,1,1,1,1\n"), {.most_rows = 1}).message,
                HasSubstr("line 3: it is the bar after 1"));
}

}  // namespace
}  // namespace ktrdr
