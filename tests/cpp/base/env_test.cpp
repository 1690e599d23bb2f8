#include <gmock/gmock.h>

#include <ktrdr/base/env.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Optional;

Env with(std::string value) {
    return Env({{"KTRDR_X", std::move(value)}});
}

TEST(Env, TakesAnEmptyVariableAsUnset) {
    EXPECT_EQ(Env{}.get("KTRDR_X"), std::nullopt);
    EXPECT_EQ(with("").get("KTRDR_X"), std::nullopt);
    EXPECT_THAT(with("a").get("KTRDR_X"), Optional(std::string("a")));
    EXPECT_EQ(with("").get_bool("KTRDR_X").value(), std::nullopt);
    EXPECT_EQ(with("").get_int("KTRDR_X", 0, 9).value(), std::nullopt);
    EXPECT_EQ(with("").get_seconds("KTRDR_X").value(), std::nullopt);
}

TEST(Env, ReadsBooleansInAnyCase) {
    for (const auto* const yes : {"true", "1", "yes", "on", "TRUE", "Yes", "oN"}) {
        EXPECT_THAT(with(yes).get_bool("KTRDR_X").value(), Optional(true)) << yes;
    }
    for (const auto* const no : {"false", "0", "no", "off", "FALSE", "No", "oFF"}) {
        EXPECT_THAT(with(no).get_bool("KTRDR_X").value(), Optional(false)) << no;
    }
}

TEST(Env, RefusesWhatIsNoBoolean) {
    for (const auto* const bad : {"2", "y", " true", "true ", "tru", "\xc3\xa9"}) {
        const auto error = with(bad).get_bool("KTRDR_X").error();
        EXPECT_EQ(error.code, Errc::configuration) << bad;
        EXPECT_THAT(error.message, HasSubstr("KTRDR_X"));
        EXPECT_THAT(error.message, HasSubstr("true, false"));
        EXPECT_EQ(error.context.at("value").as_string(), bad);
    }
}

TEST(Env, ReadsWholeNumbersWithinTheirRange) {
    EXPECT_THAT(with("10").get_int("KTRDR_X", 1, 10).value(), Optional(10));
    EXPECT_THAT(with("-3").get_int("KTRDR_X", -5, 0).value(), Optional(-3));
    for (const auto* const bad : {"0", "11", "1.5", "ten", "5x", " 5", "99999999999999999999"}) {
        const auto error = with(bad).get_int("KTRDR_X", 1, 10).error();
        EXPECT_EQ(error.code, Errc::configuration) << bad;
        EXPECT_THAT(error.message, HasSubstr("from 1 to 10"));
    }
}

TEST(Env, ReadsSecondsAndRoundsUpToMilliseconds) {
    EXPECT_THAT(with("2.5").get_seconds("KTRDR_X").value(), Optional(2500ms));
    EXPECT_THAT(with("0.0001").get_seconds("KTRDR_X").value(), Optional(1ms));
    for (const auto* const bad : {"0", "-1", "inf", "nan", "1e10", "1s"}) {
        EXPECT_EQ(with(bad).get_seconds("KTRDR_X").error().code, Errc::configuration) << bad;
    }
}

}  // namespace
}  // namespace ktrdr
