#include <ktrdr/base/json.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "soak.hpp"

namespace ktrdr {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

TEST(TextOrEmpty, GivesATextAndNothingElse) {
    const json::object object{{"text", "AAPL"}, {"none", nullptr}, {"number", 3}};
    EXPECT_EQ(text_or_empty(object, "text"), "AAPL");
    for (const char* const key : {"none", "number", "absent"}) {
        EXPECT_EQ(text_or_empty(object, key), "") << key;
    }
}

std::uint64_t bits(double number) {
    return std::bit_cast<std::uint64_t>(number);
}

double parsed(const std::string& text) {
    const json::value value = parse_json("[" + text + "]");
    EXPECT_TRUE(value.at(0).is_double()) << text;
    return value.at(0).get_double();
}

void expect_nearest(const std::string& text) {
    const double nearest = std::strtod(text.c_str(), nullptr);
    ASSERT_EQ(bits(parsed(text)), bits(nearest)) << text;
}

double any_double(std::mt19937_64& random) {
    for (;;) {
        const auto number = std::bit_cast<double>(random());
        if (std::isfinite(number)) {
            return number;
        }
    }
}

std::string digits(std::mt19937_64& random, std::size_t most) {
    std::string text(1 + random() % most, '0');
    for (char& digit : text) {
        digit = static_cast<char>('0' + random() % 10);
    }
    return text;
}

TEST(ParseJson, GivesTheDoubleThatIsNearestToWhatIsWritten) {
    const std::vector<std::string> hard{
        "0.1",
        "1.1",
        "-0.0",
        "-0e0",
        "0e5",
        "187.24",
        "3.141592653589793238462643383279502884",
        "1e23",
        "9007199254740993.0",
        "9007199254740992.99999999999999999999999999999999",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1.7976931348623157e308",
        "17976931348623157e292",
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "0.000000000000000000000000000000000000000000000000001",
        "6.631236846766476e-316",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
    };
    for (const std::string& text : hard) {
        expect_nearest(text);
        if (!text.starts_with('-')) {
            expect_nearest("-" + (text == "18446744073709551616" ? text + "0" : text));
        }
    }
}

TEST(ParseJson, GivesTheNearestDoubleOfAnyText) {
    std::mt19937_64 random(20261128);
    for (int round = soak_count(20'000, 400'000); round > 0; --round) {
        const double number = any_double(random);
        expect_nearest(fmt::format("{:.16e}", number));
        expect_nearest(fmt::format("{:.{}e}", number, 1 + random() % 30));
        const auto exponent = static_cast<int>(random() % 700) - 350;
        expect_nearest(fmt::format("1{}.{}e{}", digits(random, 25), digits(random, 25), exponent));
        expect_nearest(fmt::format("0.{}", digits(random, 40)));
        expect_nearest(fmt::format("{}.{}", 1 + random() % 100'000, digits(random, 6)));
    }
}

TEST(ParseJson, GivesBackEveryDoubleThatIsPrinted) {
    std::mt19937_64 random(15);
    for (int round = soak_count(50'000, 1'000'000); round > 0; --round) {
        const double number = any_double(random);
        const std::string text = json::serialize(json::array{number});
        ASSERT_EQ(bits(parse_json(text).at(0).as_double()), bits(number)) << text;
        ASSERT_EQ(bits(std::strtod(text.c_str() + 1, nullptr)), bits(number)) << text;
    }
}

TEST(ParseJson, GivesWhatIsBeyondADoubleAsInfinityOrZero) {
    const double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(parsed("1e400"), infinity);
    EXPECT_EQ(parsed("-1.7976931348623159e308"), -infinity);
    EXPECT_EQ(parsed("1" + std::string(400, '0')), infinity);
    EXPECT_EQ(bits(parsed("1e-400")), bits(0.0));
    EXPECT_EQ(bits(parsed("-1e-400")), bits(-0.0));
    EXPECT_EQ(bits(parsed("0." + std::string(400, '0') + "1")), bits(0.0));
}

TEST(ParseJson, KeepsWholeNumbersOf64Bits) {
    const json::value value =
        parse_json("[9223372036854775807, -9223372036854775808, 18446744073709551615, 0, -0, 9007199254740993]");
    EXPECT_EQ(value.at(0).as_int64(), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(value.at(1).as_int64(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(value.at(2).as_uint64(), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(value.at(3).as_int64(), 0);
    EXPECT_EQ(value.at(4).as_int64(), 0);
    EXPECT_EQ(value.at(5).as_int64(), 9007199254740993);
}

TEST(ParseJson, ReadsEveryKindOfValue) {
    const std::string text = R"( {"a":[true,false,null,"x\u00e9\n",{"":-1.5E+3}],"long \" key":{},"b":[],"b":[[1]]} )";
    const json::value expected{{"a", {true, false, nullptr, "x\xc3\xa9\n", json::object{{"", -1500.0}}}},
                               {"long \" key", json::object{}},
                               {"b", {json::array{1}}}};
    EXPECT_EQ(parse_json(text), expected);
    boost::system::error_code error;
    const auto memory = json::make_shared_resource<json::monotonic_resource>();
    EXPECT_EQ(parse_json(text, error, memory), expected);
    EXPECT_FALSE(error);
}

TEST(ParseJson, SaysWhatIsNoJson) {
    const std::string deep(deepest_json + 11, '[');
    for (const std::string& text : {std::string(), std::string("{"), std::string("[1] 2"), std::string("nul"),
                                    std::string("[01]"), std::string("[1.]"), std::string("[\"\xff\"]"), deep}) {
        boost::system::error_code error;
        EXPECT_TRUE(parse_json(text, error).is_null()) << text;
        EXPECT_TRUE(error) << text;
        EXPECT_THROW((void)parse_json(text), boost::system::system_error) << text;
    }
    EXPECT_NO_THROW((void)parse_json(std::string(deepest_json, '[') + std::string(deepest_json, ']')));
}

TEST(ParseStrictJson, RefusesAKeyThatOneObjectHasTwice) {
    const std::vector<std::pair<std::string, std::string>> texts{
        {R"({"a":1,"a":1})", "'a'"},
        {R"([{"b":{"c":1,"d":2,"c":3}}])", "'c'"},
        {R"({"weight":1,"wei\u0067ht":2})", "'weight'"},
        {R"({"":1,"x":{"":2},"":3})", "''"},
    };
    for (const auto& [text, key] : texts) {
        const auto value = parse_strict_json(text);
        ASSERT_FALSE(value) << text;
        EXPECT_EQ(value.error().code, Errc::invalid_argument);
        EXPECT_THAT(value.error().message, HasSubstr(key)) << text;
    }
    EXPECT_EQ(parse_strict_json("[1").error().code, Errc::invalid_argument);
    const std::string apart = R"({"a":{"a":1,"b":2},"b":[{"a":1},{"a":1}]})";
    EXPECT_EQ(parse_strict_json(apart).value(), parse_json(apart));
}

}  // namespace
}  // namespace ktrdr
