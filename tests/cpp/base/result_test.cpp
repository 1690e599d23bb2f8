#include <gmock/gmock.h>

#include <set>

#include <ktrdr/base/result.hpp>

namespace ktrdr {
namespace {

Result<int> half(int number) {
    if (number % 2 != 0) {
        return fail(Errc::invalid_argument, "number must be even", {{"number", number}});
    }
    return number / 2;
}

TEST(Result, HoldsAValueOrAnError) {
    EXPECT_EQ(half(4).value(), 2);
    const auto odd = half(3);
    EXPECT_FALSE(odd);
    EXPECT_EQ(odd.error(), fail(Errc::invalid_argument, "number must be even", {{"number", 3}}));
}

TEST(Result, ThrowsTheErrorWhenItsValueIsTakenAllTheSame) {
    try {
        (void)half(3).value();
        FAIL() << "nothing was thrown";
    } catch (const ErrorException& thrown) {
        EXPECT_EQ(thrown.error().code, Errc::invalid_argument);
        EXPECT_STREQ(thrown.what(), "number must be even");
    }
}

TEST(Errc, EveryCodeHasItsOwnName) {
    std::set<std::string_view> names;
    for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
        names.insert(to_string(static_cast<Errc>(code)));
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(Errc::internal) + 1);
}

}  // namespace
}  // namespace ktrdr
