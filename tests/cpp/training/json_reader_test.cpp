#include "../../../cpp/training/src/json_reader.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <functional>
#include <string>

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
    EXPECT_EQ(reader.number("number"), 2.5);
    EXPECT_EQ(reader.texts("texts"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(reader.numbers("numbers"), (std::vector<double>{1, 2.5}));
    EXPECT_EQ(reader.keys().front(), "text");
    EXPECT_TRUE(reader.has("text"));
    EXPECT_FALSE(reader.has("nothing"));
    EXPECT_FALSE(reader.error());
}

TEST(JsonReader, AnswersTheFallbackForWhatIsMissingOrNull) {
    const JsonReader reader(sample_of_json());
    EXPECT_EQ(reader.text("absent", "else"), "else");
    EXPECT_TRUE(reader.texts("absent").empty());
    EXPECT_TRUE(reader.numbers("absent").empty());
    EXPECT_TRUE(reader.objects("absent").empty());
    EXPECT_TRUE(reader.object("absent").keys().empty());
    EXPECT_FALSE(reader.error());
}

TEST(JsonReader, SaysWhatIsMissing) {
    EXPECT_EQ(wrong([](const auto& it) { (void)it.text("absent"); }), "strategy: absent: is missing");
    EXPECT_EQ(wrong([](const auto& it) { (void)it.number("absent"); }), "strategy: absent: is missing");
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

/// What is wrong with `model.training.epochs`, an option, of a strategy that says so much of it.
std::string wrong_epochs(const std::string& training) {
    const boost::json::value strategy = boost::json::parse(R"({"model": {"training": )" + training + "}}");
    const JsonReader reader(strategy.get_object());
    (void)reader.object("model").object("training").option("epochs");
    return reader.error() ? reader.error()->message : "";
}

TEST(JsonReader, SaysWhatIsOutOfAnOptionsRange) {
    EXPECT_EQ(wrong_epochs(R"({"epochs": 3})"), "");
    EXPECT_EQ(wrong_epochs("{}"), "");
    for (const char* const value : {"0", "-1", "2.5", "1e30", "\"many\"", "[1]"}) {
        const std::string said = wrong_epochs(std::string(R"({"epochs": )") + value + "}");
        EXPECT_TRUE(said.starts_with("strategy: model.training.epochs: must be a whole number"))
            << value << ": " << said;
    }
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
