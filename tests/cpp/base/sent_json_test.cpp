#include <ktrdr/base/json.hpp>
#include <ktrdr/base/sent_json.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace ktrdr {
namespace {

using std::literals::operator""sv;

// {"a":"ü😀"} in every encoding that a mark can say.
const std::vector<std::string_view> marked{
    "\xEF\xBB\xBF{\"a\":\"\xC3\xBC\xF0\x9F\x98\x80\"}"sv,
    "{\"a\":\"\xC3\xBC\xF0\x9F\x98\x80\"}"sv,
    "\xFF\xFE{\0\"\0a\0\"\0:\0\"\0\xFC\0\x3D\xD8\0\xDE\"\0}\0"sv,
    "\xFE\xFF\0{\0\"\0a\0\"\0:\0\"\0\xFC\xD8\x3D\xDE\0\0\"\0}"sv,
    "\xFF\xFE\0\0{\0\0\0\"\0\0\0a\0\0\0\"\0\0\0:\0\0\0\"\0\0\0\xFC\0\0\0\0\xF6\x01\0\"\0\0\0}\0\0\0"sv,
    "\0\0\xFE\xFF\0\0\0{\0\0\0\"\0\0\0a\0\0\0\"\0\0\0:\0\0\0\"\0\0\0\xFC\0\x01\xF6\0\0\0\0\"\0\0\0}"sv,
};

TEST(ParseSentJson, ReadsWhatStandsBehindAMark) {
    for (const std::string_view text : marked) {
        boost::system::error_code error;
        const auto value = parse_sent_json(text, error);
        ASSERT_FALSE(error) << error.message();
        EXPECT_EQ(value.at("a").as_string(), "\xC3\xBC\xF0\x9F\x98\x80");
    }
}

TEST(ParseSentJson, RefusesEveryCutText) {
    for (const std::string_view text : marked) {
        for (std::size_t length = 0; length < text.size(); ++length) {
            boost::system::error_code error;
            EXPECT_TRUE(parse_sent_json(text.substr(0, length), error).is_null());
            EXPECT_TRUE(error) << length;
        }
    }
}

TEST(ParseSentJson, RefusesHalfASurrogatePair) {
    boost::system::error_code error;
    EXPECT_TRUE(parse_sent_json("\xFF\xFE\"\0\x3D\xD8\"\0"sv, error).is_null());
    EXPECT_TRUE(error);
}

TEST(ParseSentJson, RefusesACodeThatNoTextHas) {
    for (const std::string_view text :
         {"\xFF\xFE\0\0\0\0\x11\0"sv, "\0\0\xFE\xFF\xFF\xFF\xFF\xFF"sv, "\xFF\xFE\0\0\0\xD8\0\0"sv}) {
        boost::system::error_code error;
        (void)parse_sent_json(text, error, {});
        EXPECT_TRUE(error);
    }
}

}  // namespace
}  // namespace ktrdr
