#include <gtest/gtest.h>

#include <ktrdr/base/json.hpp>

namespace ktrdr {
namespace {

TEST(TextOrEmpty, GivesATextAndNothingElse) {
    const boost::json::object object{{"text", "AAPL"}, {"none", nullptr}, {"number", 3}};
    EXPECT_EQ(text_or_empty(object, "text"), "AAPL");
    for (const char* const key : {"none", "number", "absent"}) {
        EXPECT_EQ(text_or_empty(object, key), "") << key;
    }
}

}  // namespace
}  // namespace ktrdr
