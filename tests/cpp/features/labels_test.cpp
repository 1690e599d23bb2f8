#include <ktrdr/features/labels.hpp>

#include <gtest/gtest.h>
#include <gmock/gmock.h>

#include "series.hpp"

namespace ktrdr {
namespace {

using test::day;

TEST(Labels, SayWhatTheCloseDoesAfterTheLookahead) {
    const Bars bars = test::daily({100, 100, 125, 100, 93, 125});
    const Labels labels = forward_return_labels(bars, BarGrid(day), {0.25, 2}).value();
    // Exactly the threshold is a hold: 125 is 25 % above 100.
    EXPECT_THAT(labels.classes, ::testing::ElementsAre(1, 1, 2, 1, Labels::undecided, Labels::undecided));
    EXPECT_EQ(forward_return_labels(bars, BarGrid(day), {0.24, 2})->classes[0], 0);
}

TEST(Labels, CarryTheCloseOfTheLastBarTheyLookAt) {
    const Bars bars = test::daily({100, 101, 102, 103});
    const Labels labels = forward_return_labels(bars, BarGrid(day), {0.01, 2}).value();
    EXPECT_EQ(labels.ends[0], UtcTime{std::chrono::sys_days{std::chrono::year{2024} / 1 / 4}});
    EXPECT_EQ(labels.ends[3], UtcTime::max());
}

TEST(Labels, AreUndecidedWherePricesAreNotAboveZero) {
    const Labels labels = forward_return_labels(test::daily({0, 10, -5, 10}), BarGrid(day), {0.01, 1}).value();
    EXPECT_THAT(labels.classes, ::testing::Each(Labels::undecided));
}

TEST(Labels, DoNotChangeOnceDecided) {
    const std::vector<double> closes = test::walk(200, 9);
    const Labels all = forward_return_labels(test::daily(closes), BarGrid(day), {}).value();
    for (std::size_t count = 1; count < closes.size(); count += 13) {
        const Labels early =
            forward_return_labels(test::daily({closes.begin(), closes.begin() + static_cast<long>(count)}),
                                  BarGrid(day), {})
                .value();
        for (std::size_t bar = 0; bar < count; ++bar) {
            if (early.classes[bar] != Labels::undecided) {
                EXPECT_EQ(early.classes[bar], all.classes[bar]);
            }
        }
    }
}

TEST(Labels, RefuseARuleThatDecidesNothing) {
    EXPECT_EQ(forward_return_labels({}, BarGrid(day), {-0.1, 5}).error().code, Errc::invalid_argument);
    EXPECT_EQ(forward_return_labels({}, BarGrid(day), {0.02, 0}).error().context.at("field"), "label_lookahead");
    EXPECT_TRUE(forward_return_labels({}, BarGrid(day), {})->classes.empty());
}

}  // namespace
}  // namespace ktrdr
