#include "../../../cpp/training/src/json_reader.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/json/parse.hpp>
#include <functional>

namespace ktrdr {
namespace {

const boost::json::object& sample_of_json() {
    static const boost::json::object parsed = boost::json::parse(R"({
        "text": "word", "number": 2.5, "whole": 3, "huge": 1e30, "nothing": null,
        "texts": ["a", "b"], "numbers": [1, 2.5], "mixed": ["a", 1, ""], "blank": [""],
        "inner": {"text": 7}, "inners": [{"number": 1}, 5]
    })")
                                                  .get_object();
    return parsed;
}

/// The first thing that is wrong, or "".
std::string wrong(const std::function<void(const JsonReader&)>& read) {
    const JsonReader reader(sample_of_json());
    read(reader);
    return reader.error() ? reader.error()->message : "";
}

TEST(JsonReader, ReadsWhatIsThere) {
    const JsonReader reader(sample_of_json());
    EXPECT_EQ(reader.text("text"), "word");
    EXPECT_EQ(reader.number("number", {}, 0, 9), 2.5);
    EXPECT_EQ(reader.integer("whole", {}, 0, 9), 3);
    EXPECT_EQ(reader.texts("texts"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(reader.numbers("numbers"), (std::vector<double>{1, 2.5}));
    EXPECT_EQ(reader.choice("text", "", std::array<std::string_view, 2>{"other", "word"}), "word");
    EXPECT_EQ(reader.keys().front(), "text");
    EXPECT_TRUE(reader.has("text"));
    EXPECT_FALSE(reader.has("nothing"));
    EXPECT_FALSE(reader.error());
}

TEST(JsonReader, AnswersTheFallbackForWhatIsMissingOrNull) {
    const JsonReader reader(sample_of_json());
    EXPECT_EQ(reader.text("absent", "else"), "else");
    EXPECT_EQ(reader.number("absent", 4.5, 0, 9), 4.5);
    EXPECT_EQ(reader.integer("nothing", 4, 0, 9), 4);
    EXPECT_TRUE(reader.texts("absent").empty());
    EXPECT_TRUE(reader.numbers("absent").empty());
    EXPECT_TRUE(reader.objects("absent").empty());
    EXPECT_TRUE(reader.object("absent").keys().empty());
    EXPECT_FALSE(reader.error());
}

TEST(JsonReader, SaysWhatIsMissing) {
    EXPECT_EQ(wrong([](const auto& it) { (void)it.text("absent"); }), "strategy: absent: is missing");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.number("absent", {}, 0, 9); }), "strategy: absent: is missing");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.integer("absent", {}, 0, 9); }), "strategy: absent: is missing");
}

TEST(JsonReader, SaysWhatIsOfAnotherKind) {
    EXPECT_EQ(wrong([](const auto& it) { (void)it.object("text"); }), "strategy: text: a mapping is needed");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.texts("text"); }), "strategy: text: a list is needed");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.text("whole"); }), "strategy: whole: a text is needed");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.text("whole", "else"); }), "strategy: whole: a text is needed");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.texts("mixed"); }), "strategy: mixed: a list of texts is needed");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.texts("blank"); }), "strategy: blank: a list of texts is needed");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.numbers("texts"); }), "strategy: texts: a list of numbers is needed");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.objects("inners"); }), "strategy: inners[1]: a mapping is needed");
}

TEST(JsonReader, SaysWhatIsOutOfItsRange) {
    for (const char* const key : {"text", "number"}) {
        EXPECT_EQ(wrong([key](const auto& it) { (void)it.number(key, {}, 3, 9); }),
                  std::string("strategy: ") + key + ": must be a number from 3 to 9");
        EXPECT_EQ(wrong([key](const auto& it) { (void)it.integer(key, {}, 3, 9); }),
                  std::string("strategy: ") + key + ": must be a whole number from 3 to 9");
    }
    EXPECT_NE(wrong([](const auto& it) { (void)it.number("number", {}, 0, 2); }), "");
    EXPECT_NE(wrong([](const auto& it) { (void)it.integer("whole", {}, 4, 9); }), "");
    EXPECT_NE(wrong([](const auto& it) { (void)it.integer("whole", {}, 0, 2); }), "");
    EXPECT_NE(wrong([](const auto& it) { (void)it.integer("huge", {}, 0, 2); }), "");
    EXPECT_NE(wrong([](const auto& it) { (void)it.choice("text", "", std::array<std::string_view, 1>{"other"}); }), "");
}

TEST(JsonReader, KeepsTheFirstThingThatIsWrongWithItsPath) {
    EXPECT_EQ(wrong([](const JsonReader& it) {
                  const JsonReader inner = it.object("inner");
                  EXPECT_EQ(inner.path(), "inner");
                  (void)inner.text("text");
                  inner.fail_at("", "is wrong as a whole");
              }),
              "strategy: inner.text: a text is needed");
    EXPECT_EQ(wrong([](const JsonReader& it) { it.object("inner").fail_at("", "is wrong as a whole"); }),
              "strategy: inner: is wrong as a whole");
}

}  // namespace
}  // namespace ktrdr
