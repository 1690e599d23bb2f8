#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ktrdr/base/file_names.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/market/symbol.hpp>

namespace ktrdr {
namespace {

using testing::HasSubstr;

/// What every vendor has.
const std::vector<std::string> symbols{"AAPL",
                                       "BRK B",
                                       "BRK.B",
                                       "M&M",
                                       "BTC/USDT:USDT",
                                       "$SPX",
                                       "^GSPC",
                                       "AAPL  250117C00150000",
                                       "ES=F",
                                       "EUR.USD",
                                       "C:EURUSD",
                                       "7203.T",
                                       "100%",
                                       "a\"b'c",
                                       "..",
                                       ".",
                                       "-X",
                                       "\xe8\xb4\xb5\xe5\xb7\x9e\xe8\x8c\x85\xe5\x8f\xb0",
                                       "\xf0\x9f\x9a\x80",
                                       "BTC%2FUSDT",
                                       std::string(128, 'x')};

void expect_refused(std::string_view text, const std::string& words) {
    const auto symbol = parse_symbol(text);
    ASSERT_FALSE(symbol) << *symbol;
    EXPECT_EQ(symbol.error().code, Errc::invalid_argument);
    EXPECT_THAT(symbol.error().message, HasSubstr(words));
    EXPECT_TRUE(is_utf8(symbol.error().message));
    EXPECT_LT(symbol.error().message.size(), 600U);
    EXPECT_EQ(symbol.error().context.at("field"), "symbol");
}

TEST(Symbol, IsAnyTextThatCanBePrinted) {
    for (const std::string& symbol : symbols) {
        const auto parsed = parse_symbol(symbol);
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_EQ(*parsed, symbol);
    }
}

TEST(Symbol, StandsWithoutTheBlanksAroundIt) {
    EXPECT_EQ(parse_symbol("  BRK B\t\r\n").value(), "BRK B");
    EXPECT_EQ(parse_symbol(" " + std::string(128, 'x') + " ").value().size(), 128U);
}

TEST(Symbol, ThatIsNoneIsNamedWithWhatIsWrong) {
    using namespace std::string_view_literals;
    expect_refused("", "it is empty");
    expect_refused(" \t ", "nothing but blanks");
    expect_refused(std::string(129, 'x'), "it has 129 bytes");
    expect_refused(std::string(10'000, 'x'), "it has 10000 bytes");
    expect_refused("A\0B"sv, "U+0000 at byte 1");
    expect_refused("A\nB", "U+000A at byte 1");
    expect_refused("\x1b[31mA", "U+001B at byte 0");
    expect_refused("A\x7f", "U+007F at byte 1");
    expect_refused(
        "A\xc2\x9b"
        "31m",
        "U+009B at byte 1");
    expect_refused(
        "A\xc2\xa0"
        "B",
        "U+00A0 at byte 1");
    expect_refused(
        "A\xe2\x80\xae"
        "B",
        "U+202E at byte 1");
    expect_refused("A\xe2\x80\x8b", "U+200B at byte 1");
    expect_refused(
        "\xef\xbb\xbf"
        "A",
        "U+FEFF at byte 0");
    expect_refused("\xef\xbf\xbf", "U+FFFF at byte 0");
    expect_refused("\xf3\xa0\x80\xa1", "U+E0021 at byte 0");
    expect_refused("\xf4\x8f\xbf\xbd", "U+10FFFD at byte 0");
    expect_refused("A\xff", "not UTF-8");
    expect_refused("\xed\xa0\x80", "not UTF-8");
    expect_refused("\xc0\xaf", "not UTF-8");
}

TEST(Symbol, NamesAFileFromWhichItCanBeRead) {
    for (const std::string& symbol : symbols) {
        const std::string name = series_file_name(symbol, "1d", ".csv").value();
        EXPECT_THAT(name, testing::EndsWith("_1d.csv"));
        EXPECT_EQ(name.find('/'), std::string::npos);
        EXPECT_NE(name.front(), '.');
        EXPECT_EQ(percent_decoded(name.substr(0, name.size() - 7)), symbol);
    }
    EXPECT_EQ(series_file_name("BRK B", "1d", ".csv").value(), "BRK%20B_1d.csv");
}

TEST(Symbol, ThatWouldMakeTooLongANameIsRefused) {
    const auto name = series_file_name(std::string(128, '/'), "1d", ".csv");
    ASSERT_FALSE(name);
    EXPECT_THAT(name.error().message, HasSubstr("391 bytes, and 255 are the most: name the file yourself"));
}

}  // namespace
}  // namespace ktrdr
