#include <gmock/gmock.h>

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

namespace json = boost::json;
using testing::EndsWith;
using testing::Le;
using testing::SizeIs;
using testing::StartsWith;

bool can_be_read(const json::value& value) {
    boost::system::error_code error;
    (void)parse_json(json::serialize(value), error);
    return !error;
}

TEST(Utf8, KnowsTextsThatAre) {
    for (const char* const good :
         {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", "\x7f"}) {
        EXPECT_TRUE(is_utf8(good)) << good;
        EXPECT_EQ(shown_utf8(good), good);
    }
}

TEST(Utf8, KnowsTextsThatAreNot) {
    // Latin-1, a lone continuation, cut short, overlong, a surrogate, beyond Unicode.
    for (const char* const bad : {"caf\xe9", "\x80", "\xe2\x82", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                                  "\xf4\x90\x80\x80", "\xff", "\xf8\x88\x80\x80\x80"}) {
        EXPECT_FALSE(is_utf8(bad)) << shown_utf8(bad);
        EXPECT_TRUE(is_utf8(shown_utf8(bad)));
    }
    EXPECT_EQ(shown_utf8("caf\xe9.csv"), "caf\\xe9.csv");
}

TEST(KeptText, LeavesATextThatIsInOrder) {
    for (const std::string text : {"", "a", "café", "日本語", "\U0001f600", "a\n\x1b[31m\x7f", "\uffff", "\ud7ff"}) {
        EXPECT_EQ(kept_text(text), text);
    }
    const std::string longest(longest_text, 'x');
    EXPECT_EQ(kept_text(longest), longest);
    EXPECT_EQ(kept_text(std::string("a\0b", 3)), std::string("a\0b", 3));
}

TEST(KeptText, WritesBytesThatAreNoUtf8AsWhatTheyAre) {
    EXPECT_EQ(kept_text("caf\xe9.csv"), R"(caf\xe9.csv)");
    EXPECT_EQ(kept_text("\xff"), R"(\xff)");
    EXPECT_EQ(kept_text("\xc3"), R"(\xc3)");
    EXPECT_EQ(kept_text("\xe6\x97"), R"(\xe6\x97)");
    EXPECT_EQ(kept_text("\xf0\x9f\x98"), R"(\xf0\x9f\x98)");
    EXPECT_EQ(kept_text("\xc3("), R"(\xc3()");
    EXPECT_EQ(kept_text("\x80\xbf"), R"(\x80\xbf)");
    // Longer than need be, half of a surrogate pair, beyond the last character.
    EXPECT_EQ(kept_text("\xc0\xaf"), R"(\xc0\xaf)");
    EXPECT_EQ(kept_text("\xe0\x80\xaf"), R"(\xe0\x80\xaf)");
    EXPECT_EQ(kept_text("\xf0\x80\x80\xaf"), R"(\xf0\x80\x80\xaf)");
    EXPECT_EQ(kept_text("\xed\xb3\xa9"), R"(\xed\xb3\xa9)");
    EXPECT_EQ(kept_text("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)");
}

TEST(KeptText, AgreesWithTheJsonReaderAboutEveryTwoBytes) {
    for (int first = 0x80; first < 0x100; ++first) {
        for (int second = 0x20; second < 0x100; ++second) {
            const std::string text{static_cast<char>(first), static_cast<char>(second), 'x', 'x'};
            EXPECT_EQ(kept_text(text) == text, can_be_read(json::string(text))) << first << ' ' << second;
            EXPECT_TRUE(can_be_read(json::string(kept_text(text)))) << first << ' ' << second;
        }
    }
}

TEST(KeptText, CutsBetweenCharactersAndSaysHowLongItWas) {
    for (std::size_t shift = 0; shift < 4; ++shift) {
        std::string text(shift, 'x');
        while (text.size() < 50'000) {
            text += "\U0001f600";
        }
        const std::string kept = kept_text(text);
        EXPECT_THAT(kept, SizeIs(Le(longest_text)));
        EXPECT_GT(kept.size(), longest_text - 64);
        EXPECT_THAT(kept, EndsWith(fmt::format("\U0001f600… (cut, {} bytes in all)", text.size())));
        EXPECT_TRUE(can_be_read(json::string(kept)));
    }
}

TEST(KeptText, CutsWhatGrowsWhenItIsWritten) {
    const std::string kept = kept_text(std::string(100, '\xff'), 100);
    EXPECT_THAT(kept, StartsWith(R"(\xff\xff)"));
    EXPECT_THAT(kept, EndsWith("… (cut, 100 bytes in all)"));
    EXPECT_THAT(kept, SizeIs(Le(100)));
}

TEST(KeptJson, LeavesWhatIsInOrder) {
    const json::value value = {{"a", {1, 2.5, nullptr, true}}, {"b", {{"c", "d"}}}, {"e", json::array{}}};
    EXPECT_EQ(kept_json(value), value);
    EXPECT_EQ(kept_json(value.get_object()), value.get_object());
}

TEST(KeptJson, CutsTextsAndKeysWhereverTheyAre) {
    const std::string large(100'000, 'x');
    const json::value kept =
        kept_json(json::value{{"a", {{"b", json::array{large}}}}, {large, "\xff"}, {"caf\xe9", nullptr}});
    EXPECT_THAT(std::string(kept.at("a").at("b").at(0).get_string()), EndsWith("… (cut, 100000 bytes in all)"));
    EXPECT_EQ(kept.at(kept_text(large, longest_name)).as_string(), R"(\xff)");
    EXPECT_TRUE(kept.at(R"(caf\xe9)").is_null());
    EXPECT_TRUE(can_be_read(kept));
}

TEST(KeptJson, LeavesOutWhatIsTooMuchAndSaysHowMuch) {
    const json::value many = json::array(1'000'000, 1);
    const auto kept = kept_json(many).as_array();
    EXPECT_THAT(json::serialize(kept), SizeIs(Le(most_facts)));
    EXPECT_EQ(kept.back().as_string(), fmt::format("… ({} more)", 1'000'000 - (kept.size() - 1)));

    json::object wide;
    for (int i = 0; i < 100'000; ++i) {
        wide[fmt::format("key {}", i)] = i;
    }
    const json::object some = kept_json(wide);
    EXPECT_THAT(json::serialize(some), SizeIs(Le(most_facts)));
    EXPECT_EQ(some.at("…").as_string(), fmt::format("({} more)", 100'000 - (some.size() - 1)));
    EXPECT_EQ(some.at("key 0"), 0);
}

TEST(KeptJson, BoundsATreeOfManySmallBranches) {
    json::value tree = json::array(40, "leaf");
    for (int level = 0; level < 3; ++level) {
        tree = json::array(40, tree);
    }
    EXPECT_THAT(json::serialize(kept_json(tree)), SizeIs(Le(2 * most_facts)));
}

}  // namespace
}  // namespace ktrdr
