#include <gtest/gtest.h>

#include <string>

#include <ktrdr/market/timeframe.hpp>

namespace ktrdr {
namespace {

TEST(Timeframe, ParsesEachOfItsNames) {
    EXPECT_EQ(Timeframe::names().size(), 16U);
    for (const auto name : Timeframe::names()) {
        const auto timeframe = Timeframe::parse(name);
        ASSERT_TRUE(timeframe) << name;
        EXPECT_EQ(timeframe->name(), name);
    }
    EXPECT_EQ(Timeframe::parse("15m")->count(), 15);
    EXPECT_EQ(Timeframe::parse("1M")->unit(), Timeframe::Unit::month);
    EXPECT_EQ(Timeframe::parse("1m")->unit(), Timeframe::Unit::minute);
}

TEST(Timeframe, KnowsHowLittleABarOfItLasts) {
    const auto shortest = [](const char* name) { return Timeframe::parse(name)->shortest(); };
    EXPECT_EQ(shortest("20m"), std::chrono::minutes{20});
    EXPECT_EQ(shortest("8h"), std::chrono::hours{8});
    EXPECT_EQ(shortest("1d"), std::chrono::days{1});
    EXPECT_EQ(shortest("1w"), std::chrono::days{7});
    EXPECT_EQ(shortest("1M"), std::chrono::days{28});
    EXPECT_TRUE(Timeframe::parse("8h")->is_intraday());
    EXPECT_FALSE(Timeframe::parse("1d")->is_intraday());
}

TEST(Timeframe, ListsWhatThereIsForAnUnknownName) {
    const auto wrong = Timeframe::parse("7x");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::invalid_argument);
    EXPECT_NE(wrong.error().message.find("1m 2m 3m 5m"), std::string::npos);
}

TEST(Timeframe, NamesTheNearestSpelling) {
    EXPECT_NE(Timeframe::parse("1H").error().message.find("did you mean 1h?"), std::string::npos);
    EXPECT_NE(Timeframe::parse("1day").error().message.find("did you mean 1d?"), std::string::npos);
    EXPECT_EQ(Timeframe::parse("fortnight").error().message.find("did you mean"), std::string::npos);
    EXPECT_FALSE(Timeframe::parse(""));
    EXPECT_FALSE(Timeframe::parse(std::string(100'000, 'x')));
}

}  // namespace
}  // namespace ktrdr
