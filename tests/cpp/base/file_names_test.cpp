#include <gtest/gtest.h>

#include <set>

#include <ktrdr/base/file_names.hpp>

namespace ktrdr {
namespace {

TEST(FileNames, KeepWhatEveryFileSystemKeeps) {
    EXPECT_EQ(percent_encoded("BRK.B"), "BRK.B");
    EXPECT_EQ(percent_encoded("BTC-USD"), "BTC-USD");
    EXPECT_EQ(percent_encoded("^GSPC"), "^GSPC");
    EXPECT_EQ(percent_encoded("ES=F"), "ES=F");
    EXPECT_EQ(percent_encoded("es_f"), "es_f");
    EXPECT_EQ(percent_encoded(""), "");
}

TEST(FileNames, EncodeTheRest) {
    EXPECT_EQ(percent_encoded("BRK B"), "BRK%20B");
    EXPECT_EQ(percent_encoded("BTC/USDT:USDT"), "BTC%2FUSDT%3AUSDT");
    EXPECT_EQ(percent_encoded("100%"), "100%25");
    EXPECT_EQ(percent_encoded("\xc3\xa9"), "%C3%A9");
    EXPECT_EQ(percent_encoded("."), "%2E");
    EXPECT_EQ(percent_encoded(".."), "%2E.");
    EXPECT_EQ(percent_encoded(".hidden"), "%2Ehidden");
}

TEST(FileNames, EveryByteComesBackAndNoTwoAreAlike) {
    std::set<std::string> names;
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const std::string text{static_cast<char>(first), static_cast<char>(second)};
            const std::string name = percent_encoded(text);
            EXPECT_TRUE(names.insert(name).second) << name;
            EXPECT_EQ(percent_decoded(name), text);
            EXPECT_EQ(name.find_first_of(std::string("/\\:*?\"<>|\0 ", 11)), std::string::npos) << name;
        }
    }
}

TEST(FileNames, APercentSignThatStandsForNoByteIsNoCode) {
    for (const char* text : {"%", "100%", "%2", "%G0", "%0G", "%-1", "% 1", "%2F%"}) {
        EXPECT_FALSE(percent_decoded(text)) << text;
    }
    EXPECT_EQ(percent_decoded("%2f%2F"), "//");
    EXPECT_EQ(percent_decoded("plain name"), "plain name");
}

}  // namespace
}  // namespace ktrdr
