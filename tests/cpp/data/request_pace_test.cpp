#include "../../../cpp/data/src/request_pace.hpp"

#include <gtest/gtest.h>

#include <random>

namespace ktrdr {
namespace {

using std::chrono::days;
using Seconds = RequestPace::Seconds;

Timeframe frame(std::string_view name) {
    return Timeframe::parse(name).value();
}

RequestPace pace_of(days first, days most, std::string_view name = "1m") {
    return {{.max_span = most, .max_in_flight = 3, .first_span = first}, frame(name)};
}

TEST(RequestPace, BeginsWithTheSourcesFirstSpanElseWithAllThatItTakes) {
    EXPECT_EQ(pace_of(days{7}, days{28}).span(), days{7});
    EXPECT_EQ(pace_of(days{0}, days{28}).span(), days{28});
    EXPECT_EQ(pace_of(days{60}, days{28}).span(), days{28});
}

TEST(RequestPace, KnowsWhatARequestAndABarCostWhateverTheNoise) {
    for (const auto& [request, bar] : {std::pair{0.5, 0.001}, {0.05, 0.00001}, {2.0, 0.0002}}) {
        std::mt19937 random(1);
        RequestPace pace = pace_of(days{7}, days{7});
        for (int i = 0; i < 60; ++i) {
            const auto bars = std::uniform_int_distribution(0, 3000)(random);
            const double noise = std::uniform_real_distribution(0.95, 1.05)(random);
            (void)pace.answered(static_cast<std::size_t>(bars), Seconds{(request + bar * bars) * noise});
        }
        const double bars_for_a_request = request / bar;
        EXPECT_GT(pace.bars_for_a_request(), bars_for_a_request * 0.5) << request << " " << bar;
        EXPECT_LT(pace.bars_for_a_request(), bars_for_a_request * 2) << request << " " << bar;
    }
}

TEST(RequestPace, GuessesWhereAllAnswersAreAlikeOrTakeNoTime) {
    RequestPace alike = pace_of(days{7}, days{7});
    RequestPace none = pace_of(days{7}, days{7});
    for (int i = 0; i < 50; ++i) {
        (void)alike.answered(2000, Seconds{0.05});
        (void)none.answered(2000, Seconds{0});
    }
    for (const RequestPace& pace : {alike, none}) {
        EXPECT_GT(pace.bars_for_a_request(), 10);
        EXPECT_LT(pace.bars_for_a_request(), 10'000);
    }
}

TEST(RequestPace, TellsFastAnswersFromSlowOnes) {
    RequestPace pace = pace_of(days{7}, days{7});
    for (int i = 0; i < 20; ++i) {
        (void)pace.answered(1000, Seconds{1.0});
    }
    EXPECT_EQ(pace.answered(1000, Seconds{1.1}), RequestPace::Speed::fast);
    EXPECT_EQ(pace.answered(1000, Seconds{2.0}), RequestPace::Speed::usual);
    EXPECT_EQ(pace.answered(1000, Seconds{9.0}), RequestPace::Speed::slow);
    RequestPace quick = pace_of(days{7}, days{7});
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(quick.answered(1000, Seconds{0.001}), RequestPace::Speed::fast);
    }
    EXPECT_EQ(quick.answered(1000, Seconds{0.1}), RequestPace::Speed::fast) << "whatever others took";
    EXPECT_EQ(quick.answered(1000, Seconds{0.9}), RequestPace::Speed::usual) << "not worth half of the requests";
}

TEST(RequestPace, AsksForMoreWhereARequestItselfIsMuchOfTheCost) {
    RequestPace dear = pace_of(days{7}, days{28});
    RequestPace cheap = pace_of(days{7}, days{28});
    std::mt19937 random(2);
    for (int i = 0; i < 30; ++i) {
        const int bars = std::uniform_int_distribution(1000, 3000)(random);
        (void)dear.answered(static_cast<std::size_t>(bars), Seconds{3 + 0.0001 * bars});
        dear.came_whole(dear.span());
        (void)cheap.answered(static_cast<std::size_t>(bars), Seconds{0.1 + 0.001 * bars});
        cheap.came_whole(cheap.span());
    }
    EXPECT_EQ(dear.span(), days{28}) << "and no more than the source takes";
    EXPECT_EQ(cheap.span(), days{7});
}

TEST(RequestPace, AsksForNoMoreThanAnswersHoldUntilManyCameWhole) {
    RequestPace pace = pace_of(days{0}, days{28});
    pace.hold_to(days{5});
    EXPECT_EQ(pace.span(), days{5});
    pace.hold_to(std::chrono::minutes{1});
    EXPECT_EQ(pace.span(), days{1}) << "never less than a day";
    for (int i = 0; i < 10; ++i) {
        (void)pace.answered(1, Seconds{3});
        pace.came_whole(pace.span());
    }
    EXPECT_EQ(pace.span(), days{1});
    for (int i = 0; i < 200; ++i) {
        (void)pace.answered(1, Seconds{3});
        pace.came_whole(pace.span());
    }
    EXPECT_EQ(pace.span(), days{28});
}

}  // namespace
}  // namespace ktrdr
